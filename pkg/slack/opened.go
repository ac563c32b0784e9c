package slack

import (
	"encoding/json"
	"time"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

// view is what a person has open beside the agent: of app_context_changed, of
// app_home_opened, and of a message to the agent.
// Documented at docs.slack.dev/reference/events/app_context_changed.
type view struct {
	Entities []struct {
		Type  string          `json:"type"`
		Value json.RawMessage `json:"value"` // an id, or an object for message_context
	} `json:"entities"`
	Channel string `json:"channel_id"` // of assistant_thread_started
}

// Entities that can be read.
const (
	entityChannel = "slack#/types/channel_id"
	entityMessage = "slack#/types/message_context"
)

// at returns the channel in view and, if it is one message, its ts. A message says
// more than the channel it is in.
func (v view) at() (channel, ts string) {
	channel = id(v.Channel)
	for _, e := range v.Entities {
		var m struct {
			Channel string `json:"channel_id"`
			TS      string `json:"message_ts"`
		}
		switch e.Type {
		case entityChannel:
			var opened string
			if decode(e.Value, &opened) == nil && id(opened) != "" {
				channel = opened
			}
		case entityMessage:
			if decode(e.Value, &m) == nil && isID(m.Channel) && !TimeOf(m.TS).IsZero() {
				return m.Channel, m.TS
			}
		}
	}
	return channel, ""
}

// parseOpened handles a person's opening of the agent, or of something beside it:
// not a message to answer, but the moment to suggest what to ask.
func (p *Parser) parseOpened(e *envelope, now time.Time) (pipeline.Parsed, error) {
	ev, user, seen := &e.Event, e.Event.User, e.Event.Context
	if t := ev.Thread; ev.Type == "assistant_thread_started" {
		ev.Channel, user, seen = t.Channel, t.User, t.Context
	}
	if ev.Type == "app_home_opened" && ev.Tab == "home" {
		return p.parseHome(e, now)
	}
	if ev.Type == "app_home_opened" && ev.Tab != "messages" {
		return ignored(IgnoredLifecycle), nil
	}
	at := place{app: string(e.AppID), channel: ev.Channel, im: true}
	if at.app == "" || !isID(at.channel) || !isID(user) {
		return ignored(IgnoredLifecycle), nil // nobody to suggest anything to
	}
	when := firstTS(ev.EventTS)
	msg := chat.Message{
		ID:   MessageID(at.app, at.channel, when) + ":" + string(chat.KindOpened),
		Kind: chat.KindOpened, Author: chat.Author{ID: user, Team: id(ev.Team)}, SentAt: timeOr(when, now),
	}
	at.settle(&msg)
	route := p.route(e, at, msg.Author)
	route.ThreadTS, route.TS = "", ""
	if ev.Type == "assistant_thread_started" && !TimeOf(ev.Thread.ThreadTS).IsZero() {
		route.ThreadTS = ev.Thread.ThreadTS
	}
	route.Viewing, route.ViewingTS = seen.at()
	route.take(&msg)
	return pipeline.Parsed{Messages: []chat.Message{msg}}, nil
}
