package slacksocket

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
	"parley/pkg/slack"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// running is a running receiver and what it was told.
type running struct {
	*Receiver
	accepted chan chat.Message
	stop     func() error
	mu       sync.Mutex
	refuse   func(chat.Message) error // stands in for a queue that fails
}

func start(t *testing.T, f *fake, adjust func(*Config)) *running {
	t.Helper()
	parser, err := slack.NewParser(slack.Config{Secrets: func() []string { return nil }, FollowUps: true})
	if err != nil {
		t.Fatal(err)
	}
	r := &running{accepted: make(chan chat.Message, 64)}
	cfg := Config{
		AppToken: "xapp-test", APIURL: f.URL + "/api/", Parser: parser,
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)), PingTimeout: patience,
		Accept: func(_ context.Context, p pipeline.Parsed) error {
			for _, m := range p.Messages {
				r.mu.Lock()
				refuse := r.refuse
				r.mu.Unlock()
				if refuse != nil {
					if err := refuse(m); err != nil {
						return err
					}
				}
				r.accepted <- m
			}
			return nil
		},
	}
	if adjust != nil {
		adjust(&cfg)
	}
	r.Receiver = New(cfg)
	r.pace.first = 2 * time.Millisecond
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	r.stop = sync.OnceValue(func() error {
		cancel()
		select {
		case err := <-done:
			return err
		case <-time.After(patience):
			return errors.New("did not stop")
		}
	})
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func TestReceive(t *testing.T) {
	f := newFake(t)
	r := start(t, f, nil)
	l := next(t, f.links, "connection")
	l.event("e1", "1780000000.000100", "What is SQS?")
	if a := next(t, l.acks, "ack"); a.EnvelopeID != "e1" || a.Payload != nil {
		t.Errorf("acknowledged %+v", a)
	}
	if m := next(t, r.accepted, "message"); m.ID != "slack:A0APP:D0DM:1780000000.000100" || m.Text != "What is SQS?" {
		t.Errorf("accepted %+v", m)
	}
	if s := r.Status(); !s.Connected || s.Connections != 1 || s.LastHeard.IsZero() || s.Err != "" {
		t.Errorf("status %+v", s)
	}
}

// TestUndecodable checks that what slack-go cannot decode is delivered all the
// same, and that what nobody can is acknowledged so that it does not come again.
func TestUndecodable(t *testing.T) {
	f := newFake(t)
	r := start(t, f, nil)
	l := next(t, f.links, "connection")
	for id, more := range map[string]string{
		"e1": `,"blocks":[{"type":"actions","elements":[{"type":"hologram"}]}]`,
		"e2": `,"files":"none"`,
		"e3": `,"attachments":{"a":1}`,
	} {
		l.envelope(id, "events_api", eventPayload("1780000000.00010"+id[1:], "hi", more))
		if m := next(t, r.accepted, "message"); m.Text != "hi" {
			t.Errorf("%s: accepted %+v", id, m)
		}
		if a := next(t, l.acks, "ack"); a.EnvelopeID != id {
			t.Errorf("acknowledged %+v", a)
		}
	}
	for id, payload := range map[string]string{
		"e4": `{"type":"event_callback","event":{"type":"from_the_future"}}`,
		"e5": `{"type":"event_callback","event":{"type":"message","user":"U0ANN","channel_type":"im"}}`,
		"e6": `"text"`, "e7": `null`, "e8": `[]`,
	} {
		l.envelope(id, "events_api", payload)
		if a := next(t, l.acks, "ack"); a.EnvelopeID != id {
			t.Errorf("acknowledged %+v", a)
		}
	}
	l.envelope("e9", "from_the_future", `{}`)
	if a := next(t, l.acks, "ack"); a.EnvelopeID != "e9" {
		t.Errorf("acknowledged %+v", a)
	}
	for _, frame := range []string{`{"type":"events_api"}`, `{"type":3}`, `[]`, `nonsense`} {
		l.send(frame)
	}
	l.event("e10", "1780000000.000200", "still there?")
	if a := next(t, l.acks, "ack"); a.EnvelopeID != "e10" {
		t.Errorf("acknowledged %+v", a)
	}
	if len(r.accepted) != 1 {
		t.Errorf("%d messages accepted", len(r.accepted))
	}
}

