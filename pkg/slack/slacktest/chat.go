package slacktest

import (
	"encoding/json"
	"strings"
)

// place checks that the app may post to a channel and thread. It returns the
// channel's id, because a user's id stands for the direct message with them.
// s.mu is held.
func (s *Server) place(c *call) (channel, thread, code string) {
	channel, thread = c.arg("channel"), c.arg("thread_ts")
	if strings.HasPrefix(channel, "U") {
		channel = s.direct(channel)
	}
	ch := s.channels[channel]
	switch {
	case ch == nil:
		return "", "", "channel_not_found"
	case ch.Refuse != "":
		return "", "", ch.Refuse
	case thread == "":
		return channel, "", ""
	}
	root := s.findAny(channel, thread)
	switch {
	case root == nil:
		s.breach("%s: thread_ts %s is no message of %s", c.Method, thread, channel)
		return "", "", "thread_not_found"
	case root.ThreadTS != "" && root.ThreadTS != root.TS:
		s.breach("%s: thread_ts %s is a reply, not a root", c.Method, thread)
		return "", "", "invalid_thread_ts"
	case root.Deleted && !s.hasReplies(channel, thread):
		return channel, "", "" // Slack posts outside the vanished thread
	}
	return channel, thread, ""
}

func (s *Server) hasReplies(channel, root string) bool {
	for _, m := range s.messages {
		if m.Channel == channel && m.ThreadTS == root && !m.Deleted {
			return true
		}
	}
	return false
}

// content reads what a message is to show. s.mu is held.
func (s *Server) content(c *call, m *Message) (code string) {
	text, markdown := c.arg("text"), c.arg("markdown_text")
	blocks, code := s.checkBlocks(c.arg("blocks"))
	if code != "" {
		return code
	}
	switch {
	case markdown != "" && (text != "" || c.arg("blocks") != ""):
		s.breach("%s: markdown_text excludes text and blocks", c.Method)
		return "markdown_text_conflict"
	case chars(markdown) > maxMarkdown:
		s.breach("%s: markdown_text of %d characters", c.Method, chars(markdown))
		return "msg_too_long"
	case c.Method == "chat.update" && chars(text) > maxUpdateText:
		s.breach("%s: text of %d characters", c.Method, chars(text))
		return "msg_too_long"
	case text == "" && markdown == "" && len(decodeBlocks(blocks)) == 0:
		return "no_text"
	}
	if r := []rune(text); len(r) > maxPostText {
		s.breach("%s: text of %d characters was cut", c.Method, len(r))
		text = string(r[:maxPostText])
	}
	m.Fallback, m.Markdown, m.Blocks = text, markdown, blocks
	return s.metadata(c, m)
}

// metadata reads the metadata argument; absent leaves m's own. s.mu is held.
func (s *Server) metadata(c *call, m *Message) (code string) {
	raw := c.arg("metadata")
	switch {
	case raw == "":
		return ""
	case len(raw) > maxMetadata:
		s.breach("%s: metadata of %d bytes", c.Method, len(raw))
		return "metadata_too_large"
	}
	var md Metadata
	if err := json.Unmarshal([]byte(raw), &md); err != nil || (md.EventType == "" && raw != "{}") {
		s.breach("%s: metadata is malformed", c.Method)
		return "invalid_metadata_format"
	}
	m.Metadata = &md
	if md.EventType == "" {
		m.Metadata = nil
	}
	return ""
}

func (s *Server) postMessage(c *call) (answer, string) {
	channel, thread, code := s.place(c)
	if code != "" {
		return nil, code
	}
	m := s.own(channel, thread)
	m.Unfurls = !(c.arg("unfurl_links") == "false" && c.arg("unfurl_media") == "false")
	if code := s.content(c, m); code != "" {
		return nil, code
	}
	s.deliver(m)
	return answer{"channel": channel, "ts": m.TS, "message": s.wire(m, true)}, ""
}

// own begins a message of the app. s.mu is held.
func (s *Server) own(channel, thread string) *Message {
	return &Message{Channel: channel, ThreadTS: thread, User: s.opt.BotUser, BotID: s.opt.BotID, AppID: s.opt.AppID}
}

// deliver gives m its ts and shows it. A message of the app ends its status in
// that thread. s.mu is held.
func (s *Server) deliver(m *Message) {
	m.TS = s.nextTS()
	s.messages = append(s.messages, m)
	if m.BotID == s.opt.BotID && m.To == "" {
		delete(s.statuses, m.Channel+"/"+m.root())
	}
}

func (s *Server) postEphemeral(c *call) (answer, string) {
	channel, thread, code := s.place(c)
	if code != "" {
		return nil, code
	}
	if c.arg("user") == "" {
		s.breach("chat.postEphemeral: no user")
		return nil, "user_not_in_channel"
	}
	m := s.own(channel, thread)
	m.To = c.arg("user")
	if code := s.content(c, m); code != "" {
		return nil, code
	}
	s.deliver(m)
	return answer{"message_ts": m.TS}, ""
}

// editable finds a message the app may change. s.mu is held.
func (s *Server) editable(c *call, open, foreign string) (*Message, string) {
	s.settle()
	ch := s.channels[c.arg("channel")]
	if ch == nil {
		return nil, "channel_not_found"
	}
	if ch.Refuse != "" {
		return nil, ch.Refuse
	}
	m := s.find(c.arg("channel"), c.arg("ts"))
	switch {
	case m == nil:
		return nil, "message_not_found"
	case m.BotID != s.opt.BotID:
		s.breach("%s on somebody else's message", c.Method)
		return nil, foreign
	case m.Open:
		s.breach("%s on a stream that is open", c.Method)
		return nil, open
	}
	return m, ""
}

func (s *Server) update(c *call) (answer, string) {
	m, code := s.editable(c, "streaming_state_conflict", "cant_update_message")
	if code != "" {
		return nil, code
	}
	next := *m
	if code := s.content(c, &next); code != "" {
		return nil, code
	}
	next.Edits++
	next.Tasks, next.Plan = nil, "" // blocks like all others: an edit replaces them
	*m = next
	return answer{"channel": m.Channel, "ts": m.TS, "text": m.Fallback, "message": s.wire(m, true)}, ""
}

func (s *Server) deleteMessage(c *call) (answer, string) {
	m, code := s.editable(c, "cant_delete_message", "cant_delete_message")
	if code != "" {
		return nil, code
	}
	m.Deleted = true
	return answer{"channel": m.Channel, "ts": m.TS}, ""
}
