package slacksocket

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// fake is Slack as Socket Mode shows it: apps.connections.open and the socket
// behind the URL it gives out, which works once.
type fake struct {
	*httptest.Server
	links chan *link // connections, as they are made

	mu      sync.Mutex
	tickets map[string]bool
	opened  int
	answer  func(opened int, w http.ResponseWriter) bool // false: answer as usual
	silent  bool                                         // send no pings
}

// link is one connection as Slack sees it.
type link struct {
	conn *websocket.Conn
	acks chan ack
	gone chan struct{}
	mu   sync.Mutex
}

type ack struct {
	EnvelopeID string          `json:"envelope_id"`
	Payload    json.RawMessage `json:"payload"`
}

func newFake(t *testing.T) *fake {
	f := &fake{links: make(chan *link, 16), tickets: map[string]bool{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/apps.connections.open", f.open)
	mux.HandleFunc("GET /link", f.connect)
	f.Server = httptest.NewServer(mux)
	t.Cleanup(f.Close)
	return f
}

func (f *fake) open(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.opened++
	w.Header().Set("Content-Type", "application/json")
	switch {
	case f.answer != nil && f.answer(f.opened, w):
	case r.Header.Get("Authorization") != "Bearer xapp-test":
		_, _ = io.WriteString(w, `{"ok":false,"error":"invalid_auth"}`)
	default:
		ticket := fmt.Sprint("t", f.opened)
		f.tickets[ticket] = true
		_ = json.NewEncoder(w).Encode(map[string]any{
			"ok": true, "url": "ws" + strings.TrimPrefix(f.URL, "http") + "/link?ticket=" + ticket,
		})
	}
}

func (f *fake) connect(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	ticket := r.URL.Query().Get("ticket")
	valid := f.tickets[ticket]
	delete(f.tickets, ticket)
	silent := f.silent
	f.mu.Unlock()
	if !valid {
		http.Error(w, "used", http.StatusForbidden)
		return
	}
	upgrader := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	l := &link{conn: conn, acks: make(chan ack, 64), gone: make(chan struct{})}
	l.send(`{"type":"hello","num_connections":1,"connection_info":{"app_id":"A0APP"},"debug_info":{"host":"h"}}`)
	f.links <- l
	if !silent {
		go l.ping()
	}
	l.read()
}

func (l *link) read() {
	defer close(l.gone)
	defer l.conn.Close()
	for {
		var a ack
		if err := l.conn.ReadJSON(&a); err != nil {
			return
		}
		l.acks <- a
	}
}

func (l *link) ping() {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-l.gone:
			return
		case <-ticker.C:
			_ = l.conn.WriteControl(websocket.PingMessage, []byte("Ping from applink"), time.Now().Add(time.Second))
		}
	}
}

func (l *link) send(frame string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.conn.WriteMessage(websocket.TextMessage, []byte(frame))
}

// event sends an envelope with the message text of a direct message.
func (l *link) event(envelope, ts, text string) {
	l.envelope(envelope, "events_api", eventPayload(ts, text, ""))
}

func (l *link) envelope(id, kind, payload string) {
	l.send(fmt.Sprintf(`{"envelope_id":%q,"type":%q,"payload":%s,"accepts_response_payload":%t,"retry_attempt":0,"retry_reason":""}`,
		id, kind, payload, kind != "events_api"))
}

// eventPayload is a direct message; more is added to its inner event.
func eventPayload(ts, text, more string) string {
	return fmt.Sprintf(`{"type":"event_callback","team_id":"T0HOME","api_app_id":"A0APP","event_id":"Ev%s",`+
		`"authorizations":[{"team_id":"T0HOME","user_id":"U0BOT","is_bot":true}],"event":{"type":"message","channel_type":"im",`+
		`"channel":"D0DM","user":"U0ANN","ts":%q,"event_ts":%q,"text":%q%s}}`, ts, ts, ts, text, more)
}

const patience = 20 * time.Second

// next takes a value that is on its way.
func next[T any](t *testing.T, from <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatalf("no %s", what)
		panic("unreachable")
	}
}
