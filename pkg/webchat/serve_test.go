package webchat

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

// records is a memory of fixed content.
type records struct {
	turns []pipeline.Turn
	marks pipeline.Markers
	err   error
	asked string
	limit pipeline.Window
}

func (r *records) Recent(_ context.Context, conversation string, w pipeline.Window) ([]pipeline.Turn, error) {
	r.asked, r.limit = conversation, w
	return r.turns, r.err
}

func (r *records) Turn(context.Context, pipeline.TurnKey) (pipeline.Turn, bool, error) {
	return pipeline.Turn{}, false, r.err
}
func (r *records) Markers(context.Context, string) (pipeline.Markers, error) { return r.marks, r.err }
func (r *records) Mark(context.Context, string, pipeline.Markers) error      { return r.err }

// get asks a Hub's handler as a program on this machine would.
func get(h *Hub, target string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	r.Host = "127.0.0.1:3000"
	for _, c := range change {
		c(r)
	}
	w := httptest.NewRecorder()
	h.Handler(http.NotFoundHandler()).ServeHTTP(w, r)
	return w
}

func TestHistory(t *testing.T) {
	reset := noon.Add(-time.Minute)
	memory := &records{
		marks: pipeline.Markers{ResetBefore: reset},
		turns: []pipeline.Turn{
			{
				TurnKey: pipeline.TurnKey{SentAt: noon, MessageID: "web:c:1"}, Question: "why?", Answer: "**so**", Model: "m", Votes: []pipeline.Vote{{By: "u", Verdict: chat.Up}},
				Usage: chat.Usage{Input: 2, Output: 3}, Citations: []chat.Citation{{Number: 1, Title: "t", URL: "javascript:x"}},
			},
			{TurnKey: pipeline.TurnKey{SentAt: noon.Add(time.Second), MessageID: "web:c:2"}, Question: "为什么？", Answer: "因为", Stopped: true},
		},
	}
	w := get(newHub(t, Config{Memory: memory}), "/web/history?conversation=c")
	var got history
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusOK {
		t.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
	want := history{ResetBefore: &reset, Turns: []Snapshot{
		{
			ID: "web:c:1", Kind: chat.Final, AskedAt: noon, Question: "why?", Markdown: "**so**", HTML: "<p><strong>so</strong></p>\n",
			Citations: []chat.Citation{{Number: 1, Title: "t"}}, Ref: chat.Ref("web:c:1"), Model: "m", Tokens: 5, Feedback: "up",
		},
		{
			ID: "web:c:2", Kind: chat.Stopped, AskedAt: noon.Add(time.Second), Question: "为什么？",
			Markdown: "因为\n\n_已停止。_", HTML: "<p>因为</p>\n<p><em>已停止。</em></p>\n", Ref: chat.Ref("web:c:2"),
		},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if memory.asked != "web/local/c/" || memory.limit.Turns != historyTurns || memory.limit.Tokens == 0 || !memory.limit.After.IsZero() {
		t.Errorf("asked for %q, %+v", memory.asked, memory.limit)
	}
}

func TestHistoryWithout(t *testing.T) {
	if w := get(newHub(t, Config{}), "/web/history?conversation=c"); w.Code != http.StatusOK || w.Body.String() != `{"turns":[]}` {
		t.Errorf("without a memory: %d %s", w.Code, w.Body)
	}
	w := get(newHub(t, Config{Memory: &records{err: errors.New("disk I/O error in /var/secret.db")}}), "/web/history?conversation=c")
	if w.Code != http.StatusServiceUnavailable || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("with a broken memory: %d %s", w.Code, w.Body)
	}
}

func TestWhoMayRead(t *testing.T) {
	h := newHub(t, Config{Memory: &records{}})
	for _, target := range []string{"/", "/web/assets/app.js", "/web/events?conversation=c", "/web/history?conversation=c"} {
		w := get(h, target, func(r *http.Request) { r.Host = "evil.example" })
		if w.Code != http.StatusForbidden || w.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("GET %s for a foreign host: %d", target, w.Code)
		}
	}
	for _, target := range []string{"/web/events", "/web/history?conversation=a%2Fb", "/web/events?conversation=" + strings.Repeat("c", 65)} {
		if w := get(h, target); w.Code != http.StatusBadRequest {
			t.Errorf("GET %s: %d", target, w.Code)
		}
	}
}

func TestPage(t *testing.T) {
	h := newHub(t, Config{Hints: []string{`say "<b>hi</b>"`}, Endpoints: []string{"Slack: http://127.0.0.1:3000/slack/events"}})
	w := get(h, "/")
	body := w.Body.String()
	if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
		t.Fatalf("%d %s", w.Code, w.Header())
	}
	for _, want := range []string{`say &#34;&lt;b&gt;hi&lt;/b&gt;&#34;`, "Slack: http://127.0.0.1:3000/slack/events"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	csp := w.Header().Get("Content-Security-Policy")
	if !strings.HasPrefix(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") || strings.Contains(csp, "*") {
		t.Errorf("policy %q", csp)
	}
	// Its own policy forbids what is written into a page.
	for _, banned := range []string{"<script>", " style=", " onclick=", "<style"} {
		if strings.Contains(body, banned) {
			t.Errorf("the page has %s", banned)
		}
	}
}

// Everything that the page names is there, is typed as browsers demand, and nothing
// is named that is elsewhere.
func TestAssets(t *testing.T) {
	h := newHub(t, Config{})
	types := map[string]string{".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
	entries, err := files.ReadDir("page")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := files.ReadFile("page/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(string(data), "http://www.w3.org/2000/svg", "")
		if strings.Contains(text, "http://") || strings.Contains(text, "https://") {
			t.Errorf("%s names an address elsewhere", e.Name())
		}
		for _, quote := range strings.FieldsFunc(text, func(r rune) bool { return r == '"' || r == '\'' }) {
			name, ok := strings.CutPrefix(quote, "/web/assets/")
			if !ok {
				name, ok = strings.CutPrefix(quote, "./")
			}
			if !ok {
				continue
			}
			w := get(h, "/web/assets/"+name)
			suffix := name[strings.LastIndexByte(name, '.'):]
			if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Type"), types[suffix]) {
				t.Errorf("%s names %s: %d %s", e.Name(), name, w.Code, w.Header().Get("Content-Type"))
			}
		}
	}
	for _, name := range []string{"", "nothing.js", "..%2fhub.go", "%2e%2e/%2e%2e/hub.go"} {
		if w := get(h, "/web/assets/"+name); w.Code == http.StatusOK {
			t.Errorf("GET /web/assets/%s: %d", name, w.Code)
		}
	}
}

// outbox keeps what is sent, or fails.
type outbox struct {
	sent []pipeline.Envelope
	err  error
}

func (o *outbox) Send(_ context.Context, e pipeline.Envelope) error {
	o.sent = append(o.sent, e)
	return o.err
}

// The page posts through the same ingress as every platform.
func TestMessagesThroughIngress(t *testing.T) {
	for _, c := range []struct {
		name, method, host, origin, body string
		broken                           bool
		status, requests, control        int
	}{
		{name: "a question", body: `{"conversation":"c","id":"1","text":"why?"}`, status: 200, requests: 1},
		{name: "a stop", body: `{"conversation":"c","kind":"stop"}`, status: 200, control: 1},
		{name: "from the page", origin: "http://127.0.0.1:3000", body: `{"text":"why?"}`, status: 200, requests: 1},
		{name: "from another site", origin: "https://evil.example", body: `{"text":"why?"}`, status: 401},
		{name: "to a foreign name", host: "evil.example", body: `{"text":"why?"}`, status: 401},
		{name: "bad JSON", body: `{`, status: 400},
		{name: "oversized", body: `{"text":"` + strings.Repeat("x", pipeline.MaxBody) + `"}`, status: 413},
		{name: "too long for a queue", body: `{"text":"` + strings.Repeat("x", chat.MaxEnvelope) + `"}`, status: 413},
		{name: "a read", method: http.MethodGet, status: 405},
		{name: "not durable", body: `{"text":"why?"}`, broken: true, status: 503, requests: 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHub(t, Config{})
			var requests, control outbox
			if c.broken {
				requests.err = errors.New("disk full")
			}
			in := &pipeline.Ingress{
				Parsers: map[string]pipeline.Parser{Path: h}, Requests: &requests, Control: &control,
				Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
			}
			r := httptest.NewRequest(orElse(c.method, http.MethodPost), Path, strings.NewReader(c.body))
			r.Host = orElse(c.host, "127.0.0.1:3000")
			if c.origin != "" {
				r.Header.Set("Origin", c.origin)
			}
			w := httptest.NewRecorder()
			h.Handler(in).ServeHTTP(w, r)
			if w.Code != c.status || len(requests.sent) != c.requests || len(control.sent) != c.control {
				t.Errorf("%d %s, %d requests, %d control; want %d, %d, %d",
					w.Code, w.Body, len(requests.sent), len(control.sent), c.status, c.requests, c.control)
			}
		})
	}
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// A form that is sent twice is one message to the queue.
func TestSentTwiceIsOneMessage(t *testing.T) {
	h := newHub(t, Config{})
	var requests outbox
	in := &pipeline.Ingress{Parsers: map[string]pipeline.Parser{Path: h}, Requests: &requests, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	for range 2 {
		r := httptest.NewRequest(http.MethodPost, Path, strings.NewReader(`{"conversation":"c","id":"1","text":"why?"}`))
		r.Host = "localhost"
		h.Handler(in).ServeHTTP(httptest.NewRecorder(), r)
	}
	if len(requests.sent) != 2 || requests.sent[0].DedupID != requests.sent[1].DedupID || requests.sent[0].Group != Conversation("c").Group() {
		t.Errorf("sent %+v", requests.sent)
	}
}

// Other paths reach the ingress whatever their host: a tunnel for a platform's
// events has a name of its own.
func TestOtherPathsPass(t *testing.T) {
	h := newHub(t, Config{})
	reached := ""
	in := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { reached = r.Host + r.URL.Path })
	r := httptest.NewRequest(http.MethodPost, "/slack/events", nil)
	r.Host = "tunnel.example"
	h.Handler(in).ServeHTTP(httptest.NewRecorder(), r)
	if reached != "tunnel.example/slack/events" {
		t.Errorf("reached %q", reached)
	}
}

var (
	wordKey = regexp.MustCompile(`(?m)(?:^  |, )(?:'([a-z.]+)'|([a-z]+)): ['"]`)
	usedKey = regexp.MustCompile(`data-t(?:-label|-placeholder)?="([^"]+)"|say\('([^']+)'\)`)
)

// The page speaks both languages, and every word it uses is in them.
func TestWords(t *testing.T) {
	source, err := files.ReadFile("page/words.js")
	if err != nil {
		t.Fatal(err)
	}
	english, rest, _ := strings.Cut(string(source), "const zh = {")
	chinese, _, _ := strings.Cut(rest, "};")
	en, zh := keys(wordKey, english), keys(wordKey, chinese)
	if diff := cmp.Diff(en, zh); diff != "" || len(en) < 30 {
		t.Errorf("%d English words; Chinese ones differ (-en +zh):\n%s", len(en), diff)
	}
	entries, err := files.ReadDir("page")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := files.ReadFile("page/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range keys(usedKey, string(data)) {
			if !slices.Contains(en, key) {
				t.Errorf("%s says %q, which is in no language", e.Name(), key)
			}
		}
	}
}

// keys are the non-empty groups of all matches, sorted, each once.
func keys(pattern *regexp.Regexp, text string) []string {
	var out []string
	for _, groups := range pattern.FindAllStringSubmatch(text, -1) {
		out = append(out, groups[1]+groups[2])
	}
	slices.Sort(out)
	return slices.Compact(out)
}
