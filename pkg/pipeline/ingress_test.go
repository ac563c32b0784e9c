package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

// parserFunc is a Parser made of a function.
type parserFunc func(pipeline.Request) (pipeline.Parsed, error)

func (f parserFunc) Parse(r pipeline.Request, _ time.Time) (pipeline.Parsed, error) { return f(r) }

// tray is an Outbox that keeps what it is sent, or refuses it.
type tray struct {
	sent []pipeline.Envelope
	err  error
}

func (t *tray) Send(_ context.Context, e pipeline.Envelope) error {
	if t.err == nil {
		t.sent = append(t.sent, e)
	}
	return t.err
}

func TestIngressAnswers(t *testing.T) {
	ask := chat.Message{ID: "m1", Kind: chat.KindAsk, Text: "hi"}
	stop := chat.Message{ID: "m2", Kind: chat.KindStop}
	tests := []struct {
		name              string
		method, path      string
		body              string
		parsed            pipeline.Parsed
		parseErr, sendErr error
		want              int
		requests, control int
	}{
		{name: "a question", path: "/p", parsed: pipeline.Parsed{Messages: []chat.Message{ask}}, want: 200, requests: 1},
		{name: "a stop", path: "/p", parsed: pipeline.Parsed{Messages: []chat.Message{stop}}, want: 200, control: 1},
		{name: "ignored", path: "/p", parsed: pipeline.Parsed{Ignored: "bot"}, want: 200},
		{name: "unsigned", path: "/p", parseErr: fmt.Errorf("no header: %w", pipeline.ErrUnauthorized), want: 401},
		{name: "malformed", path: "/p", parseErr: fmt.Errorf("json: %w", pipeline.ErrMalformed), want: 200},
		{name: "no secret to judge it with", path: "/p", parseErr: errors.New("no secret"), want: 503},
		{name: "not durable", path: "/p", parsed: pipeline.Parsed{Messages: []chat.Message{ask}}, sendErr: errors.New("disk full"), want: 503},
		{name: "unknown path", path: "/q", want: 404},
		{name: "wrong method", method: "GET", path: "/p", want: 405},
		{name: "oversized, before the signature", path: "/p", body: strings.Repeat("x", pipeline.MaxBody+1), parseErr: pipeline.ErrUnauthorized, want: 413},
		{name: "just within the limit", path: "/p", body: strings.Repeat("x", pipeline.MaxBody), parseErr: pipeline.ErrUnauthorized, want: 401},
		{name: "health", method: "GET", path: "/healthz", want: 200},
		{name: "health by POST", path: "/healthz", want: 405},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			requests, control := &tray{err: tt.sendErr}, &tray{err: tt.sendErr}
			in := &pipeline.Ingress{
				Parsers:  map[string]pipeline.Parser{"/p": parserFunc(func(pipeline.Request) (pipeline.Parsed, error) { return tt.parsed, tt.parseErr })},
				Requests: requests, Control: control, Log: slog.New(slog.DiscardHandler),
			}
			method := tt.method
			if method == "" {
				method = http.MethodPost
			}
			w := httptest.NewRecorder()
			in.ServeHTTP(w, httptest.NewRequest(method, tt.path, strings.NewReader(tt.body)))
			if w.Code != tt.want {
				t.Errorf("status %d, want %d", w.Code, tt.want)
			}
			if len(requests.sent) != tt.requests || len(control.sent) != tt.control {
				t.Errorf("queued %d requests and %d control messages, want %d and %d", len(requests.sent), len(control.sent), tt.requests, tt.control)
			}
		})
	}
}

// Redeliveries of one gesture have one identity, whatever else differs.
func TestIngressIdentity(t *testing.T) {
	out := &tray{}
	in := &pipeline.Ingress{Requests: out, Log: slog.New(slog.DiscardHandler)}
	m := chat.Message{ID: "slack:A:C:1.0", Kind: chat.KindAsk, Text: "hi", Conversation: chat.Conversation{Platform: chat.Slack, Channel: "C", Thread: "1.0"}}
	for _, text := range []string{"hi", "hi "} {
		m.Text = text
		if err := in.Accept(t.Context(), pipeline.Parsed{Messages: []chat.Message{m}}); err != nil {
			t.Fatal(err)
		}
	}
	if a, b := out.sent[0], out.sent[1]; a.DedupID != b.DedupID || a.Group != b.Group || a.Group != m.Conversation.Group() {
		t.Errorf("identities differ: %s/%s and %s/%s", a.Group, a.DedupID, b.Group, b.DedupID)
	}
}
