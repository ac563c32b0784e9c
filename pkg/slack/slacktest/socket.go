package slacktest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

const (
	linkPath  = "/link"
	pingEvery = 5 * time.Second // a client gives up after 30 s without
	ackLimit  = 20 << 10        // bytes; Slack drops larger acknowledgements without a word
)

// socket is the Socket Mode side of a Server
// (docs.slack.dev/apis/events-api/using-socket-mode).
type socket struct {
	tickets map[string]bool // urls given out and not used
	links   []*link
	pushes  []*push
	serving sync.WaitGroup
}

// push is something to deliver until it is acknowledged.
type push struct {
	id, kind string
	payload  json.RawMessage
	due      bool // to be sent, for the first time or again
	tries    int
	acked    bool
}

// link is one connected client.
type link struct {
	s       *Server
	ws      *websocket.Conn
	mu      sync.Mutex // one writer at a time
	leaving bool       // told to disconnect; gets nothing new. Guarded by s.mu
}

// openConnection implements apps.connections.open, which gives out a url that
// works once.
func (s *Server) openConnection(*call) (answer, string) {
	if s.base == "" {
		return nil, "internal_error" // there are no sockets through Transport
	}
	ticket := s.id("ticket")
	if s.socket.tickets == nil {
		s.socket.tickets = map[string]bool{}
	}
	s.socket.tickets[ticket] = true
	return answer{"url": "ws" + strings.TrimPrefix(s.base, "http") + linkPath + "?ticket=" + ticket}, ""
}

// serveSocket serves one connection until it ends.
func (s *Server) serveSocket(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	ticket := r.URL.Query().Get("ticket")
	valid := s.socket.tickets[ticket]
	delete(s.socket.tickets, ticket)
	if !valid {
		s.breach("a socket is opened with a url that was not given out, or for the second time")
	}
	s.mu.Unlock()
	if !valid {
		http.Error(w, "ticket", http.StatusForbidden)
		return
	}
	upgrader := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }} // clients say Slack's own
	ws, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	l := &link{s: s, ws: ws}
	s.mu.Lock()
	s.socket.serving.Add(1)
	defer s.socket.serving.Done()
	s.socket.links = append(s.socket.links, l)
	connections := len(s.socket.links)
	s.mu.Unlock()
	l.write(answer{
		"type": "hello", "num_connections": connections, "connection_info": answer{"app_id": s.opt.AppID},
		"debug_info": answer{"host": "applink-test", "approximate_connection_time": 18060},
	})
	s.flush()
	l.live()
	s.mu.Lock()
	s.socket.links = slices.DeleteFunc(s.socket.links, func(other *link) bool { return other == l })
	for _, p := range s.socket.pushes {
		p.due = p.due || !p.acked
	}
	s.mu.Unlock()
	s.flush()
}

// live takes acknowledgements until the connection ends.
func (l *link) live() {
	defer l.ws.Close()
	done := make(chan struct{})
	var pinging sync.WaitGroup
	pinging.Go(func() { l.ping(done) })
	defer pinging.Wait()
	defer close(done)
	for {
		_, data, err := l.ws.ReadMessage()
		if err != nil {
			return
		}
		l.s.acknowledged(data)
	}
}

func (l *link) ping(done <-chan struct{}) {
	ticker := time.NewTicker(pingEvery)
	defer ticker.Stop()
	for {
		select {
		case <-done:
			return
		case <-ticker.C:
			_ = l.ws.WriteControl(websocket.PingMessage, []byte("Ping from applink-test"), time.Now().Add(time.Second))
		}
	}
}

// write sends a frame; a client that cannot take it is gone, which live notices.
func (l *link) write(frame answer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.ws.WriteJSON(frame)
}

func (s *Server) acknowledged(data []byte) {
	var ack struct {
		ID string `json:"envelope_id"`
	}
	err := json.Unmarshal(data, &ack)
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.socket.pushes, func(p *push) bool { return p.id == ack.ID })
	switch {
	case err != nil || i < 0:
		s.breach("what was never sent is acknowledged")
	case len(data) > ackLimit:
		s.breach("an acknowledgement of %d bytes: Slack drops it", len(data))
	default:
		s.socket.pushes[i].acked = true
	}
}

// Push delivers what in would bring over HTTP to a connected client. While nobody
// is connected it waits; what is not acknowledged when a connection ends comes
// again over another.
func (s *Server) Push(in Inbound) {
	p := &push{kind: "events_api", due: true, payload: json.RawMessage(in.Body)}
	if in.Path != "/slack/events" {
		form, _ := url.ParseQuery(string(in.Body)) // our own
		p.kind, p.payload = "interactive", json.RawMessage(form.Get("payload"))
		if in.Path == "/slack/commands" {
			fields := answer{}
			for name := range form {
				fields[name] = form.Get(name)
			}
			p.kind = "slash_commands"
			p.payload, _ = json.Marshal(fields) // strings always marshal
		}
	}
	s.mu.Lock()
	p.id = s.id("envelope")
	s.socket.pushes = append(s.socket.pushes, p)
	s.mu.Unlock()
	s.flush()
}

// flush sends what was not sent yet, over the newest connection.
func (s *Server) flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	var to *link
	for _, l := range s.socket.links {
		if !l.leaving {
			to = l
		}
	}
	for _, p := range s.socket.pushes {
		if to == nil || !p.due {
			continue
		}
		reason := ""
		if p.tries > 0 {
			reason = "timeout"
		}
		to.write(answer{
			"envelope_id": p.id, "type": p.kind, "payload": p.payload, "accepts_response_payload": p.kind != "events_api",
			"retry_attempt": p.tries, "retry_reason": reason,
		})
		p.tries++
		p.due = false
	}
}

// Refresh tells every connected client to connect anew, as Slack does every few
// hours. Nothing more comes over the old connections.
func (s *Server) Refresh() {
	s.mu.Lock()
	links := slices.Clone(s.socket.links)
	for _, l := range links {
		l.leaving = true
	}
	s.mu.Unlock()
	for _, l := range links {
		l.write(answer{"type": "disconnect", "reason": "refresh_requested", "debug_info": answer{"host": "applink-test"}})
	}
}

// Connections is how many clients are connected and were not told to leave.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, l := range s.socket.links {
		if !l.leaving {
			n++
		}
	}
	return n
}

// Unacked is how much of what was pushed is not acknowledged.
func (s *Server) Unacked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, p := range s.socket.pushes {
		if !p.acked {
			n++
		}
	}
	return n
}

// hangUp ends every connection and waits for it.
func (s *Server) hangUp() {
	s.mu.Lock()
	s.socket.tickets = nil
	for _, l := range s.socket.links {
		_ = l.ws.Close() // its reader notices
	}
	s.mu.Unlock()
	s.socket.serving.Wait()
}
