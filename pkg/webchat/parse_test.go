package webchat

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)

func newHub(t *testing.T, c Config) *Hub {
	t.Helper()
	c.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	h := New(c)
	t.Cleanup(h.Close)
	return h
}

// posted is the request of a page at host.
func posted(host, body string, header ...string) pipeline.Request {
	r := pipeline.Request{Method: http.MethodPost, Path: Path, Header: http.Header{}, Body: []byte(body)}
	r.Header.Set("Host", host)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

func TestParseWho(t *testing.T) {
	for _, c := range []struct {
		name, addr, host string
		header           []string
		ok               bool
	}{
		{name: "this machine by address", host: "127.0.0.1:3000", ok: true},
		{name: "by another loopback address", host: "127.8.9.1", ok: true},
		{name: "by IPv6", host: "[::1]:3000", ok: true},
		{name: "by name", host: "LocalHost:3000", ok: true},
		{name: "the page", host: "localhost:3000", header: []string{"Origin", "http://localhost:3000", "Sec-Fetch-Site", "same-origin"}, ok: true},
		{name: "the page, in a browser without fetch metadata", host: "localhost:3000", header: []string{"Origin", "http://localhost:3000"}, ok: true},
		{name: "the address listened on", addr: "parley.lan:3000", host: "parley.lan:3000", ok: true},
		{name: "the address listened on, by another port", addr: "192.0.2.7:3000", host: "192.0.2.7", ok: true},
		{name: "no host", host: ""},
		{name: "a name that may resolve here", host: "evil.example:3000"},
		{name: "a name that begins like this machine's", host: "localhost.evil.example"},
		{name: "a network address not listened on", addr: "127.0.0.1:3000", host: "192.0.2.7:3000"},
		{name: "listening everywhere names nobody", addr: "0.0.0.0:3000", host: "0.0.0.0:3000"},
		{name: "another site", host: "localhost:3000", header: []string{"Origin", "https://evil.example"}},
		{name: "another port is another site", host: "localhost:3000", header: []string{"Origin", "http://localhost:4000"}},
		{name: "a sandboxed frame", host: "localhost:3000", header: []string{"Origin", "null"}},
		{name: "another site, by fetch metadata", host: "localhost:3000", header: []string{"Sec-Fetch-Site", "cross-site"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHub(t, Config{Addr: c.addr})
			p, err := h.Parse(posted(c.host, `{"conversation":"c","text":"hi"}`, c.header...), noon)
			if c.ok && (err != nil || len(p.Messages) != 1) {
				t.Errorf("refused: %+v, %v", p, err)
			}
			if !c.ok && (!errors.Is(err, pipeline.ErrUnauthorized) || len(p.Messages) != 0) {
				t.Errorf("let in: %+v, %v", p, err)
			}
		})
	}
}

func TestParseMessage(t *testing.T) {
	h := newHub(t, Config{})
	p, err := h.Parse(posted("localhost", `{"conversation":"c-1","id":"m_1","text":" 什么是 Parley? "}`, "Accept-Language", "zh-CN,en;q=0.8"), noon)
	if err != nil {
		t.Fatal(err)
	}
	want := chat.Message{
		ID: "web:c-1:m_1", Kind: chat.KindAsk,
		Conversation: chat.Conversation{Platform: chat.Web, Tenant: "local", Channel: "c-1"},
		Author:       chat.Author{ID: "local", Locale: "zh-CN"},
		Text:         "什么是 Parley?",
		SentAt:       time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC),
		Route:        json.RawMessage(`{"question":"什么是 Parley?"}`),
	}
	if diff := cmp.Diff([]chat.Message{want}, p.Messages); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	const answer = `{"message_id":"web:c-1:m_1","conversation":"c-1","kind":"ask","sent_at":"2026-03-01T12:00:00.123456Z"}`
	if p.Response.Status != http.StatusOK || string(p.Response.Body) != answer {
		t.Errorf("answered %d %s", p.Response.Status, p.Response.Body)
	}
}