// TestNotDurable checks that an envelope whose message could not be queued is not
// acknowledged, and that its redelivery is the same message.
func TestNotDurable(t *testing.T) {
	f := newFake(t)
	r := start(t, f, nil)
	broken := true
	r.mu.Lock()
	r.refuse = func(m chat.Message) error {
		if broken && m.Text == "first" {
			broken = false
			return errors.New("queue is down")
		}
		return nil
	}
	r.mu.Unlock()
	l := next(t, f.links, "connection")
	l.event("e1", "1780000000.000100", "first")
	l.event("e2", "1780000000.000200", "second")
	if a := next(t, l.acks, "ack"); a.EnvelopeID != "e2" {
		t.Fatalf("acknowledged %+v", a)
	}
	l.event("e3", "1780000000.000100", "first") // Slack tries again
	if a := next(t, l.acks, "ack"); a.EnvelopeID != "e3" {
		t.Fatalf("acknowledged %+v", a)
	}
	next(t, r.accepted, "second message")
	if m := next(t, r.accepted, "first message"); m.ID != "slack:A0APP:D0DM:1780000000.000100" {
		t.Errorf("accepted %+v", m)
	}
}

// TestDuplicate checks that an envelope that comes twice is one message, which the
// queue absorbs, and acknowledged twice.
func TestDuplicate(t *testing.T) {
	f := newFake(t)
	r := start(t, f, nil)
	l := next(t, f.links, "connection")
	l.event("e1", "1780000000.000100", "hi")
	l.event("e1", "1780000000.000100", "hi")
	for range 2 {
		if a := next(t, l.acks, "ack"); a.EnvelopeID != "e1" {
			t.Errorf("acknowledged %+v", a)
		}
	}
	if a, b := next(t, r.accepted, "message"), next(t, r.accepted, "message"); a.ID != b.ID {
		t.Errorf("%s and %s", a.ID, b.ID)
	}
}

// TestOrder checks that the lines of one conversation are handed on as they came.
func TestOrder(t *testing.T) {
	f := newFake(t)
	r := start(t, f, nil)
	l := next(t, f.links, "connection")
	for i := range 40 {
		l.event("e", slack.TSOf(time.Unix(1780000000, int64(i)*1000)), "hi")
	}
	var last time.Time
	for range 40 {
		m := next(t, r.accepted, "message")
		if !m.SentAt.After(last) {
			t.Fatalf("%v after %v", m.SentAt, last)
		}
		last = m.SentAt
	}
}

// TestCommand checks that the immediate answer to a slash command travels with
// the acknowledgement.
func TestCommand(t *testing.T) {
	f := newFake(t)
	r := start(t, f, nil)
	l := next(t, f.links, "connection")
	l.envelope("e1", "slash_commands", `{"api_app_id":"A0APP","team_id":"T0HOME","channel_id":"C0CHAN","user_id":"U0ANN","command":"/parley",`+
		`"text":"what is SQS?","trigger_id":"1.2.x","response_url":"https://hooks.slack.com/commands/1"}`)
	a := next(t, l.acks, "ack")
	var said struct {
		Type string `json:"response_type"`
		Text string `json:"text"`
	}
	if err := json.Unmarshal(a.Payload, &said); err != nil || said.Type != "ephemeral" || said.Text == "" {
		t.Errorf("acknowledged with %s, %v", a.Payload, err)
	}
	if m := next(t, r.accepted, "message"); m.Kind != chat.KindAsk || m.Text != "what is SQS?" {
		t.Errorf("accepted %+v", m)
	}
	value, err := slack.ButtonValue{Subject: slack.MessageID("A0APP", "C0CHAN", "1780000000.000100"), Fence: 7}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	quoted, _ := json.Marshal(value)
	l.envelope("e2", "interactive", `{"type":"block_actions","api_app_id":"A0APP","user":{"id":"U0ANN"},"container":{"channel_id":"C0CHAN","message_ts":"1780000001.000500"},`+
		`"actions":[{"type":"button","action_id":"`+slack.ActionStop+`","value":`+string(quoted)+`,"action_ts":"1780000002.000000"}]}`)
	if m := next(t, r.accepted, "message"); m.Kind != chat.KindStop {
		t.Errorf("accepted %+v", m)
	}
	if a := next(t, l.acks, "ack"); a.EnvelopeID != "e2" || a.Payload != nil {
		t.Errorf("acknowledged %+v", a)
	}
}

// TestReconnect checks that the connection comes back when Slack asks for it,
// when it breaks, and when it goes silent.
func TestReconnect(t *testing.T) {
	for name, end := range map[string]func(*link){
		"asked":  func(l *link) { l.send(`{"type":"disconnect","reason":"refresh_requested","debug_info":{"host":"h"}}`) },
		"broken": func(l *link) { _ = l.conn.UnderlyingConn().Close() },
		"silent": func(*link) {},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.silent = name == "silent"
			r := start(t, f, func(c *Config) {
				if name == "silent" {
					c.PingTimeout = 50 * time.Millisecond
				}
			})
			end(next(t, f.links, "connection"))
			l := next(t, f.links, "second connection")
			if name == "silent" {
				return // the second one is silent, too
			}
			l.event("e1", "1780000000.000100", "hi")
			next(t, r.accepted, "message")
			if a := next(t, l.acks, "ack"); a.EnvelopeID != "e1" {
				t.Errorf("acknowledged %+v", a)
			}
			if s := r.Status(); s.Connections != 2 || !s.Connected {
				t.Errorf("status %+v", s)
			}
		})
	}
}

