package slack

import (
	"strings"
	"time"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

func (p *Parser) parseEvent(body []byte, now time.Time) (pipeline.Parsed, error) {
	var e envelope
	if err := decode(body, &e); err != nil {
		return pipeline.Parsed{}, malformed("event", "no JSON")
	}
	switch e.Type {
	case "url_verification":
		parsed := ignored(IgnoredChallenge)
		parsed.Response = jsonResponse(map[string]string{"challenge": e.Challenge})
		return parsed, nil
	case "app_rate_limited":
		return ignored(IgnoredRateLimit), nil
	case "event_callback":
		return p.parseCallback(&e, now)
	case "":
		return pipeline.Parsed{}, malformed("event", "no type")
	}
	return ignored(IgnoredType), nil
}

func (p *Parser) parseCallback(e *envelope, now time.Time) (pipeline.Parsed, error) {
	e.AppID = recent(p.app(string(e.AppID)))
	switch e.Event.Type {
	case "app_mention":
		return p.parseSaid(e)
	case "message":
		switch e.Event.Subtype {
		case "message_changed":
			return p.parseChanged(e, now)
		case "message_deleted":
			return p.parseDeleted(e, e.Event.DeletedTS, now)
		}
		return p.parseSaid(e)
	case "agent_session_stopped":
		return p.parseStopped(e, now)
	case "app_home_opened", "app_context_changed", "assistant_thread_started":
		return p.parseOpened(e, now)
	case "agent_session_title_changed", "assistant_thread_context_changed",
		"member_joined_channel", "app_uninstalled", "tokens_revoked", "reaction_added":
		return ignored(IgnoredLifecycle), nil
	case "":
		return pipeline.Parsed{}, malformed("event", "no inner type")
	}
	return ignored(IgnoredType), nil
}

// botUser is Parley's user id in the workspace an event came through, "" if
// neither event nor configuration tells.
func (p *Parser) botUser(e *envelope) string {
	if by := e.Authorizations[0]; by.IsBot {
		if bot := id(by.UserID); bot != "" {
			return bot
		}
	}
	return id(p.cfg.BotUser)
}

// homeTeam is the workspace Parley is installed in. The event's own team_id comes
// last: in a shared channel it may be somebody else's.
func (e *envelope) homeTeam() string {
	if team := id(e.Authorizations[0].TeamID); team != "" {
		return team
	}
	if team := id(e.ContextTeam); team != "" {
		return team
	}
	return id(e.TeamID)
}

// homes are the workspaces and organisations that are Parley's own, where Slack
// tells of them.
func (e *envelope) homes() [4]recent {
	return [...]recent{e.Authorizations[0].TeamID, e.Authorizations[0].EnterpriseID, e.ContextTeam, e.ContextEnterprise}
}

// author is who wrote m, an event or the message within one.
func (e *envelope) author(m *event) chat.Author {
	a := chat.Author{ID: m.User, External: e.external(m)}
	for _, team := range [...]recent{m.UserTeam, m.SourceTeam, m.Team} {
		if a.Team = id(team); a.Team != "" {
			break
		}
	}
	return a
}

// external reports whether the author of m is outside the organisation Parley is
// installed in. user_team decides before team, because source_team and team may
// name the other side of a shared channel although the person is from here. Where
// Slack does not tell enough, the person is external.
func (e *envelope) external(m *event) bool {
	if e.ExtShared == no {
		return false // other teams here are workspaces of the same organisation
	}
	team := id(m.UserTeam)
	if team == "" {
		team = id(m.Team)
	}
	if team == "" {
		return e.ExtShared == yes // and nothing is known about the person
	}
	for _, home := range e.homes() {
		if string(home) == team {
			return false
		}
	}
	return true
}

// place is where something was said.
type place struct {
	app, channel string
	im           bool
	ts, thread   string // thread is empty unless ts is a reply
}

// placeOf returns the place of m, which may be a message within event e.
func placeOf(e *envelope, m *event, ts string) (place, bool) {
	at := place{app: string(e.AppID), channel: e.Event.Channel, ts: ts}
	if at.app == "" || !isID(at.channel) || TimeOf(ts).IsZero() {
		return place{}, false
	}
	at.im = e.Event.ChannelType == TypeIM || e.Event.ChannelType == "" && strings.HasPrefix(at.channel, "D")
	// A root that has replies carries its own ts as thread_ts.
	if m.ThreadTS != ts && !TimeOf(m.ThreadTS).IsZero() {
		at.thread = m.ThreadTS
	}
	return at, true
}

func (at place) reply() bool { return at.thread != "" }

// root is the ts of the thread that at is in or begins.
func (at place) root() string {
	if at.thread != "" {
		return at.thread
	}
	return at.ts
}

func (at place) id() string { return MessageID(at.app, at.channel, at.ts) }

// settle puts m into its conversation. In a channel each thread is one. Of a
// direct message, the lines outside threads are one, and a thread is its own that
// hangs under the line it began with.
func (at place) settle(m *chat.Message) {
	m.Conversation = chat.Conversation{Platform: chat.Slack, Tenant: at.app, Channel: at.channel}
	switch {
	case !at.im:
		m.Conversation.Thread = at.root()
	case at.reply():
		parent := m.Conversation
		m.Parent, m.ParentTurn = &parent, TimeOf(at.thread)
		m.Conversation.Thread = at.thread
	}
}

// route is the Route of what person did at a place.
func (p *Parser) route(e *envelope, at place, person chat.Author) Route {
	r := Route{
		AppID: at.app, Team: e.homeTeam(), Channel: at.channel,
		ThreadTS: at.root(), TS: at.ts, User: person.ID, UserTeam: person.Team, BotUser: p.botUser(e),
		ExtShared: e.ExtShared == yes,
	}
	switch e.Event.ChannelType {
	case TypeChannel, TypeGroup, TypeIM, TypeMPIM:
		r.ChannelType = string(e.Event.ChannelType)
	default:
		if at.im {
			r.ChannelType = TypeIM
		}
	}
	return r
}
