package dingtest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

// Topics of the Stream gateway.
const (
	TopicMessage = "/v1.0/im/bot/messages/get"
	TopicCard    = "/v1.0/card/instances/callback"
)

const (
	connectPath = "/connect"
	ticketLife  = 90 * time.Second
	goodbye     = 10 * time.Second // from a disconnect frame to the end of the link
)

// gateway is the Stream side of a Server.
type gateway struct {
	tickets  map[string]ticket
	links    []*link
	pushes   []*push
	byFrame  map[string]*push
	pings    map[string]*ping
	acks     []Ack
	loseAcks int
	turn     int
	closed   bool
	pipes    *pipes
}

type ticket struct {
	expires time.Time
	topics  []string
}

// push is something to deliver until it is acknowledged.
type push struct {
	topic, data string
	done        bool
	tries       int
	sentAt      time.Time
	via         map[string]*link // frame ids, and the link each went over
	timer       *time.Timer
}

type ping struct {
	sentAt time.Time
	echoed time.Duration
	done   bool
}

// Ack is an answer of the connected client to a frame.
type Ack struct {
	Frame string
	Code  int
	Data  string
	After time.Duration // since the frame was sent
}

// frame is a message to the client.
type frame struct {
	SpecVersion string            `json:"specVersion"`
	Type        string            `json:"type"`
	Headers     map[string]string `json:"headers"`
	Data        string            `json:"data"`
}

// open implements the gateway's open call. Without the Accept header DingTalk
// may answer in XML.
func (s *Server) open(r *request) reply {
	if !strings.Contains(r.http.Header.Get("Accept"), "application/json") {
		return reply{http.StatusOK, []byte("<response/>")}
	}
	if r.str("clientId") != s.ClientID || r.str("clientSecret") != s.Secret {
		return refuse(http.StatusBadRequest, "invalidClientIdOrSecret")
	}
	var topics []string
	subs, _ := r.fields["subscriptions"].([]any)
	for _, sub := range subs {
		m, _ := sub.(map[string]any)
		topic, _ := m["topic"].(string)
		topics = append(topics, topic)
	}
	id := s.next("ticket") + "/+=" // must be escaped in a query
	if s.gateway.tickets == nil {
		s.gateway.tickets = map[string]ticket{}
	}
	s.gateway.tickets[id] = ticket{s.Now().Add(ticketLife), topics}
	endpoint := "ws" + strings.TrimPrefix(s.APIURL, "http") + connectPath
	return ok(map[string]any{"endpoint": endpoint, "ticket": id})
}

// redeem takes a ticket, which works once.
func (s *Server) redeem(id string) (ticket, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, known := s.gateway.tickets[id]
	if !known || !s.Now().Before(t.expires) || s.gateway.closed {
		s.violate("connect with a ticket that is unknown, used or old")
		return t, false
	}
	delete(s.gateway.tickets, id)
	return t, true
}

// connect serves one WebSocket until it ends.
func (s *Server) connect(w http.ResponseWriter, r *http.Request) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	t, valid := s.redeem(query.Get("ticket"))
	if err != nil || !valid {
		http.Error(w, "ticket", http.StatusUnauthorized)
		return
	}
	ws, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
	if err != nil {
		return
	}
	l := &link{s: s, ws: ws, topics: t.topics}
	ws.SetPingHandler(l.pong)
	s.mu.Lock()
	s.gateway.links = append(s.gateway.links, l)
	s.mu.Unlock()
	go s.flush()
	l.read()
	s.gone(l)
}

// Push delivers data to a connected client, once and again until it is
// acknowledged; while nobody is connected it waits.
func (s *Server) Push(topic string, data []byte) {
	p := &push{topic: topic, data: string(data), via: map[string]*link{}}
	s.mu.Lock()
	s.gateway.pushes = append(s.gateway.pushes, p)
	s.mu.Unlock()
	s.deliver(p)
}

// flush delivers what waits for a connection.
func (s *Server) flush() {
	s.mu.Lock()
	var waiting []*push
	for _, p := range s.gateway.pushes {
		if !p.done && p.tries == 0 {
			waiting = append(waiting, p)
		}
	}
	s.mu.Unlock()
	for _, p := range waiting {
		s.deliver(p)
	}
}

// deliver sends p under a new frame id over some link.
func (s *Server) deliver(p *push) {
	s.mu.Lock()
	l := s.pick(p.topic)
	if p.done || l == nil || s.gateway.closed {
		if !p.done {
			p.tries = 0 // waits for the next connection
		}
		s.mu.Unlock()
		return
	}
	id := s.next("frame")
	p.tries++
	p.sentAt = s.Now()
	p.via[id] = l
	if s.gateway.byFrame == nil {
		s.gateway.byFrame = map[string]*push{}
	}
	s.gateway.byFrame[id] = p
	if p.timer == nil {
		p.timer = time.AfterFunc(s.RedeliverAfter, func() { s.deliver(p) })
	} else {
		p.timer.Reset(s.RedeliverAfter)
	}
	f := s.frame("CALLBACK", p.topic, id, p.data)
	s.mu.Unlock()
	l.write(f)
}

func (s *Server) frame(kind, topic, id, data string) frame {
	return frame{"1.0", kind, map[string]string{
		"topic": topic, "messageId": id, "contentType": "application/json",
		"time": s.Now().UTC().Format("20060102150405"), "appId": "app-example", "connectionId": "conn-example",
	}, data}
}

// acked takes the client's answer to a frame.
func (s *Server) acked(l *link, raw []byte) {
	var a struct {
		Code    int               `json:"code"`
		Headers map[string]string `json:"headers"`
		Data    string            `json:"data"`
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := json.Unmarshal(raw, &a); err != nil {
		s.violate("acknowledgement is not JSON: %v", err)
		return
	}
	id := a.Headers["messageId"]
	if pg := s.gateway.pings[id]; pg != nil {
		pg.done, pg.echoed = true, s.Now().Sub(pg.sentAt)
		if !strings.Contains(a.Data, id) {
			s.violate("ping echoed without its data")
		}
		return
	}
	p := s.gateway.byFrame[id]
	if p == nil || p.via[id] != l {
		s.violate("acknowledgement of frame %q on a link it was not sent over", id)
		return
	}
	if s.gateway.loseAcks > 0 {
		s.gateway.loseAcks--
		return
	}
	s.gateway.acks = append(s.gateway.acks, Ack{id, a.Code, a.Data, s.Now().Sub(p.sentAt)})
	if a.Code == http.StatusOK && !p.done {
		p.done = true
		p.timer.Stop()
	}
}
