package pipelinetest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"testing"

	"parley/pkg/pipeline"
)

// Transport returns next as the process sees it: its method is http. A call that
// fails Clean never leaves; one that is Persisted loses its answer.
func (f *Faults) Transport(next http.RoundTripper) http.RoundTripper {
	return faultyTransport{f, next}
}

type faultyTransport struct {
	f    *Faults
	next http.RoundTripper
}

func (w faultyTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	return result(r.Context(), w.f, "http", func(context.Context) (*http.Response, error) {
		resp, err := w.next.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(resp.Body) // a lost answer must not leak
		resp.Body.Close()
		resp.Body = io.NopCloser(bytes.NewReader(body))
		return resp, err
	})
}

// deliveries is pipeline.Deliveries in memory.
type deliveries struct {
	mu     sync.Mutex
	placed map[string][]byte
	owners map[string]string
}

func newDeliveries() *deliveries {
	return &deliveries{placed: map[string][]byte{}, owners: map[string]string{}}
}

func (d *deliveries) LoadDelivery(_ context.Context, id string) (p pipeline.Placed, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if data, ok := d.placed[id]; ok {
		err = json.Unmarshal(data, &p)
	}
	return p, err
}

func (d *deliveries) SwapDelivery(ctx context.Context, next pipeline.Placed) error {
	stored, err := d.LoadDelivery(ctx, next.MessageID)
	if err != nil {
		return err
	}
	if stored.Rev != next.Rev-1 {
		return pipeline.ErrConflict
	}
	data, err := json.Marshal(next)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, post := range next.At.Posts {
		if owner := d.owners[post.ID]; owner != "" && owner != next.MessageID {
			return fmt.Errorf("%s: %w", post.ID, pipeline.ErrClaimed)
		}
	}
	for _, post := range next.At.Posts {
		d.owners[post.ID] = next.MessageID
	}
	d.placed[next.MessageID] = data
	return nil
}

func (d *deliveries) PostOwner(_ context.Context, postID string) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.owners[postID], nil
}

// refuseLetters fails the test: no snapshot of a script is ever given up.
type refuseLetters struct{ t *testing.T }

func (r refuseLetters) Send(_ context.Context, e pipeline.Envelope) error {
	r.t.Errorf("a snapshot was given up: %v", e.Attributes)
	return nil
}

// quiet logs to the test, which shows it only when it fails.
func quiet(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
}
