package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"parley/pkg/chat"
)

// MaxBody is the largest request body the ingress reads, in bytes.
const MaxBody = 1 << 20

// Ingress verifies a platform's requests, makes what they say durable, and only
// then answers. It touches no database, no chat API and no model. It is safe for
// concurrent use.
type Ingress struct {
	Parsers  map[string]Parser // by path
	Requests Outbox
	Control  Outbox
	Metrics  Metrics
	Log      *slog.Logger
	Now      func() time.Time // nil: time.Now
}

// ServeHTTP serves a front door that speaks HTTP itself.
func (in *Ingress) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, MaxBody+1))
	if err != nil && len(body) <= MaxBody {
		http.Error(w, "could not read the request", http.StatusBadRequest)
		return
	}
	answer := in.Handle(r.Context(), Request{Method: r.Method, Path: r.URL.Path, Header: r.Header, Body: body})
	if answer.ContentType != "" {
		w.Header().Set("Content-Type", answer.ContentType)
	}
	if answer.Status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", allowed(r.URL.Path))
	}
	w.WriteHeader(answer.Status)
	_, _ = w.Write(answer.Body) // the platform has hung up if this fails
}

func allowed(path string) string {
	if path == "/healthz" {
		return http.MethodGet
	}
	return http.MethodPost
}

// Handle answers one request: 401 unsigned or stale, 404 and 405 for what is no
// endpoint, 413 oversized (judged before the signature), 200 for what is
// understood or can never be, 503 for what could not be judged or made durable.
func (in *Ingress) Handle(ctx context.Context, r Request) Response {
	began := in.now()
	parser, known := in.Parsers[r.Path]
	switch {
	case r.Path == "/healthz" && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		return plain(http.StatusOK, "ok\n")
	case !known && r.Path != "/healthz":
		return plain(http.StatusNotFound, "not found\n")
	case r.Method != http.MethodPost || !known:
		return plain(http.StatusMethodNotAllowed, "method not allowed\n")
	case len(r.Body) > MaxBody:
		return plain(http.StatusRequestEntityTooLarge, "request is too large\n")
	}
	p, err := parser.Parse(r, began)
	switch {
	case errors.Is(err, ErrUnauthorized):
		measure(in.Metrics, MetricRefused, 1, "path", r.Path)
		in.Log.WarnContext(ctx, "refused", "path", r.Path, "err", err)
		return Response{Status: http.StatusUnauthorized}
	case errors.Is(err, ErrMalformed):
		measure(in.Metrics, MetricMalformed, 1, "path", r.Path)
		in.Log.WarnContext(ctx, "malformed", "path", r.Path, "err", err)
		return Response{Status: http.StatusOK}
	case err != nil:
		in.Log.ErrorContext(ctx, "not judged", "path", r.Path, "err", err)
		return plain(http.StatusServiceUnavailable, "try again\n")
	}
	if err := in.Accept(ctx, p); err != nil {
		in.Log.ErrorContext(ctx, "not durable", "path", r.Path, "err", err)
		return plain(http.StatusServiceUnavailable, "try again\n")
	}
	measure(in.Metrics, MetricAck, ms(in.now().Sub(began)), "path", r.Path)
	if p.Response.Status == 0 {
		p.Response.Status = http.StatusOK
	}
	return p.Response
}

// Accept makes what a platform sent durable. Connectors call it for events that
// reach them over a socket, and acknowledge only when it returns nil.
func (in *Ingress) Accept(ctx context.Context, p Parsed) error {
	if p.Ignored != "" {
		measure(in.Metrics, MetricIgnored, 1, "why", p.Ignored)
	}
	if p.Retry > 0 {
		in.Log.InfoContext(ctx, "redelivered by the platform", "retry", strconv.Itoa(p.Retry))
	}
	for _, m := range p.Messages {
		e, err := envelope(m, "")
		if err == nil {
			err = in.queue(m.Kind).Send(ctx, e)
		}
		if err != nil {
			return fmt.Errorf("enqueue %s: %w", m.Kind, err)
		}
		in.Log.LogAttrs(ctx, slog.LevelInfo, "accepted", slog.String("msg_id", m.ID), slog.String("kind", string(m.Kind)), slog.String("conversation", e.Group[:12]))
	}
	return nil
}

func (in *Ingress) queue(k chat.Kind) Outbox {
	if k.Control() {
		return in.Control
	}
	return in.Requests
}

func (in *Ingress) now() time.Time { return clock(in.Now) }

func plain(status int, text string) Response {
	return Response{Status: status, ContentType: "text/plain; charset=utf-8", Body: []byte(text)}
}
