package slack

import (
	"time"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

// parseChanged handles message_changed: a person's edit, or the tombstone that
// takes the place of a deleted message with replies. Slack sends the same event
// for unfurled links and for Parley's own updates.
func (p *Parser) parseChanged(e *envelope, now time.Time) (pipeline.Parsed, error) {
	m, before := e.Event.Message, e.Event.Previous
	if m == nil {
		return pipeline.Parsed{}, malformed("message_changed", "no message")
	}
	if m.Subtype == "tombstone" {
		return p.parseDeleted(e, m.TS, now)
	}
	if !said(m.Subtype) {
		return ignored(IgnoredSubtype), nil
	}
	if why := p.notAPerson(e, m); why != "" {
		return ignored(why), nil
	}
	at, ok := placeOf(e, m, m.TS)
	if !ok {
		return pipeline.Parsed{}, malformed("message_changed", "no app, channel or ts")
	}
	edited := TimeOf(m.Edited.TS)
	if edited.IsZero() {
		return ignored(IgnoredUnchanged), nil // not by a person
	}
	r := p.read(e, m)
	if before != nil {
		was := p.read(e, before)
		if was.text == r.text {
			return ignored(IgnoredUnchanged), nil
		}
		r.toUs = r.toUs || was.toUs // a mention that was edited away had been a question
	}
	if why := p.notForUs(at, r); why != "" {
		return ignored(why), nil
	}
	msg := p.message(e, m, at, r)
	msg.Kind, msg.Subject = chat.KindEdited, at.id()
	msg.ID = at.id() + ":" + string(chat.KindEdited) + ":" + m.Edited.TS
	msg.SentAt = edited
	return pipeline.Parsed{Messages: []chat.Message{msg}}, nil
}

// parseDeleted handles the deletion of the message at ts, which only
// previous_message describes.
func (p *Parser) parseDeleted(e *envelope, ts string, now time.Time) (pipeline.Parsed, error) {
	before := e.Event.Previous
	if before == nil {
		return ignored(IgnoredAuthor), nil
	}
	if !said(before.Subtype) {
		return ignored(IgnoredSubtype), nil
	}
	if why := p.notAPerson(e, before); why != "" {
		return ignored(why), nil
	}
	at, ok := placeOf(e, before, ts)
	if !ok {
		return pipeline.Parsed{}, malformed("message_deleted", "no app, channel or ts")
	}
	r := p.read(e, before)
	if why := p.notForUs(at, r); why != "" {
		return ignored(why), nil
	}
	msg := p.message(e, before, at, r)
	msg.Text, msg.Files = "", nil // withdrawn
	msg.Kind, msg.Subject = chat.KindDeleted, at.id()
	msg.ID = at.id() + ":" + string(chat.KindDeleted)
	msg.SentAt = timeOr(firstTS(e.Event.EventTS, e.Event.TS), now)
	return pipeline.Parsed{Messages: []chat.Message{msg}}, nil
}

// parseStopped handles the Stop button of an agent session, which names a thread.
// In a direct message the thread may be a conversation of its own, or hold the
// answer to the line it hangs under; both are stopped.
func (p *Parser) parseStopped(e *envelope, now time.Time) (pipeline.Parsed, error) {
	ev := &e.Event
	at, ok := placeOf(e, &event{}, ev.ThreadTS)
	if !ok || !isID(ev.User) {
		return pipeline.Parsed{}, malformed("agent_session_stopped", "no app, channel, thread or user")
	}
	msg := p.message(e, ev, at, reading{toUs: true})
	msg.Kind = chat.KindStop
	pressed := firstTS(ev.EventTS)
	msg.SentAt = timeOr(pressed, now)
	msg.ID = at.id() + ":" + string(chat.KindStop) + ":" + pressed
	if !at.im {
		return pipeline.Parsed{Messages: []chat.Message{msg}}, nil
	}
	thread := msg
	thread.ID += ":thread"
	thread.Parent, thread.ParentTurn = &msg.Conversation, TimeOf(at.ts)
	thread.Conversation.Thread = at.ts
	msg.Subject = at.id()
	return pipeline.Parsed{Messages: []chat.Message{thread, msg}}, nil
}

// firstTS is the first of stamps that is a ts, "" if none is.
func firstTS(stamps ...string) string {
	for _, ts := range stamps {
		if !TimeOf(ts).IsZero() {
			return ts
		}
	}
	return ""
}

// timeOr is the time of ts, or now where there is none. Our clock never gets into
// an identity: a redelivery comes later.
func timeOr(ts string, now time.Time) time.Time {
	if t := TimeOf(ts); !t.IsZero() {
		return t
	}
	return now
}
