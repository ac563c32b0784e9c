package slacktest

import (
	"encoding/json"
	"strings"
)

// Channel is a place to talk.
type Channel struct {
	ID   string
	Type string // channel, group, im or mpim
	// Refuse is the error every post gets, such as is_archived.
	Refuse string
	// NoHistory makes reading fail for want of a scope.
	NoHistory bool
}

// SetChannel adds or changes a channel. Channels that people speak in exist
// without it.
func (s *Server) SetChannel(c Channel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.Type == "" {
		c.Type = typeOf(c.ID)
	}
	s.channels[c.ID] = &c
}

func typeOf(id string) string {
	switch {
	case strings.HasPrefix(id, "D"):
		return "im"
	case strings.HasPrefix(id, "G"):
		return "group"
	}
	return "channel"
}

// direct is the direct message between the app and a person. s.mu is held.
func (s *Server) direct(user string) string {
	id := "D" + strings.TrimPrefix(user, "U")
	if s.channels[id] == nil {
		s.channels[id] = &Channel{ID: id, Type: "im"}
	}
	return id
}

// Say posts a person's message; thread is empty or the root to reply under.
// files are ids from AddFile.
func (s *Server) Say(channel, thread, user, text string, files ...string) Message {
	return s.speak(&Message{Channel: channel, ThreadTS: thread, User: user, Fallback: text, Files: files})
}

// SayAsBot posts a message of another app, without metadata. If hologram is set
// it carries a block element that client libraries cannot decode.
func (s *Server) SayAsBot(channel, thread, text string, hologram bool) Message {
	m := &Message{Channel: channel, ThreadTS: thread, User: "U0OTHERBOT", BotID: "B0OTHERBOT", AppID: "A0OTHER001", Fallback: text}
	if hologram {
		m.Blocks, _ = json.Marshal(undecodable["blocks"])
	}
	return s.speak(m)
}

// SayAsParley posts a message of the app itself that no call made: a decoy. md
// may be nil.
func (s *Server) SayAsParley(channel, thread, text string, md *Metadata) Message {
	m := s.own(channel, thread)
	m.Fallback, m.Metadata = text, md
	return s.speak(m)
}

func (s *Server) speak(m *Message) Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.channels[m.Channel] == nil {
		s.channels[m.Channel] = &Channel{ID: m.Channel, Type: typeOf(m.Channel)}
	}
	s.deliver(m)
	return *m
}

// Remove deletes a message as its author or an administrator does.
func (s *Server) Remove(channel, ts string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.findAny(channel, ts); m != nil {
		m.Deleted, m.Open = true, false
	}
}
