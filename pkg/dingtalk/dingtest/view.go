package dingtest

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Message is something posted in a conversation. Direct conversations are named
// by the person's staff id.
type Message struct {
	Conversation string
	Via          string // "webhook" or "openapi"
	Type         string // "markdown" or "text"
	Title, Text  string
	Mentions     []string
	MentionsAll  bool
	Key          string // processQueryKey; webhook posts have none
	Recalled     bool
	At           time.Time
	order        int
}

// Post is one thing a person sees.
type Post struct {
	Text     string
	Title    string
	Via      string // "webhook", "openapi" or "card"
	State    string // of a card
	Mentions []string
	At       time.Time
	Params   map[string]string // of a card
	order    int
}

// Posts returns what people see in a conversation, in order.
func (s *Server) Posts(conversation string) []Post {
	s.mu.Lock()
	defer s.mu.Unlock()
	var posts []Post
	for _, m := range s.messages {
		if m.Conversation == conversation && !m.Recalled {
			posts = append(posts, Post{Text: m.Text, Title: m.Title, Via: m.Via, Mentions: m.Mentions, At: m.At, order: m.order})
			if m.MentionsAll {
				posts[len(posts)-1].Mentions = append(slices.Clone(m.Mentions), "all")
			}
		}
	}
	for _, c := range s.cards {
		if c.Conversation == conversation && c.Delivered {
			posts = append(posts, Post{Text: c.Content, Via: "card", State: c.State, Mentions: c.Mentions, At: c.CreatedAt, Params: maps.Clone(c.Params), order: c.order})
		}
	}
	slices.SortStableFunc(posts, func(a, b Post) int { return cmp.Compare(a.order, b.order) })
	return posts
}

// Card returns a copy of the card with an outTrackId.
func (s *Server) Card(outTrackID string) (Card, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.cards[outTrackID]
	if c == nil {
		return Card{}, false
	}
	return *c, true
}

// Cards returns the outTrackIds of all cards.
func (s *Server) Cards() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.SortedFunc(maps.Keys(s.cards), cmp.Compare[string])
}

// Reactions returns what marks the message with msgID.
func (s *Server) Reactions(msgID string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.reactions[msgID])
}

// Calls returns how often endpoint was called.
func (s *Server) Calls(endpoint string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[endpoint]
}

// Violations returns what DingTalk would hold against its caller.
func (s *Server) Violations() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.violations)
}

// CardCallbackURL returns where presses on cards of a route key are sent.
func (s *Server) CardCallbackURL(routeKey string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.routes[routeKey]
}

// AddFile makes data downloadable by code.
func (s *Server) AddFile(code string, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[code] = data
}

// Lists that batchSend names people in whom it did not reach.
const (
	Invalid        = "invalidStaffIdList"
	FlowControlled = "flowControlledStaffIdList"
	Filtered       = "filteredStaffIdList"
)

// Refuse makes batchSend put staff into one of its lists; "" ends that.
func (s *Server) Refuse(staff, list string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused[staff] = list
}

// Undeliver makes the next n cards be created without being delivered.
func (s *Server) Undeliver(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.undeliver = n
}
