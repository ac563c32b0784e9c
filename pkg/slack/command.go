package slack

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"parley/pkg/chat"
	"parley/pkg/phrase"
	"parley/pkg/pipeline"
)

// command is a slash command: a form over HTTP, the same names as JSON in Socket
// Mode. Documented at docs.slack.dev/interactivity/implementing-slash-commands.
type command struct {
	AppID       string `json:"api_app_id"`
	TeamID      string `json:"team_id"`
	ChannelID   string `json:"channel_id"`
	ChannelName string `json:"channel_name"`
	UserID      string `json:"user_id"`
	Text        string `json:"text"`
	ResponseURL string `json:"response_url"`
	TriggerID   string `json:"trigger_id"`
}

func formCommand(f url.Values) command {
	return command{
		AppID: f.Get("api_app_id"), TeamID: f.Get("team_id"),
		ChannelID: f.Get("channel_id"), ChannelName: f.Get("channel_name"),
		UserID: f.Get("user_id"), Text: f.Get("text"),
		ResponseURL: f.Get("response_url"), TriggerID: f.Get("trigger_id"),
	}
}

// parseCommand handles a slash command, whatever its name: a question, with or
// without the word ask, or one of the words of chat.ParseCommand. Slash commands
// know no threads: those of one person in one channel are a conversation. Slack
// tells no time with them, so they carry ours.
func (p *Parser) parseCommand(c command, now time.Time) (pipeline.Parsed, error) {
	app := p.app(c.AppID)
	if app == "" || !isID(c.ChannelID) || !isID(c.UserID) || !isTrigger(c.TriggerID) {
		return pipeline.Parsed{}, malformed("command", "no app, channel, user or trigger")
	}
	msg := chat.Message{
		ID: MessageID(app, c.ChannelID, c.TriggerID),
		Conversation: chat.Conversation{
			Platform: chat.Slack, Tenant: app, Channel: c.ChannelID, Thread: slashThread + c.UserID,
		},
		Author: chat.Author{ID: c.UserID, Team: id(c.TeamID)},
		SentAt: now,
	}
	Route{
		AppID: app, Team: id(c.TeamID), Channel: c.ChannelID, ChannelType: channelType(c.ChannelName),
		User: c.UserID, UserTeam: id(c.TeamID), BotUser: id(p.cfg.BotUser),
		ResponseURL: p.trustedURL(c.ResponseURL, maxURL),
	}.take(&msg)
	text, _ := clean(c.Text, id(p.cfg.BotUser))
	msg.Kind, msg.Text = commandKind(text)
	parsed := pipeline.Parsed{Messages: []chat.Message{msg}}
	if msg.Kind == chat.KindAsk {
		parsed.Response = jsonResponse(map[string]string{
			"response_type": "ephemeral", "text": p.say(msg.Text, "working"),
		})
	}
	return parsed, nil
}

// slashThread begins the Thread of a conversation of slash commands.
const slashThread = "slash:"

// commandKind says what the text after a command asks for, and the question left.
func commandKind(text string) (chat.Kind, string) {
	if kind, ok := chat.ParseCommand(text); ok {
		switch kind {
		case chat.KindRemember, chat.KindForget, chat.KindApprove, chat.KindReject:
			kind = chat.KindHelp // there is no thread here
		}
		return kind, text
	}
	word, question, _ := strings.Cut(text, " ")
	if strings.EqualFold(word, "ask") {
		text = strings.TrimSpace(question)
	}
	if text == "" {
		return chat.KindHelp, ""
	}
	return chat.KindAsk, text
}

// say is one of Parley's own sentences in the language of text.
func (p *Parser) say(text, key string) string {
	return phrase.In(or(phrase.Detect(text), p.cfg.Language)).Say(key)
}

// channelType guesses from the name Slack gives to what has none.
func channelType(name string) string {
	switch {
	case name == "directmessage":
		return TypeIM
	case name == "privategroup":
		return TypeGroup
	case strings.HasPrefix(name, "mpdm-"):
		return TypeMPIM
	case name != "":
		return TypeChannel
	}
	return ""
}

// isTrigger reports whether s can be a trigger_id: a few ids joined by dots.
func isTrigger(s string) bool {
	parts := strings.Split(s, ".")
	return len(parts) <= 4 && !slices.ContainsFunc(parts, func(part string) bool { return !isID(part) })
}
