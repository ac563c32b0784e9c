package slack

import (
	"errors"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/tools/txtar"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

// FuzzParse checks what must hold for any body on any path: no panic, errors of a
// class, messages that later stages can rely on, and never one that is unsigned.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, part := range a.Files {
			switch part.Name {
			case "event":
				f.Add(byte(0), string(part.Data))
			case "command":
				f.Add(byte(1), strings.ReplaceAll(strings.TrimSpace(string(part.Data)), "\n", "&"))
			case "payload":
				f.Add(byte(2), string(part.Data))
			}
		}
	}
	f.Fuzz(func(t *testing.T, where byte, body string) {
		path := [...]string{PathEvents, PathCommands, PathInteractions, "/else"}[where%4]
		if path == PathInteractions {
			body = url.Values{"payload": {body}}.Encode()
		}
		for _, cfg := range []Config{{FollowUps: true, AppID: "A0APP"}, {BotUser: "U0BOT"}} {
			p := newTestParser(t, cfg)
			r := signed(path, body)
			parsed, err := p.Parse(r, received)
			check(t, parsed, err)
			again, _ := p.Parse(r, received.Add(time.Second))
			for i := range parsed.Messages {
				if parsed.Messages[i].ID != again.Messages[i].ID {
					t.Errorf("redelivered, %s is %s", parsed.Messages[i].ID, again.Messages[i].ID)
				}
			}
			r.Header = http.Header{}
			if parsed, err := p.Parse(r, received); len(parsed.Messages) > 0 || err == nil && parsed.Ignored != IgnoredSSLCheck {
				t.Errorf("unsigned: %+v, %v", parsed, err)
			}
		}
	})
}

func check(t *testing.T, parsed pipeline.Parsed, err error) {
	if err != nil {
		if !errors.Is(err, pipeline.ErrMalformed) || len(parsed.Messages) > 0 {
			t.Fatalf("%d messages and error %v", len(parsed.Messages), err)
		}
		return
	}
	if (len(parsed.Messages) == 0) != (parsed.Ignored != "") {
		t.Fatalf("%d messages, ignored %q", len(parsed.Messages), parsed.Ignored)
	}
	ids := map[string]bool{}
	for _, m := range parsed.Messages {
		data, err := chat.EncodeMessage(m)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := chat.DecodeMessage(data); err != nil {
			t.Fatal(err)
		}
		c := m.Conversation
		if m.ID == "" || ids[m.ID] || m.Kind == "" || m.SentAt.IsZero() || m.Author.ID == "" ||
			c.Platform != chat.Slack || c.Tenant == "" || c.Channel == "" {
			t.Fatalf("incomplete message %+v", m)
		}
		ids[m.ID] = true
		if _, err := ParseRoute(m.Route); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsFunc(string(data), func(r rune) bool { return allowed(r) < 0 }) {
			t.Fatalf("a character that SQS refuses in %q", data)
		}
	}
}

// FuzzClean checks that cleaned text is valid, bounded and clean, that cleaning
// says whether there was a mention, and that escaped text comes back as it was.
func FuzzClean(f *testing.F) {
	for _, s := range []string{
		"<@U0BOT> hi", "<@U0BOT|x>, a &lt;b&gt;", "<<@U0BOT>>", "<https://a.b?c&amp;d|e>", "<!date^1^{d}|f>", "<!subteam^S|@x>",
		"a < b > c", "<", "<>", "<|>", "<@>", "<#|>", "<!>", "&amp;amp;", "\x00\x0b\r\n", "\xff\xfe", "  <@U0BOT>  <@U0BOT>  ", "<mailto:a@b|c>",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		text, mentioned := clean(raw, "U0BOT")
		if !utf8.ValidString(text) || jsonLen(text) > maxText || text != strings.TrimSpace(text) && !strings.HasSuffix(text, cutMark) {
			t.Fatalf("clean(%q) = %q", raw, text)
		}
		if strings.ContainsFunc(text, func(r rune) bool { return allowed(r) < 0 }) {
			t.Fatalf("clean(%q) = %q keeps a control character", raw, text)
		}
		if mentioned && !strings.Contains(raw, "<@U0BOT") {
			t.Fatalf("clean(%q) finds a mention", raw)
		}
		literal := bounded(strings.TrimSpace(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(strings.ToValidUTF8(raw, "\uFFFD"))), maxText)
		escaped := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(literal)
		if got, found := clean(escaped, "U0BOT"); found || got != strings.TrimSpace(literal) && jsonLen(literal) < maxText-10 {
			t.Fatalf("escaped, %q comes back as %q", literal, got)
		}
	})
}