// TestOutage checks that failures to connect, a 429 and a token refused after it
// once worked among them, are outlived.
func TestOutage(t *testing.T) {
	f := newFake(t)
	f.answer = func(opened int, w http.ResponseWriter) bool {
		switch opened {
		case 1, 4:
			w.WriteHeader(http.StatusBadGateway)
		case 2:
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
		case 5:
			_, _ = io.WriteString(w, `{"ok":false,"error":"invalid_auth"}`)
		case 6:
			_, _ = io.WriteString(w, `{"ok":true,"url":"ws`+strings.TrimPrefix(f.URL, "http")+`/link?ticket=used"}`)
		default:
			return false
		}
		return true
	}
	r := start(t, f, nil)
	_ = next(t, f.links, "connection").conn.UnderlyingConn().Close()
	l := next(t, f.links, "second connection")
	l.event("e1", "1780000000.000100", "hi")
	next(t, r.accepted, "message")
	if s := r.Status(); !s.Connected || s.Err != "" {
		t.Errorf("status %+v", s)
	}
}

// TestRefused checks that a token that never worked ends the receiver with a
// plain error.
func TestRefused(t *testing.T) {
	f := newFake(t)
	r := New(Config{AppToken: "xapp-wrong", APIURL: f.URL + "/api/", Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	err := r.Run(t.Context())
	if e := pipeline.Classify(err); err == nil || !e.Permanent || e.Reason != pipeline.ReasonConfig {
		t.Fatalf("ended with %v", err)
	}
	if strings.Contains(err.Error(), "xapp") {
		t.Errorf("the error tells the token: %v", err)
	}
}

// TestDrain checks that at the end what is being made durable is finished and
// acknowledged, and that what comes later is left for redelivery.
func TestDrain(t *testing.T) {
	f := newFake(t)
	r := start(t, f, nil)
	entered, release := make(chan struct{}), make(chan struct{})
	r.mu.Lock()
	r.refuse = func(chat.Message) error {
		close(entered)
		<-release
		return nil
	}
	r.mu.Unlock()
	l := next(t, f.links, "connection")
	l.event("e1", "1780000000.000100", "hi")
	next(t, entered, "message")
	stopped := make(chan error, 1)
	go func() { stopped <- r.stop() }()
	select {
	case err := <-stopped:
		t.Fatalf("stopped in the middle: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	l.event("e2", "1780000000.000200", "too late")
	close(release)
	if err := next(t, stopped, "end"); err != nil {
		t.Fatal(err)
	}
	next(t, l.gone, "end of the connection")
	close(l.acks)
	var acked []string
	for a := range l.acks {
		acked = append(acked, a.EnvelopeID)
	}
	if len(acked) != 1 || acked[0] != "e1" || len(r.accepted) != 1 {
		t.Errorf("acknowledged %v, accepted %d", acked, len(r.accepted))
	}
}

// TestSeveral checks that two receivers share the work of one app.
func TestSeveral(t *testing.T) {
	f := newFake(t)
	a, b := start(t, f, nil), start(t, f, nil)
	for i := range 2 {
		l := next(t, f.links, "connection")
		l.event("e", slack.TSOf(time.Unix(1780000000, int64(i)*1000)), "hi")
		next(t, l.acks, "ack")
	}
	if len(a.accepted) != 1 || len(b.accepted) != 1 {
		t.Errorf("accepted %d and %d", len(a.accepted), len(b.accepted))
	}
}

func TestPacer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pacer{first: firstWait}
		if d := p.wait(time.Now()); d != 0 {
			t.Errorf("the first opening waits %v", d)
		}
		for i, most := range []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, longWait, longWait} {
			if d := p.wait(time.Now()); d < most/2 || d > most {
				t.Errorf("after %d failures the wait is %v, want up to %v", i+1, d, most)
			}
		}
		p.connected(time.Now())
		time.Sleep(settled - 1)
		if d := p.wait(time.Now()); d < longWait/2 {
			t.Errorf("after a short connection the wait is %v", d)
		}
		p.connected(time.Now())
		time.Sleep(settled)
		if d := p.wait(time.Now()); d != 0 {
			t.Errorf("after a good connection the wait is %v", d)
		}
		p.notBefore(time.Now().Add(time.Minute))
		if d := p.wait(time.Now()); d != time.Minute {
			t.Errorf("after a 429 the wait is %v", d)
		}
	})
}