func TestParseKinds(t *testing.T) {
	for _, c := range []struct {
		body string
		want chat.Message // Kind, Text, Subject, Value, Token
	}{
		{`{"text":"/help"}`, chat.Message{Kind: chat.KindHelp, Text: "/help"}},
		{`{"text":"重置"}`, chat.Message{Kind: chat.KindReset, Text: "重置"}},
		{`{"text":"stop"}`, chat.Message{Kind: chat.KindStop, Text: "stop"}},
		{`{"text":"Retry!"}`, chat.Message{Kind: chat.KindRetry, Text: "Retry!"}},
		{`{"text":"usage"}`, chat.Message{Kind: chat.KindUsage, Text: "usage"}},
		{`{"text":"remember this thread"}`, chat.Message{Kind: chat.KindAsk, Text: "remember this thread"}}, // there are no threads here
		{`{"text":"how do I stop?","kind":"ask"}`, chat.Message{Kind: chat.KindAsk, Text: "how do I stop?"}},
		{`{"kind":"stop"}`, chat.Message{Kind: chat.KindStop}},
		{`{"kind":"retry","subject":"web:c:m","token":{"fence":7,"reason":"model"}}`, chat.Message{Kind: chat.KindRetry, Subject: "web:c:m", Token: &chat.Token{Fence: 7, Reason: "model"}}},
		{`{"kind":"regenerate","subject":"web:c:m"}`, chat.Message{Kind: chat.KindRegenerate, Subject: "web:c:m"}},
		{`{"kind":"feedback","subject":"web:c:m","value":"down"}`, chat.Message{Kind: chat.KindFeedback, Subject: "web:c:m", Value: "down"}},
	} {
		h := newHub(t, Config{})
		body := strings.Replace(c.body, "{", `{"conversation":"c",`, 1)
		p, err := h.Parse(posted("localhost", body), noon)
		if err != nil || len(p.Messages) != 1 {
			t.Errorf("%s: %+v, %v", body, p, err)
			continue
		}
		m := p.Messages[0]
		got := chat.Message{Kind: m.Kind, Text: m.Text, Subject: m.Subject, Value: m.Value, Token: m.Token}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", body, diff)
		}
	}
}

func TestParseRefusals(t *testing.T) {
	for _, c := range []struct {
		name, body string
		status     int
		want       error // nil: the JSON itself is bad
	}{
		{"no JSON", `text=hi`, http.StatusBadRequest, nil},
		{"the wrong JSON", `["hi"]`, http.StatusBadRequest, nil},
		{"nothing", ``, http.StatusBadRequest, nil},
		{"no text", `{"text":" \n"}`, http.StatusBadRequest, errEmpty},
		{"an id with a separator", `{"text":"x","id":"a:b"}`, http.StatusBadRequest, errID},
		{"a long conversation", `{"text":"x","conversation":"` + strings.Repeat("c", 65) + `"}`, http.StatusBadRequest, errID},
		{"a kind of another platform", `{"text":"x","kind":"deleted","subject":"web:c:m"}`, http.StatusBadRequest, errKind},
		{"a retry of nothing", `{"conversation":"c","kind":"retry"}`, http.StatusBadRequest, errSubject},
		{"a retry in another conversation", `{"conversation":"c","kind":"retry","subject":"web:other:m"}`, http.StatusBadRequest, errSubject},
		{"a verdict unheard of", `{"conversation":"c","kind":"feedback","subject":"web:c:m","value":"meh"}`, http.StatusBadRequest, errVerdict},
		{"more than an envelope holds", `{"text":"` + strings.Repeat("x", chat.MaxEnvelope) + `"}`, http.StatusRequestEntityTooLarge, errTooLong},
		{"more once it is escaped", `{"text":"` + strings.Repeat(`\"`, chat.MaxEnvelope*2/3) + `"}`, http.StatusRequestEntityTooLarge, errTooLong},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHub(t, Config{})
			p, err := h.Parse(posted("localhost", c.body), noon)
			if err != nil || len(p.Messages) != 0 || p.Ignored == "" || p.Response.Status != c.status {
				t.Fatalf("%+v, %v; want status %d", p, err, c.status)
			}
			var said refusal
			if err := json.Unmarshal(p.Response.Body, &said); err != nil || said.Error == "" {
				t.Fatalf("answered %s: %v", p.Response.Body, err)
			}
			if c.want != nil && said.Error != c.want.Error() {
				t.Errorf("said %q, want %q", said.Error, c.want)
			}
		})
	}
}

