package slacktest

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

func (s *Server) authTest(*call) (answer, string) {
	return answer{
		"url": s.originLocked("acme.slack.com") + "/", "team": "Acme", "user": "parley", "team_id": s.opt.Team,
		"user_id": s.opt.BotUser, "bot_id": s.opt.BotID, "is_enterprise_install": false,
	}, ""
}

func (s *Server) userInfo(c *call) (answer, string) {
	id := c.arg("user")
	if id == "" {
		return nil, "user_not_found"
	}
	return answer{"user": answer{
		"id": id, "team_id": s.opt.Team, "name": "person-" + id, "real_name": "Person " + id,
		"tz": "Europe/Berlin", "locale": "en-US", "profile": answer{"display_name": "Person " + id},
	}}, ""
}

func (s *Server) info(c *call) (answer, string) {
	ch := s.channels[c.arg("channel")]
	if ch == nil {
		return nil, "channel_not_found"
	}
	return answer{"channel": answer{
		"id": ch.ID, "name": "room", "is_im": ch.Type == "im", "is_mpim": ch.Type == "mpim",
		"is_private": ch.Type != "channel", "is_member": ch.Refuse != "not_in_channel",
		"is_archived": ch.Refuse == "is_archived",
	}}, ""
}

// open is conversations.open for one person.
func (s *Server) open(c *call) (answer, string) {
	if c.arg("users") == "" {
		return nil, "users_list_not_supplied"
	}
	return answer{"channel": answer{"id": s.direct(c.arg("users"))}}, ""
}

// wire is m as Slack writes it. s.mu is held.
func (s *Server) wire(m *Message, metadata bool) answer {
	text := m.Fallback
	if text == "" {
		text = m.Markdown
	}
	a := answer{"type": "message", "user": m.User, "ts": m.TS, "text": text, "team": s.opt.Team}
	if m.ThreadTS != "" {
		a["thread_ts"] = m.ThreadTS
	} else if s.hasReplies(m.Channel, m.TS) {
		a["thread_ts"] = m.TS
	}
	if m.BotID != "" {
		a["bot_id"], a["app_id"] = m.BotID, m.AppID
	}
	if len(m.Blocks) > 0 {
		a["blocks"] = m.Blocks
	}
	if m.Streamed {
		a["streaming_state"] = map[bool]string{true: "in_progress", false: "completed"}[m.Open]
	}
	if m.Edits > 0 {
		a["edited"] = answer{"user": m.User, "ts": m.TS}
	}
	if metadata && m.Metadata != nil {
		a["metadata"] = m.Metadata
	}
	if len(m.Files) > 0 {
		var files []answer
		for _, id := range m.Files {
			files = append(files, s.fileObject(s.files[id]))
		}
		a["files"] = files
	}
	return a
}

// replies is conversations.replies: the root first, then replies oldest first,
// in pages.
func (s *Server) replies(c *call) (answer, string) {
	channel, root, code := s.readable(c)
	if code != "" {
		return nil, code
	}
	all := s.matching(c, func(m *Message) bool { return m.root() == root })
	if top := s.findAny(channel, root); top != nil && !slices.Contains(all, top) {
		all = slices.Insert(all, 0, top) // whatever the bounds, Slack shows the root
	}
	return s.page(c, all), ""
}

func (s *Server) readable(c *call) (channel, root, code string) {
	channel, root = c.arg("channel"), c.arg("ts")
	ch := s.channels[channel]
	switch {
	case ch == nil:
		return "", "", "channel_not_found"
	case ch.NoHistory:
		return "", "", "missing_scope"
	case ch.Refuse == "not_in_channel":
		return "", "", ch.Refuse
	}
	top := s.findAny(channel, root)
	if c.Method == "conversations.replies" && (top == nil || (top.Deleted && !s.hasReplies(channel, root))) {
		return "", "", "thread_not_found"
	}
	return channel, root, ""
}

func (s *Server) history(c *call) (answer, string) {
	if _, _, code := s.readable(c); code != "" {
		return nil, code
	}
	all := s.matching(c, func(m *Message) bool { return m.ThreadTS == "" })
	slices.Reverse(all)
	return s.page(c, all), ""
}

// matching selects messages by the bounds of a call, oldest first. s.mu is held.
func (s *Server) matching(c *call, want func(*Message) bool) []*Message {
	s.settle()
	oldest, latest := c.arg("oldest"), c.arg("latest")
	within := func(ts string) bool {
		after := compareTS(ts, oldest) > 0 || c.flag("inclusive") && ts == oldest
		before := latest == "" || compareTS(ts, latest) < 0 || c.flag("inclusive") && ts == latest
		return (oldest == "" || after) && before
	}
	var out []*Message
	for _, m := range s.messages {
		if m.Channel == c.arg("channel") && m.To == "" && !m.Deleted && within(m.TS) && want(m) {
			out = append(out, m)
		}
	}
	slices.SortStableFunc(out, func(a, b *Message) int { return compareTS(a.TS, b.TS) })
	return out
}

func compareTS(a, b string) int {
	x, _ := strconv.ParseFloat(a, 64)
	y, _ := strconv.ParseFloat(b, 64)
	return cmp.Compare(x, y)
}

// page cuts one page out of all. s.mu is held.
func (s *Server) page(c *call, all []*Message) answer {
	start := 0
	if cur := c.arg("cursor"); cur != "" {
		start, _ = strconv.Atoi(cur)
	}
	size := min(c.number("limit", s.opt.PageSize), s.opt.PageSize)
	end := min(start+size, len(all))
	messages := []answer{}
	for _, m := range all[min(start, end):end] {
		w := s.wire(m, c.flag("include_all_metadata"))
		if m.Deleted {
			w = answer{"type": "message", "subtype": "tombstone", "user": "USLACKBOT", "ts": m.TS, "text": "This message was deleted."}
		}
		messages = append(messages, w)
	}
	a := answer{"messages": messages, "has_more": end < len(all)}
	if end < len(all) {
		a["response_metadata"] = answer{"next_cursor": strconv.Itoa(end)}
	}
	return a
}

// Raw is a message as conversations.replies writes it, with metadata.
func (s *Server) Raw(channel, ts string) json.RawMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.findAny(channel, ts)
	if m == nil {
		return nil
	}
	data, _ := json.Marshal(s.wire(m, true))
	return data
}

func (s *Server) permalink(c *call) (answer, string) {
	if s.findAny(c.arg("channel"), c.arg("message_ts")) == nil {
		return nil, "message_not_found"
	}
	return answer{
		"channel":   c.arg("channel"),
		"permalink": "https://acme.slack.com/archives/" + c.arg("channel") + "/p" + strings.ReplaceAll(c.arg("message_ts"), ".", ""),
	}, ""
}
