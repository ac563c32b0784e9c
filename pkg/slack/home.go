package slack

import (
	"slices"
	"strings"
	"time"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

// shown is what is read of a view: the home tab as a person sees it. Documented at
// docs.slack.dev/reference/views.
type shown struct {
	ID         string `json:"id"`
	Type       string `json:"type"`
	CallbackID string `json:"callback_id"`
	TeamID     string `json:"team_id"` // the person's own
}

// atHome is the conversation of a person's home tab. It is a line of its own:
// nothing done there waits behind a question.
func atHome(app, user string) chat.Conversation {
	return chat.Conversation{Platform: chat.Slack, Tenant: app, Channel: user, Thread: homeThread}
}

const homeThread = "home"

// parseHome handles the opening of the home tab. Slack sends it every time; the
// identity is that of the event, because its time has more than one form.
func (p *Parser) parseHome(e *envelope, now time.Time) (pipeline.Parsed, error) {
	ev := &e.Event
	when := firstTS(ev.EventTS, dotted(ev.EventTS))
	app := string(e.AppID)
	if app == "" || !isID(ev.User) || when == "" && !isID(e.EventID) {
		return ignored(IgnoredLifecycle), nil
	}
	who := chat.Author{ID: ev.User, Team: id(ev.View.TeamID), External: e.stranger(recent(ev.View.TeamID)) || e.stranger(e.TeamID)}
	msg := chat.Message{
		ID:   MessageID(app, ev.User, or(when, e.EventID)) + ":" + string(chat.KindHome),
		Kind: chat.KindHome, Conversation: atHome(app, ev.User), Author: who, SentAt: timeOr(when, now),
	}
	p.route(e, place{app: app, channel: ev.User, im: true}, who).take(&msg)
	return pipeline.Parsed{Messages: []chat.Message{msg}}, nil
}

// parsePress handles presses in the home tab. There is no channel, no message and
// no response_url: the answer is the tab as it is after the press. Whose tab it is
// Slack says by who pressed; nothing in the view is believed.
func (p *Parser) parsePress(i *interaction, now time.Time) (pipeline.Parsed, error) {
	if i.View.CallbackID != CallbackHome || !isID(i.View.ID) {
		return ignored(IgnoredAction), nil
	}
	parsed := ignored(IgnoredAction)
	for _, action := range i.Actions {
		verb, ours := strings.CutPrefix(action.ActionID, ActionHome)
		if !ours {
			continue
		}
		about := or(action.Selected.Value, action.Value)
		if len(verb)+len(about) > longestValue {
			return pipeline.Parsed{}, malformed("interaction", "senseless button value")
		}
		pressed := firstTS(action.ActionTS, i.ActionTS)
		msg := chat.Message{
			ID:   MessageID(i.AppID, i.User.ID, pressed) + ":" + string(chat.KindHome) + ":" + verb,
			Kind: chat.KindHome, Conversation: atHome(i.AppID, i.User.ID), Author: i.author(), SentAt: timeOr(pressed, now),
			Value: verb + ":" + about,
		}
		p.interactionRoute(i, place{app: i.AppID, channel: i.User.ID, im: true}, msg.Author).take(&msg)
		parsed.Ignored = ""
		parsed.Messages = append(parsed.Messages, msg)
	}
	return parsed, nil
}

// stranger reports whether team is of another organisation. A home tab is in no
// channel that would tell.
func (e *envelope) stranger(team recent) bool {
	ours := e.homes()
	known := func(s recent) bool { return s != "" && slices.Contains(ours[:], s) }
	return isID(team) && !known(team) && !known(e.EnterpriseID)
}

// dotted is a ts that came without its dot, as this event's may
// (docs.slack.dev/reference/events/app_home_opened).
func dotted(ts string) string {
	if len(ts) != 16 {
		return ""
	}
	return ts[:10] + "." + ts[10:]
}
