package slack

import (
	"slices"
	"time"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

// shown is what is read of a view: the home tab as a person sees it. Documented at
// docs.slack.dev/reference/views.
type shown struct {
	Type   string `json:"type"`
	TeamID string `json:"team_id"` // the person's own
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
