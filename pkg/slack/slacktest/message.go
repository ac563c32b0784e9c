package slacktest

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Message is a message as the workspace holds it.
type Message struct {
	Channel  string
	TS       string
	ThreadTS string // "" outside threads; a root has none
	User     string
	BotID    string // set on every app's messages
	AppID    string
	To       string // the only person who sees an ephemeral message
	Fallback string // the text argument: notifications and screen readers
	Markdown string // markdown_text, or what a stream has gathered
	Blocks   json.RawMessage
	Tasks    []Task // what a stream shows of the work, apart from its text
	Plan     string // what stands above the tasks
	Metadata *Metadata
	Files    []string
	Edits    int
	Deleted  bool
	Streamed bool // began as a stream
	Open     bool // is a stream that has not ended
	Opened   time.Time
	Halted   bool // a person pressed Stop
	// Unfurls is true unless the poster turned links and media off.
	Unfurls bool
}

// Metadata is what an app attached to its message.
type Metadata struct {
	EventType    string         `json:"event_type"`
	EventPayload map[string]any `json:"event_payload"`
}

// Button is something to press under a message, or a field to write into: what is
// written is its Value then.
type Button struct {
	Type     string // button, feedback_buttons, icon_button or plain_text_input
	ActionID string
	BlockID  string // "" where the app left it to Slack
	Text     string
	Value    string
}

// Text is what a person reads: the streamed or posted Markdown, then the blocks;
// the plain text only where there is nothing else.
func (m Message) Text() string {
	var parts []string
	if m.Markdown != "" {
		parts = append(parts, m.Markdown)
	}
	for _, b := range decodeBlocks(m.Blocks) {
		if t := b.read(); t != "" {
			parts = append(parts, t)
		}
	}
	if len(parts) == 0 {
		return m.Fallback
	}
	return strings.Join(parts, "\n\n")
}

// Buttons are the buttons under m in reading order. A feedback element counts as
// two.
func (m Message) Buttons() []Button {
	var out []Button
	for _, b := range decodeBlocks(m.Blocks) {
		from := len(out)
		for _, e := range b.Elements {
			out = append(out, e.buttons()...)
		}
		for _, e := range []*element{b.Accessory, b.Element} {
			if e != nil {
				out = append(out, e.buttons()...)
			}
		}
		for i := range out[from:] {
			out[from+i].BlockID = b.BlockID
		}
	}
	return out
}

var pings = regexp.MustCompile(`<(![a-z]+|!subteam\^[A-Z0-9]+|[@#][A-Z0-9]+)[^<>\n]*>`)

// Pings are the mentions in m that would notify someone or link a channel.
func (m Message) Pings() []string {
	return slices.Concat(pings.FindAllString(m.Fallback, -1), pings.FindAllString(m.Text(), -1))
}

// root is the ts of the thread m is in or begins.
func (m Message) root() string {
	if m.ThreadTS != "" {
		return m.ThreadTS
	}
	return m.TS
}

// settle ends streams that have outlived Slack's patience. s.mu is held.
func (s *Server) settle() {
	now := s.opt.Now()
	for _, m := range s.messages {
		if m.Open && now.Sub(m.Opened) >= s.opt.StreamLife {
			m.Open = false
		}
	}
}

// find returns a message that has not been deleted. s.mu is held.
func (s *Server) find(channel, ts string) *Message {
	m := s.findAny(channel, ts)
	if m == nil || m.Deleted {
		return nil
	}
	return m
}

func (s *Server) findAny(channel, ts string) *Message {
	for _, m := range s.messages {
		if m.Channel == channel && m.TS == ts && m.To == "" {
			return m
		}
	}
	return nil
}

// Messages returns every message of a channel that people can see, oldest first.
func (s *Server) Messages(channel string) []Message {
	return s.collect(func(m *Message) bool { return m.Channel == channel && !m.Deleted })
}

// Thread returns the messages people see in a thread, oldest first, the root
// included.
func (s *Server) Thread(channel, root string) []Message {
	return s.collect(func(m *Message) bool { return m.Channel == channel && m.root() == root && !m.Deleted && m.To == "" })
}

// Answers returns the app's own messages in a thread that people see.
func (s *Server) Answers(channel, root string) []Message {
	return s.collect(func(m *Message) bool {
		return m.Channel == channel && m.ThreadTS == root && !m.Deleted && m.To == "" && m.BotID == s.opt.BotID
	})
}

// OpenStreams returns the streams that have not ended.
func (s *Server) OpenStreams() []Message {
	return s.collect(func(m *Message) bool { return m.Open && !m.Deleted })
}

// Message returns a message by its place, deleted or not.
func (s *Server) Message(channel, ts string) (Message, bool) {
	all := s.collect(func(m *Message) bool { return m.Channel == channel && m.TS == ts })
	if len(all) == 0 {
		return Message{}, false
	}
	return all[0], true
}

func (s *Server) collect(want func(*Message) bool) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
	var out []Message
	for _, m := range s.messages {
		if want(m) {
			out = append(out, *m)
		}
	}
	return out
}
