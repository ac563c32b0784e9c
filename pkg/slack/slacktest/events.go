package slacktest

import (
	"cmp"
	"net/url"
	"strings"
)

// base is what all events about m share. s.mu is held.
func (s *Server) event(kind string, m Message) answer {
	e := answer{
		"type": kind, "user": m.User, "text": m.Fallback, "ts": m.TS, "channel": m.Channel, "event_ts": m.TS,
		"team": s.opt.Team, "user_team": s.opt.Team, "client_msg_id": "c-" + m.TS,
	}
	if m.ThreadTS != "" {
		e["thread_ts"] = m.ThreadTS
	}
	if m.BotID != "" {
		e["bot_id"], e["app_id"] = m.BotID, m.AppID
	}
	var files []answer
	for _, id := range m.Files {
		files = append(files, s.eventFile(s.files[id]))
	}
	if files != nil {
		e["files"], e["upload"] = files, false
	}
	return e
}

// EventMention is the app_mention for a message whose text mentions the app.
func (s *Server) EventMention(m Message) Inbound {
	s.mu.Lock()
	e := s.event("app_mention", m)
	s.mu.Unlock()
	return s.Event(e)
}

// EventMessage is the message event for m: of a direct message the only one, in
// a channel the twin of its mention.
func (s *Server) EventMessage(m Message) Inbound {
	s.mu.Lock()
	e := s.event("message", m)
	e["channel_type"] = typeOf(m.Channel)
	if c := s.channels[m.Channel]; c != nil {
		e["channel_type"] = c.Type
	}
	if len(m.Files) > 0 {
		e["subtype"] = "file_share"
	}
	s.mu.Unlock()
	return s.Event(e)
}

// EventChanged is the message_changed for m, which now reads text.
func (s *Server) EventChanged(m Message, text string) Inbound {
	s.mu.Lock()
	previous, now := s.event("message", m), s.event("message", m)
	now["text"] = text
	now["edited"] = answer{"user": m.User, "ts": s.nextTS()}
	if kept := s.findAny(m.Channel, m.TS); kept != nil {
		kept.Fallback = text
		kept.Edits++
	}
	e := s.hidden("message_changed", m)
	e["message"], e["previous_message"] = now, previous
	s.mu.Unlock()
	return s.Event(e)
}

// EventDeleted deletes m and is the message_deleted for it.
func (s *Server) EventDeleted(m Message) Inbound {
	s.Remove(m.Channel, m.TS)
	s.mu.Lock()
	e := s.hidden("message_deleted", m)
	e["deleted_ts"], e["previous_message"] = m.TS, s.event("message", m)
	s.mu.Unlock()
	return s.Event(e)
}

func (s *Server) hidden(subtype string, m Message) answer {
	ts := s.nextTS()
	return answer{
		"type": "message", "subtype": subtype, "hidden": true, "channel": m.Channel, "channel_type": typeOf(m.Channel),
		"ts": ts, "event_ts": ts,
	}
}

// EventStopped is what Slack sends when a person presses Stop; it ends the
// thread's streams.
func (s *Server) EventStopped(channel, root, user string) Inbound {
	stopped := s.PressStop(channel, root)
	s.mu.Lock()
	ts := s.nextTS()
	s.mu.Unlock()
	return s.Event(answer{
		"type": "agent_session_stopped", "channel": channel, "thread_ts": root, "user": user,
		"streaming_message_ts": append([]string{}, stopped...), "event_ts": ts,
	})
}

// EventSlash is a slash command with its own response url.
func (s *Server) EventSlash(command, text, channel, user string) Inbound {
	s.mu.Lock()
	v := url.Values{
		"token": {"unused"}, "team_id": {s.opt.Team}, "team_domain": {"acme"}, "channel_id": {channel}, "channel_name": {"room"},
		"user_id": {user}, "user_name": {strings.ToLower(user)}, "command": {command}, "text": {text},
		"api_app_id": {s.opt.AppID}, "is_enterprise_install": {"false"},
		"response_url": {s.newHook("commands", channel, "", user, nil)}, "trigger_id": {s.trigger()},
	}
	s.mu.Unlock()
	return s.form("/slack/commands", v)
}

// EventAction is the press of button b under m by a person.
func (s *Server) EventAction(m Message, b Button, user string) Inbound {
	s.mu.Lock()
	action := answer{
		"type": b.Type, "action_id": b.ActionID, "block_id": cmp.Or(b.BlockID, "b1"), "value": b.Value, "action_ts": s.nextTS(),
		"text": answer{"type": "plain_text", "text": b.Text},
	}
	container := answer{"type": "message", "message_ts": m.TS, "channel_id": m.Channel, "is_ephemeral": m.To != ""}
	if m.ThreadTS != "" {
		container["thread_ts"] = m.ThreadTS
	}
	payload := s.press("block_actions", m, user)
	if m.To != "" {
		delete(payload, "message") // Slack does not keep ephemeral messages
	}
	payload["container"], payload["actions"] = container, []any{action}
	s.mu.Unlock()
	return s.interaction(payload)
}

// EventShortcut is a message shortcut used on m.
func (s *Server) EventShortcut(m Message, callbackID, user string) Inbound {
	s.mu.Lock()
	payload := s.press("message_action", m, user)
	payload["callback_id"], payload["message_ts"], payload["action_ts"] = callbackID, m.TS, s.nextTS()
	s.mu.Unlock()
	return s.interaction(payload)
}

// press is what interactions on a message share. s.mu is held.
func (s *Server) press(kind string, m Message, user string) answer {
	return answer{
		"type": kind, "token": "unused", "api_app_id": s.opt.AppID, "trigger_id": s.trigger(), "enterprise": nil,
		"is_enterprise_install": false,
		"user":                  answer{"id": user, "username": strings.ToLower(user), "name": strings.ToLower(user), "team_id": s.opt.Team},
		"team":                  answer{"id": s.opt.Team, "domain": "acme"},
		"channel":               answer{"id": m.Channel, "name": "room"},
		"message":               s.wire(&m, true),
		"response_url":          s.newHook("actions", m.Channel, m.ThreadTS, user, s.original(m)),
	}
}

// original is the stored message that replace_original replaces. s.mu is held.
func (s *Server) original(m Message) *Message {
	for _, k := range s.messages {
		if k.Channel == m.Channel && k.TS == m.TS && k.To == m.To {
			return k
		}
	}
	return nil
}
