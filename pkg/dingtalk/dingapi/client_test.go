package dingapi

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"parley/pkg/chat"
	"parley/pkg/dingtalk/dingtest"
	"parley/pkg/pipeline"
)

func TestTokenIsSharedAndRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, dingtest.Options{}, "")
		send := func() {
			t.Helper()
			r.journal = &journal{until: map[string]time.Time{}}
			r.must(r.reply(r.ask(dingtest.Inbound{WebhookLife: time.Second}), chat.Final, "x"))
		}
		send()
		send()
		if n := r.dt.Calls(dingtest.Token); n != 1 {
			t.Errorf("%d tokens for two calls, want 1", n)
		}
		time.Sleep(2*time.Hour - 5*time.Minute + time.Second)
		send()
		if n := r.dt.Calls(dingtest.Token); n != 2 {
			t.Errorf("%d tokens, want a new one five minutes before the end", n)
		}
		r.dt.RevokeTokens()
		send()
		if n := r.dt.Calls(dingtest.Token); n != 3 {
			t.Errorf("%d tokens, want a new one after a 401", n)
		}
		r.dt.Fail(dingtest.DirectSend, 0, dingtest.FaultToken)
		calls := r.dt.Calls(dingtest.DirectSend)
		if e := pipeline.Classify(r.post(r.reply(r.ask(dingtest.Inbound{WebhookLife: time.Second}), chat.Final, "y"))); !e.Permanent {
			t.Errorf("%+v, want permanent", e)
		}
		if n := r.dt.Calls(dingtest.DirectSend) - calls; n != 2 {
			t.Errorf("%d tries with a refused token, want 2", n)
		}
	})
}

func TestTokenFetchIsSingleFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, dingtest.Options{}, "")
		r.dt.Fail(dingtest.Token, 1, dingtest.Fault{Delay: time.Second})
		gone, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := r.c.token.get(gone, r.c); !errors.Is(err, context.Canceled) {
				t.Errorf("the caller that gave up got %v", err)
			}
		})
		synctest.Wait()
		for range 20 {
			wg.Go(func() {
				if token, err := r.c.token.get(t.Context(), r.c); err != nil || token == "" {
					t.Errorf("token %q, %v", token, err)
				}
			})
		}
		cancel()
		wg.Wait()
		if n := r.dt.Calls(dingtest.Token); n != 1 {
			t.Errorf("%d fetches, want 1", n)
		}
	})
}

func TestWrongSecretIsTheOperators(t *testing.T) {
	r := newRig(t, dingtest.Options{}, "")
	r.c.cfg.Secret = func(context.Context) (string, error) { return "wrong-secret-value", nil }
	err := r.post(r.reply(r.ask(dingtest.Inbound{WebhookLife: time.Second}), chat.Final, "x"))
	e := pipeline.Classify(err)
	if !e.Permanent || e.Reason != pipeline.ReasonConfig || strings.Contains(err.Error(), "wrong-secret-value") {
		t.Errorf("%+v", err)
	}
	if r.journal.at.Intent != nil {
		t.Error("an intent stays although nothing was sent")
	}
}

// A failed fetch of a token is not a post of unknown outcome.
func TestTokenFailureIsNotAPost(t *testing.T) {
	for _, f := range []dingtest.Fault{dingtest.FaultCut, dingtest.FaultTimeout, dingtest.FaultUnknown} {
		r := newRig(t, dingtest.Options{}, "")
		r.dt.Fail(dingtest.Token, 1, f)
		err := r.post(r.reply(r.ask(dingtest.Inbound{WebhookLife: time.Second}), chat.Final, "x"))
		if err == nil || errors.Is(err, pipeline.ErrOutcomeUnknown) || r.journal.at.Intent != nil {
			t.Errorf("err = %v, intent %v", err, r.journal.at.Intent)
		}
	}
}

func TestCallTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, dingtest.Options{}, "")
		r.dt.Fail(dingtest.Webhook, 1, dingtest.Fault{Delay: time.Minute})
		began := time.Now()
		err := r.post(r.reply(r.ask(dingtest.Inbound{}), chat.Final, "x"))
		if !errors.Is(err, pipeline.ErrOutcomeUnknown) || time.Since(began) != callTimeout {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

// A connection that was never made did nothing.
func TestNoConnection(t *testing.T) {
	c, err := New(Config{ClientID: "c", Secret: func(context.Context) (string, error) { return "s", nil },
		APIURL: "http://127.0.0.1:1", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	err = c.send(t.Context(), methodGroupSend, "token", map[string]string{}, nil)
	if err == nil || errors.Is(err, pipeline.ErrOutcomeUnknown) || strings.Contains(err.Error(), "127.0.0.1") {
		t.Errorf("err = %v", err)
	}
}

func TestNewChecks(t *testing.T) {
	secret := func(context.Context) (string, error) { return "", nil }
	log := slog.New(slog.DiscardHandler)
	for _, c := range []Config{{}, {ClientID: "c", Secret: secret}, {ClientID: "c", Log: log}, {ClientID: "c", Secret: secret, Log: log, APIURL: "nonsense"}} {
		if _, err := New(c); err == nil {
			t.Errorf("New(%+v) succeeded", c)
		}
	}
}

func TestOpenFile(t *testing.T) {
	r := newRig(t, dingtest.Options{}, "")
	defer r.done()
	r.dt.AddFile("code1", []byte("picture"))
	m := r.ask(dingtest.Inbound{})
	f, err := NewReader(r.c).Open(t.Context(), m, chat.File{ID: "code1"})
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(f)
	if err != nil || string(data) != "picture" {
		t.Errorf("read %q, %v", data, err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if _, err := NewReader(r.c).Open(t.Context(), m, chat.File{ID: "old"}); !pipeline.Classify(err).Permanent {
		t.Errorf("an old code: %v, want a permanent error", err)
	}
	r.dt.Fail(dingtest.Blob, 1, dingtest.FaultCut)
	if _, err := NewReader(r.c).Open(t.Context(), m, chat.File{ID: "code1"}); err == nil || strings.Contains(err.Error(), "signature") || strings.Contains(err.Error(), "code1") {
		t.Errorf("a cut download: %v", err)
	}
	if said, err := NewReader(r.c).Thread(t.Context(), m, 10); said != nil || err != nil {
		t.Errorf("Thread = %v, %v", said, err)
	}
}

func TestFilesComeFromDingTalkOnly(t *testing.T) {
	r := newRig(t, dingtest.Options{}, "")
	m := r.ask(dingtest.Inbound{})
	for address, want := range map[string]string{
		"https://static.dingtalk.com/x?sign=1":             "https://static.dingtalk.com/x?sign=1",
		"http://bucket.oss-cn-hangzhou.aliyuncs.com/x":     "https://bucket.oss-cn-hangzhou.aliyuncs.com/x",
		"https://evil.example/x":                           "",
		"https://dingtalk.com.evil.example/x":              "",
		"https://evildingtalk.com/x":                       "",
		"https://static.dingtalk.com@evil.example/x":       "",
		"https://static.dingtalk.com:8443/x":               "",
		"file:///etc/passwd":                               "",
		"http://169.254.169.254/latest":                    "",
		"":                                                 "",
		"https://api.dingtalk.com/v1.0/x":                  "https://api.dingtalk.com/v1.0/x",
		"https://xn--dingtalk-x.aliyuncs.com.cn.example/x": "",
	} {
		got, err := r.c.fileAddress(address)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("fileAddress(%q) = %q, %v", address, got, err)
		}
	}
	r.dt.Fail(dingtest.FileURL, 1, dingtest.Fault{Status: 200, Body: `{"downloadUrl":"https://evil.example/x"}`})
	if _, err := NewReader(r.c).Open(t.Context(), m, chat.File{ID: "x"}); !pipeline.Classify(err).Permanent || r.dt.Calls(dingtest.Blob) != 0 {
		t.Errorf("a foreign address: %v after %d downloads", err, r.dt.Calls(dingtest.Blob))
	}
}

// A redirect is not followed: it could lead a webhook or a token anywhere.
func TestRedirectsAreNotFollowed(t *testing.T) {
	r := newRig(t, dingtest.Options{}, "")
	calls := 0
	r.c.http.Transport = roundTripper(func(req *http.Request) (*http.Response, error) {
		calls++
		return &http.Response{StatusCode: 302, Header: http.Header{"Location": {"https://evil.example/"}}, Body: io.NopCloser(strings.NewReader("")), Request: req}, nil
	})
	if err := r.c.webhook(t.Context(), "https://oapi.dingtalk.com/robot/sendBySession?session=x", "t", "x", nil); err == nil || calls != 1 {
		t.Errorf("%v after %d calls", err, calls)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestDialect(t *testing.T) {
	for _, c := range []struct{ name, in, message, card string }{
		{"lines of a paragraph", "a\nb\n\nc", "a  \nb\n\nc", "a<br>\nb\n\nc"},
		{"a list after a paragraph", "a\n- b\n- c\nd", "a\n\n- b\n- c  \nd", "a\n\n- b\n- c<br>\nd"},
		{"a table after a paragraph", "a\n| b | c |\n|---|---|\n| d | e |", "a\n\n| b | c |\n|---|---|\n| d | e |", "a\n\n| b | c |\n|---|---|\n| d | e |"},
		{"a table without outer bars", "a | b\n--- | ---\nc | d\nafter", "a | b\n--- | ---\nc | d\nafter", "a | b\n--- | ---\nc | d\nafter"},
		{"a fence", "a\n```\nb\nc\n```\nd\ne", "a\n\n```\nb\nc\n```\nd  \ne", "a\n\n```\nb\nc\n```\nd<br>\ne"},
		{"a fence of tildes around backticks", "~~~\n```\na\nb\n~~~", "~~~\n```\na\nb\n~~~", "~~~\n```\na\nb\n~~~"},
		{"a heading", "# a\nb\nc", "# a\nb  \nc", "# a\nb<br>\nc"},
		{"an underlined heading", "a\n===\nb", "a\n===\nb", "a\n===\nb"},
		{"indented code", "a\n\n    b\n    c\n", "a\n\n    b\n    c\n", "a\n\n    b\n    c\n"},
		{"a nested list", "- a\n  - b\n    c\n- d", "- a\n  - b  \n    c\n- d", "- a\n  - b<br>\n    c\n- d"},
		{"a quote", "> a\n> b", "> a  \n> b", "> a<br>\n> b"},
	} {
		if got := forMessage(c.in); got != c.message {
			t.Errorf("%s: message %q, want %q", c.name, got, c.message)
		}
		if got := forCard(c.in); got != c.card {
			t.Errorf("%s: card %q, want %q", c.name, got, c.card)
		}
	}
}

func TestTitle(t *testing.T) {
	for in, want := range map[string]string{
		"## A *title*\n\ntext":   "A title",
		"":                       "…",
		strings.Repeat("汉", 100): strings.Repeat("汉", 19) + "…",
	} {
		if got := title(in); got != want {
			t.Errorf("title(%q) = %q, want %q", in, got, want)
		}
	}
}

// Whatever a model writes fits DingTalk's messages, in both dialects.
func FuzzSplitFits(f *testing.F) {
	for _, s := range []string{"a\nb", strings.Repeat("\n\u2028", 4000), strings.Repeat("\"\\\n", 3000), strings.Repeat("<答案>|", 2000), "```\n" + strings.Repeat("x\n", 5000)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, md string) {
		for i, part := range split(md) {
			if n := encoded(forMessage(part)); n > maxBytes-margin {
				t.Fatalf("part %d takes %d bytes", i, n)
			}
			if n := encoded(forCard(part)); n > maxBytes-margin {
				t.Fatalf("part %d takes %d bytes in a card", i, n)
			}
		}
	})
}
