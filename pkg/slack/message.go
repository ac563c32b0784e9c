package slack

import (
	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

// said reports whether a message of this subtype is something a person says.
func said(subtype recent) bool {
	switch subtype {
	case "", "file_share", "thread_broadcast", "me_message":
		return true
	}
	return false
}

// notAPerson says why m is not a person's, "" if it is. New bots post without
// the subtype bot_message but with a bot_id, so that alone would make a loop.
func (p *Parser) notAPerson(e *envelope, m *event) string {
	switch {
	case m.AppID != "" && m.AppID == e.AppID, m.User != "" && m.User == p.botUser(e):
		return IgnoredOwn
	case bool(m.BotID), bool(m.BotProfile), m.User == "USLACKBOT":
		return IgnoredBot
	case !isID(m.User):
		return IgnoredAuthor
	}
	return ""
}

// parseSaid handles a message as it is sent: app_mention, or its twin of type
// message. Either may come first or alone, so both must read the same.
func (p *Parser) parseSaid(e *envelope) (pipeline.Parsed, error) {
	m := &e.Event
	if !said(m.Subtype) {
		return ignored(IgnoredSubtype), nil
	}
	if why := p.notAPerson(e, m); why != "" {
		return ignored(why), nil
	}
	at, ok := placeOf(e, m, m.TS)
	if !ok {
		return pipeline.Parsed{}, malformed("message", "no app, channel or ts")
	}
	r := p.read(e, m)
	if why := p.notForUs(at, r); why != "" {
		return ignored(why), nil
	}
	msg := p.message(e, m, at, r)
	if msg.FollowUp && msg.Text == "" && len(msg.Files) == 0 {
		return ignored(IgnoredEmpty), nil
	}
	msg.Kind = kindOf(msg)
	msg.ID = at.id()
	if msg.Kind != chat.KindAsk {
		msg.ID += ":" + string(msg.Kind)
	}
	msg.SentAt = TimeOf(at.ts)
	msg.Threaded = r.toUs && at.reply() && !at.im
	return pipeline.Parsed{Messages: []chat.Message{msg}}, nil
}

// notForUs says why Parley has no part in what was said at a place, "" if it may
// have. In channels the mention decides, and follow-ups in threads where they are
// wanted; whether Parley is part of such a thread is for the worker to say.
func (p *Parser) notForUs(at place, r reading) string {
	switch {
	case at.im, r.toUs:
		return ""
	case !at.reply(), !p.cfg.FollowUps, r.toOther:
		return IgnoredNoMention
	case r.unsure:
		return IgnoredUnknown // if it mentions us, app_mention says so
	}
	return ""
}

// kindOf says what a message asks for. A bare word in a thread counts as a
// command, too, which the worker drops if Parley is not part of the thread; but
// not retry, which is answered also where there is nothing to retry.
func kindOf(m chat.Message) chat.Kind {
	switch {
	case len(m.Files) > 0:
		return chat.KindAsk
	case m.Text == "":
		return chat.KindHelp
	}
	kind, ok := chat.ParseCommand(m.Text)
	if !ok || m.FollowUp && kind == chat.KindRetry {
		return chat.KindAsk
	}
	return kind
}

// message is what every gesture on m has in common.
func (p *Parser) message(e *envelope, m *event, at place, r reading) chat.Message {
	msg := chat.Message{
		Author: e.author(m), Text: r.text, Files: p.files(m.Files), FollowUp: !r.toUs && !at.im,
	}
	route := p.route(e, at, msg.Author)
	if at.im && !msg.Author.External {
		route.Viewing, route.ViewingTS = m.AppContext.at()
		msg.Viewing = route.Viewing != ""
	}
	route.take(&msg)
	at.settle(&msg)
	return msg
}
