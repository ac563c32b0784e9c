package slack

import (
	"slices"
	"strings"
	"time"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

// interaction is a press of a button or a shortcut. Documented
// at docs.slack.dev/interactivity/handling-user-interaction.
type interaction struct {
	Type        string     `json:"type"`
	AppID       string     `json:"api_app_id"`
	CallbackID  string     `json:"callback_id"`
	MessageTS   string     `json:"message_ts"`
	ActionTS    string     `json:"action_ts"`
	ResponseURL string     `json:"response_url"`
	Team        identified `json:"team"`
	Channel     identified `json:"channel"`
	User        struct {
		ID     string `json:"id"`
		TeamID string `json:"team_id"`
	} `json:"user"`
	Container struct {
		MessageTS string `json:"message_ts"`
		ThreadTS  string `json:"thread_ts"`
		ChannelID string `json:"channel_id"`
	} `json:"container"`
	Message struct {
		TS       string `json:"ts"`
		ThreadTS string `json:"thread_ts"`
	} `json:"message"`
	Actions []action `json:"actions"`
	View    shown    `json:"view"` // that the press was made in, if it was in one
}

type action struct {
	ActionID string `json:"action_id"`
	BlockID  string `json:"block_id"`
	Value    string `json:"value"` // of a field, what was written into it
	ActionTS string `json:"action_ts"`
	Selected struct {
		Value string `json:"value"`
	} `json:"selected_option"` // of a menu
}

type identified struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

func (p *Parser) parseInteraction(payload []byte, now time.Time) (pipeline.Parsed, error) {
	var i interaction
	if err := decode(payload, &i); err != nil {
		return pipeline.Parsed{}, malformed("interaction", "no JSON")
	}
	i.AppID = p.app(i.AppID)
	switch {
	case i.Type == "":
		return pipeline.Parsed{}, malformed("interaction", "no type")
	case i.Type != "block_actions" && i.Type != "message_action":
		return ignored(IgnoredType), nil
	case i.AppID == "":
		return ignored(IgnoredApp), nil
	case !isID(i.User.ID):
		return pipeline.Parsed{}, malformed("interaction", "no user")
	}
	if i.Type == "message_action" {
		return p.parseShortcut(&i, now)
	}
	return p.parseActions(&i, now)
}

// author is who pressed. Slack tells no more than the person's workspace and the
// one the app is installed in; another one is external.
func (i *interaction) author() chat.Author {
	team, home := id(i.User.TeamID), id(i.Team.ID)
	return chat.Author{ID: i.User.ID, Team: team, External: team != "" && home != "" && team != home}
}

// place is where the message is that holds the button or was chosen.
func (i *interaction) place(ts, thread string) (place, bool) {
	e := envelope{AppID: recent(i.AppID), Event: event{Channel: or(i.Container.ChannelID, i.Channel.ID)}}
	if i.Channel.Name == "directmessage" {
		e.Event.ChannelType = TypeIM
	}
	return placeOf(&e, &event{ThreadTS: thread}, ts)
}

func (p *Parser) interactionRoute(i *interaction, at place, who chat.Author) Route {
	r := Route{
		AppID: at.app, Team: id(i.Team.ID), Channel: at.channel, ChannelType: channelType(i.Channel.Name),
		ThreadTS: at.root(), TS: at.ts, User: who.ID, UserTeam: who.Team, BotUser: id(p.cfg.BotUser),
		ResponseURL: p.trustedURL(i.ResponseURL, maxURL),
	}
	if at.im {
		r.ChannelType = TypeIM
	}
	return r
}

// parseActions handles presses of the buttons under an answer.
func (p *Parser) parseActions(i *interaction, now time.Time) (pipeline.Parsed, error) {
	if i.View.Type == "home" {
		return p.parsePress(i, now)
	}
	at, ok := i.place(or(i.Container.MessageTS, i.Message.TS), or(i.Container.ThreadTS, i.Message.ThreadTS))
	if !ok {
		return ignored(IgnoredAction), nil // a button in another view is none of ours
	}
	parsed := ignored(IgnoredAction)
	for _, action := range i.Actions {
		kind, ours := actionKind(action.ActionID)
		if !ours {
			continue
		}
		v, err := action.decode(at)
		if err != nil {
			return pipeline.Parsed{}, malformed("interaction", "senseless button value")
		}
		if !v.fits(at.app, at.channel) {
			return ignored(IgnoredForeign), nil
		}
		pressed := firstTS(action.ActionTS, i.ActionTS)
		msg := chat.Message{
			ID:   at.id() + ":" + string(kind) + ":" + pressed,
			Kind: kind, Subject: v.Subject, Author: i.author(), SentAt: timeOr(pressed, now),
		}
		if slices.ContainsFunc(parsed.Messages, func(m chat.Message) bool { return m.ID == msg.ID }) {
			continue
		}
		if action.ActionID == ActionComment {
			msg.Text, _ = clean(action.Value, "")
		}
		p.press(&msg, v, i, at)
		parsed.Ignored = ""
		parsed.Messages = append(parsed.Messages, msg)
	}
	return parsed, nil
}

var actionKinds = map[string]chat.Kind{
	ActionRetry: chat.KindRetry, ActionRegenerate: chat.KindRegenerate,
	ActionApprove: chat.KindApprove, ActionReject: chat.KindReject,
	ActionPassages: chat.KindPassages,
	ActionStop:     chat.KindStop, ActionFeedback: chat.KindFeedback, ActionFile: chat.KindFile, ActionComment: chat.KindFeedback,
}

// decode reads what the element used at a place is about.
func (a action) decode(at place) (ButtonValue, error) {
	if a.ActionID == ActionComment {
		return decodeBlockID(a.BlockID, at.app, at.channel)
	}
	return DecodeButtonValue(a.Value)
}

func actionKind(actionID string) (kind chat.Kind, ours bool) {
	switch {
	case strings.HasPrefix(actionID, ActionModel):
		return chat.KindRegenerate, true
	case strings.HasPrefix(actionID, ActionComplaint):
		return chat.KindFeedback, true
	}
	kind, ours = actionKinds[actionID]
	return kind, ours
}

// press fills in what a button's value says.
func (p *Parser) press(msg *chat.Message, v ButtonValue, i *interaction, at place) {
	if v.Fence != 0 {
		msg.Token = &chat.Token{Fence: v.Fence, Reason: v.Reason}
	}
	switch msg.Kind {
	case chat.KindFeedback:
		msg.Value, msg.Complaint = v.Verdict, v.Complaint
	case chat.KindRegenerate:
		msg.Value = v.Model
	}
	route := p.interactionRoute(i, at, msg.Author)
	at.settle(msg)
	if v.Conversation != (chat.Conversation{}) {
		msg.Conversation, msg.Parent, msg.ParentTurn = v.Conversation, nil, time.Time{}
	}
	if strings.HasPrefix(msg.Conversation.Thread, slashThread) {
		route.ThreadTS = "" // an ephemeral answer: there is no thread to post in
	}
	route.take(msg)
}

// parseShortcut handles the message shortcut that keeps a thread as knowledge.
func (p *Parser) parseShortcut(i *interaction, now time.Time) (pipeline.Parsed, error) {
	if i.CallbackID != CallbackRemember {
		return ignored(IgnoredAction), nil
	}
	at, ok := i.place(or(i.MessageTS, i.Message.TS), i.Message.ThreadTS)
	if !ok {
		return pipeline.Parsed{}, malformed("shortcut", "no channel or message")
	}
	chosen := firstTS(i.ActionTS)
	msg := chat.Message{Kind: chat.KindRemember, Author: i.author(), SentAt: timeOr(chosen, now)}
	msg.ID = at.id() + ":" + string(msg.Kind) + ":" + chosen
	p.interactionRoute(i, at, msg.Author).take(&msg)
	at.settle(&msg)
	return pipeline.Parsed{Messages: []chat.Message{msg}}, nil
}