func TestParseDrawsIDs(t *testing.T) {
	h := newHub(t, Config{})
	seen := map[string]bool{}
	for range 2 {
		p, err := h.Parse(posted("localhost", `{"text":"hi"}`), noon)
		if err != nil || len(p.Messages) != 1 {
			t.Fatalf("%+v, %v", p, err)
		}
		var said accepted
		if err := json.Unmarshal(p.Response.Body, &said); err != nil {
			t.Fatal(err)
		}
		m := p.Messages[0]
		if said.MessageID != m.ID || said.Conversation != m.Conversation.Channel || !validID.MatchString(said.Conversation) {
			t.Errorf("said %+v of %+v", said, m)
		}
		seen[m.ID], seen[said.Conversation] = true, true
	}
	if len(seen) != 4 {
		t.Errorf("ids were drawn twice: %v", seen)
	}
}

// Two messages of one moment, a clock that stands and one that goes back: the order
// people wrote in stays the order in time. A stop is later than what it stops.
func TestSentAtRises(t *testing.T) {
	h := newHub(t, Config{})
	var last time.Time
	for i, now := range []time.Time{noon, noon, noon.Add(100), noon.Add(-time.Hour), noon.Add(time.Second), noon.Add(time.Second)} {
		m, err := h.Message(Gesture{Conversation: "c", Text: "hi"}, now)
		if err != nil {
			t.Fatal(err)
		}
		if m.SentAt.Sub(last) < time.Microsecond || m.SentAt.Nanosecond()%1000 != 0 {
			t.Errorf("message %d was sent at %v, after %v", i, m.SentAt, last)
		}
		last = m.SentAt
	}
	other, err := h.Message(Gesture{Conversation: "d", Text: "hi"}, noon)
	if err != nil || !other.SentAt.Equal(noon.Truncate(time.Microsecond)) {
		t.Errorf("another conversation's clock says %v, %v", other.SentAt, err)
	}
}

func TestLongQuestionTravelsShortened(t *testing.T) {
	h := newHub(t, Config{})
	text := strings.Repeat("长", 3000)
	m, err := h.Message(Gesture{Text: text}, noon)
	if err != nil {
		t.Fatal(err)
	}
	s := snapshotOf(chat.Reply{MessageID: m.ID, Kind: chat.Working, Route: m.Route})
	if m.Text != text || s.Question != strings.Repeat("长", maxQuestion)+"…" {
		t.Errorf("asked %d bytes, shown %d", len(m.Text), len(s.Question))
	}
}

func TestLocale(t *testing.T) {
	for header, want := range map[string]string{
		"": "", "*": "", "en": "en", "zh-CN,zh;q=0.9": "zh-CN", " de;q=1, en": "de", strings.Repeat("x", 36): "",
	} {
		if got := locale(header); got != want {
			t.Errorf("locale(%q) = %q, want %q", header, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`{"conversation":"c","id":"i","text":"hi"}`, "localhost", "")
	f.Add(`{"kind":"retry","subject":"web::x"}`, "[::1", "http://[::1")
	f.Add(`{"text":"\ud800"}`, "127.0.0.1:x", "null")
	h := New(Config{Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	f.Fuzz(func(t *testing.T, body, host, origin string) {
		p, err := h.Parse(posted(host, body, "Origin", origin), noon)
		if err != nil && !errors.Is(err, pipeline.ErrUnauthorized) {
			t.Fatalf("an error that is no refusal: %v", err)
		}
		for _, m := range p.Messages {
			data, err := chat.EncodeMessage(m)
			if err != nil {
				t.Fatal(err)
			}
			back, err := chat.DecodeMessage(data)
			if err != nil || back.ID != m.ID || !strings.HasPrefix(m.ID, "web:"+m.Conversation.Channel+":") {
				t.Fatalf("%+v came back as %+v, %v", m, back, err)
			}
		}
	})
}
