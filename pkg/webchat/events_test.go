package webchat

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley/pkg/chat"
)

// event is one Server-Sent Event.
type event struct{ ID, Name, Data string }

// parseEvent reads the fields of one event; a comment has none.
func parseEvent(block string) (e event) {
	for line := range strings.Lines(block) {
		field, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch field {
		case "id":
			e.ID = value
		case "event":
			e.Name = value
		case "data":
			e.Data += value
		}
	}
	return e
}

// follow connects to the events of conversation c and returns a function that waits
// for the next one.
func follow(t *testing.T, url, lastID string) (next func() event) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/web/events?conversation=c", nil)
	if err != nil {
		t.Fatal(err)
	}
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	if got := resp.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Fatalf("content type %q", got)
	}
	lines := bufio.NewScanner(resp.Body)
	return func() event {
		t.Helper()
		var block strings.Builder
		for lines.Scan() {
			if lines.Text() != "" {
				block.WriteString(lines.Text() + "\n")
			} else if e := parseEvent(block.String()); e.Name != "" {
				return e
			}
		}
		t.Fatalf("the stream ended: %v", lines.Err())
		return event{}
	}
}

func serve(t *testing.T, h *Hub) string {
	t.Helper()
	s := httptest.NewServer(h.Handler(http.NotFoundHandler()))
	t.Cleanup(func() {
		h.Close() // as RegisterOnShutdown does: Close waits for the streams
		s.Close()
	})
	return s.URL
}

func markdownOf(t *testing.T, e event) string {
	t.Helper()
	var s Snapshot
	if err := json.Unmarshal([]byte(e.Data), &s); err != nil || e.Name != "snapshot" {
		t.Fatalf("event %+v: %v", e, err)
	}
	return s.Markdown
}

func TestEventsReplayWhatStands(t *testing.T) {
	h := newHub(t, Config{})
	url := serve(t, h)
	post(t, h, replied("a", 1, 1, chat.Final, "a\n\ndone"))
	post(t, h, replied("b", 1, 1, chat.Partial, "b half"))

	first := follow(t, url, "")
	if e := first(); e.Name != "hello" || e.Data != `{"boot":"`+h.boot+`"}` {
		t.Errorf("the first event is %+v", e)
	}
	a, b := first(), first()
	if got := []string{markdownOf(t, a), markdownOf(t, b)}; !cmp.Equal(got, []string{"a\n\ndone", "b half"}) {
		t.Errorf("replayed %q", got)
	}
	post(t, h, replied("b", 1, 2, chat.Final, "b whole"))
	if got := markdownOf(t, first()); got != "b whole" {
		t.Errorf("then came %q", got)
	}

	again := follow(t, url, b.ID)
	again()
	if got := markdownOf(t, again()); got != "b whole" {
		t.Errorf("after %s came %q", b.ID, got)
	}
	for _, id := range []string{"OTHERONE-2", "nonsense", h.boot + "-x"} {
		other := follow(t, url, id)
		other()
		if got := markdownOf(t, other()); got != "a\n\ndone" {
			t.Errorf("after %s of another process came %q", id, got)
		}
	}
}

func TestEventsAreOfOneConversation(t *testing.T) {
	h := newHub(t, Config{})
	next := follow(t, serve(t, h), "")
	next()
	other := replied("x", 1, 1, chat.Final, "not for c")
	other.Conversation = Conversation("d")
	post(t, h, other)
	post(t, h, replied("m", 1, 1, chat.Final, "for c"))
	if got := markdownOf(t, next()); got != "for c" {
		t.Errorf("came %q", got)
	}
}

// page is a browser's end of a connection that reads only when told to.
type page struct {
	header http.Header
	text   chan string // unbuffered: a write waits for the reader
	err    error
}

func newPage() *page { return &page{header: http.Header{}, text: make(chan string)} }

func (p *page) Header() http.Header { return p.header }
func (p *page) WriteHeader(int)     {}
func (p *page) Flush()              {}
func (p *page) Write(b []byte) (int, error) {
	if p.err != nil {
		return 0, p.err
	}
	p.text <- string(b)
	return len(b), nil
}

// open runs the event handler for conversation c until it returns.
func open(ctx context.Context, h *Hub, p *page) (done chan struct{}) {
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/web/events?conversation=c", nil)
	done = make(chan struct{})
	go func() {
		defer close(done)
		h.events(p, r)
	}()
	return done
}

func TestSlowPageHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, Config{})
		p := newPage()
		ctx, cancel := context.WithCancel(t.Context())
		done := open(ctx, h, p)
		<-p.text // hello; from here on the page does not read
		const n = 1000
		for i := range n { // the bubble would deadlock here if a post waited
			post(t, h, replied("m", 1, i, chat.Partial, fmt.Sprint("text ", i)))
			if i == 0 {
				synctest.Wait() // the first is being written
			}
		}
		post(t, h, replied("m", 1, n, chat.Final, "whole"))
		got := []string{markdownOf(t, parseEvent(<-p.text)), markdownOf(t, parseEvent(<-p.text))}
		if want := []string{"text 0", "whole"}; !cmp.Equal(got, want) {
			t.Errorf("the page read %q, want %q", got, want)
		}
		synctest.Wait()
		select {
		case more := <-p.text:
			t.Errorf("there was more: %q", more)
		default:
		}
		cancel()
		<-done
	})
}

func TestEventsKeepTheConnectionAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, Config{})
		p := newPage()
		done := open(t.Context(), h, p)
		<-p.text
		began := time.Now()
		if text := <-p.text; !strings.HasPrefix(text, ":") || time.Since(began) != heartbeat {
			t.Errorf("after %v came %q", time.Since(began), text)
		}
		h.Close()
		<-done
	})
}

func TestEventsEnd(t *testing.T) {
	for name, end := range map[string]func(h *Hub, p *page, cancel func()){
		"the page leaves":     func(_ *Hub, _ *page, cancel func()) { cancel() },
		"the Hub closes":      func(h *Hub, _ *page, _ func()) { h.Close() },
		"the connection dies": func(h *Hub, p *page, _ func()) { p.err = errors.New("broken pipe") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHub(t, Config{})
				p := newPage()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				done := open(ctx, h, p)
				<-p.text
				synctest.Wait()
				end(h, p, cancel)
				post(t, h, replied("m", 1, 1, chat.Final, "x")) // somebody has to notice a dead connection
				select {
				case <-p.text: // it was on its way
				case <-done:
				}
				<-done
				if n := len(h.talks["c"].watchers); n != 0 {
					t.Errorf("%d watchers are left", n)
				}
			})
		})
	}
}
