package dingtest

import (
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// link is one connected client.
type link struct {
	s      *Server
	ws     *websocket.Conn
	topics []string

	mu       sync.Mutex // one writer at a time
	leaving  bool       // told to disconnect; gets nothing new. Guarded by s.mu
	halfOpen bool       // hears and says nothing. Guarded by s.mu
}

func (l *link) read() {
	for {
		_, data, err := l.ws.ReadMessage()
		if err != nil {
			return
		}
		if !l.deaf() {
			l.s.acked(l, data)
		}
	}
}

func (l *link) deaf() bool {
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	return l.halfOpen
}

func (l *link) pong(data string) error {
	if l.deaf() {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.ws.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(time.Second))
	return nil
}

// write sends f; a link that cannot take it is gone, which its reader notices.
func (l *link) write(f frame) {
	if l.deaf() {
		return
	}
	data, err := json.Marshal(f)
	if err != nil {
		panic(err) // strings always marshal
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.ws.SetWriteDeadline(time.Now().Add(5 * time.Second))
	_ = l.ws.WriteMessage(websocket.TextMessage, data)
}

// pick returns a link that wants topic, each in its turn, nil if there is none.
func (s *Server) pick(topic string) *link {
	n := len(s.gateway.links)
	for range n {
		s.gateway.turn++
		if l := s.gateway.links[s.gateway.turn%n]; !l.leaving && slices.Contains(l.topics, topic) {
			return l
		}
	}
	return nil
}

func (s *Server) gone(l *link) {
	s.mu.Lock()
	s.gateway.links = slices.DeleteFunc(s.gateway.links, func(x *link) bool { return x == l })
	s.mu.Unlock()
	_ = l.ws.Close()
}

func (s *Server) snapshot() []*link {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.gateway.links)
}

// Disconnect asks every client to leave, as the gateway does before it rotates:
// nothing new is sent over its link, which ends ten seconds later.
func (s *Server) Disconnect() {
	for _, l := range s.snapshot() {
		s.mu.Lock()
		told := l.leaving
		l.leaving = true
		f := s.frame("SYSTEM", "disconnect", s.next("frame"), `{"reason":"connection is expired"}`)
		s.mu.Unlock()
		if told {
			continue
		}
		l.write(f)
		time.AfterFunc(goodbye, func() { _ = l.ws.Close() })
	}
}

// Drop breaks every connection without a word.
func (s *Server) Drop() {
	for _, l := range s.snapshot() {
		_ = l.ws.NetConn().Close()
	}
}

// HalfOpen makes every connection dead without either end being told.
func (s *Server) HalfOpen() {
	for _, l := range s.snapshot() {
		s.mu.Lock()
		l.halfOpen = true
		s.mu.Unlock()
	}
}

// Ping sends a SYSTEM ping over every link; opaque names it.
func (s *Server) Ping(opaque string) {
	for _, l := range s.snapshot() {
		s.mu.Lock()
		if s.gateway.pings == nil {
			s.gateway.pings = map[string]*ping{}
		}
		s.gateway.pings[opaque] = &ping{sentAt: s.Now()}
		f := s.frame("SYSTEM", "ping", opaque, `{"opaque":"`+opaque+`"}`)
		s.mu.Unlock()
		l.write(f)
	}
}

// Echoed returns how long the echo of a ping took, and whether it came.
func (s *Server) Echoed(opaque string) (time.Duration, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.gateway.pings[opaque]; p != nil {
		return p.echoed, p.done
	}
	return 0, false
}

// Connections returns how many clients are connected and not told to leave.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, l := range s.gateway.links {
		if !l.leaving {
			n++
		}
	}
	return n
}

// Acks returns every acknowledgement that arrived.
func (s *Server) Acks() []Ack {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.gateway.acks)
}

// Unacked returns how many pushes are not acknowledged.
func (s *Server) Unacked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, p := range s.gateway.pushes {
		if !p.done {
			n++
		}
	}
	return n
}

// Redelivered returns how many times a push was sent beyond its first time.
func (s *Server) Redelivered() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, p := range s.gateway.pushes {
		n += max(0, len(p.via)-1)
	}
	return n
}

// LoseAcks makes the next n acknowledgements get lost on the way.
func (s *Server) LoseAcks(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gateway.loseAcks = n
}
