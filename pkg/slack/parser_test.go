package slack

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

// envelopeOf wraps an inner event as Slack does.
func envelopeOf(inner string) string {
	return `{"type":"event_callback","team_id":"T0HOME","api_app_id":"A0APP","event_id":"Ev0","is_ext_shared_channel":false,` +
		`"authorizations":[{"team_id":"T0HOME","user_id":"U0BOT","is_bot":true}],"event":` + inner + `}`
}

func one(t testing.TB, p *Parser, body string) chat.Message {
	t.Helper()
	parsed, err := p.Parse(signed(PathEvents, body), received)
	if err != nil || len(parsed.Messages) != 1 {
		t.Fatalf("%d messages, ignored %q, error %v", len(parsed.Messages), parsed.Ignored, err)
	}
	return parsed.Messages[0]
}

// TestTwins checks that what a mention says does not depend on which of its two
// events is read.
func TestTwins(t *testing.T) {
	p := newTestParser(t, Config{FollowUps: true})
	for name, rest := range map[string]string{
		"question":   `"text":"<@U0BOT> what is SQS?"`,
		"in thread":  `"text":"what about <@U0BOT>?","thread_ts":"1779999000.000200"`,
		"command":    `"text":"<@U0BOT> stop","thread_ts":"1779999000.000200"`,
		"empty":      `"text":" <@U0BOT>"`,
		"named":      `"text":"<@U0BOT|parley>: hi"`,
		"in blocks":  `"text":"","blocks":[{"type":"rich_text","elements":[{"type":"user","user_id":"U0BOT"},{"type":"text","text":" hi"}]}]`,
		"file":       `"text":"<@U0BOT>","subtype":"file_share","files":[{"id":"F0","name":"a.pdf"}]`,
		"broadcast":  `"text":"<@U0BOT> hi","subtype":"thread_broadcast","thread_ts":"1779999000.000200"`,
		"foreign":    `"text":"<@U0BOT> hi","user_team":"T0THEIRS","source_team":"T0THEIRS"`,
		"odd blocks": `"text":"<@U0BOT> hi","blocks":[{"type":[]}],"files":3`,
	} {
		t.Run(name, func(t *testing.T) {
			fields := `"user":"U0ANN","team":"T0HOME","ts":"1780000000.000100","channel":"C0CHAN",` + rest + `}`
			mention := one(t, p, envelopeOf(`{"type":"app_mention",`+fields))
			twin := one(t, p, envelopeOf(`{"type":"message","channel_type":"channel",`+fields))
			// Only the message event tells the channel's type.
			r, err := ParseRoute(twin.Route)
			if err != nil {
				t.Fatal(err)
			}
			r.ChannelType = ""
			twin.Route = r.JSON()
			if diff := cmp.Diff(mention, twin); diff != "" {
				t.Errorf("app_mention and message differ:\n%s", diff)
			}
		})
	}
}

// TestLongText checks that text is cut at the border of a character so that the
// envelope fits, whatever the text inflates to.
func TestLongText(t *testing.T) {
	p := newTestParser(t, Config{})
	files := strings.Repeat(`{"id":"F0FILE00001","name":"`+strings.Repeat("长", 300)+`","mimetype":"`+strings.Repeat(`\"`, 300)+
		`","url_private":"https://files.slack.com/`+strings.Repeat("x", 470)+`"},`, 30)
	for _, unit := range []string{"问", "a", `\"`, `\\`, "&lt;", "<", "&amp;", `a\u2028`, `\u0001b`, "😀", `\ufffd`, `\n`, "<https://example.com/?a&amp;b|c>"} {
		t.Run(unit, func(t *testing.T) {
			text := strings.Repeat(unit, 400_000/len(unit))
			body := envelopeOf(`{"type":"message","channel_type":"im","user":"U0ANN","ts":"1780000000.000100","channel":"D0DM","text":"x` +
				text + `","files":[` + strings.TrimSuffix(files, ",") + `]}`)
			m := one(t, p, body)
			data, err := chat.EncodeMessage(m)
			if err != nil {
				t.Fatal(err)
			}
			if !utf8.ValidString(m.Text) || unit != `\n` && !strings.HasSuffix(m.Text, cutMark) {
				t.Errorf("text ends with %q", m.Text[max(0, len(m.Text)-20):])
			}
			if unit != `\n` && len(data) < maxText/6 {
				t.Errorf("only %d bytes are left", len(data))
			}
		})
	}
}

// TestShortTextUncut checks that a text of ordinary length is kept whole.
func TestShortTextUncut(t *testing.T) {
	p := newTestParser(t, Config{})
	text := strings.Repeat("字", 12_000)
	m := one(t, p, envelopeOf(`{"type":"message","channel_type":"im","user":"U0ANN","ts":"1780000000.000100","channel":"D0DM","text":"`+text+`"}`))
	if m.Text != text {
		t.Errorf("%d of %d bytes are left", len(m.Text), len(text))
	}
}

func TestNewParser(t *testing.T) {
	secrets := func() []string { return nil }
	for name, cfg := range map[string]Config{
		"no secrets":  {},
		"API no URL":  {Secrets: secrets, APIURL: "::"},
		"API no host": {Secrets: secrets, APIURL: "slack.com/api/"},
	} {
		if _, err := NewParser(cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestRoute(t *testing.T) {
	want := Route{
		AppID: "A0APP", Team: "T0HOME", Channel: "C0CHAN", ChannelType: TypeGroup, ThreadTS: "1.000001", TS: "1.000002",
		User: "U0ANN", UserTeam: "T0HOME", BotUser: "U0BOT", ResponseURL: "https://hooks.slack.com/x", ExtShared: true,
	}
	got, err := ParseRoute(want.JSON())
	if err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	if s := fmt.Sprint(want.LogValue()); strings.Contains(s, "hooks") {
		t.Errorf("the response_url is logged: %s", s)
	}
	for _, raw := range []string{"", "{", "{}", `{"app":"A0APP"}`, "[]"} {
		if _, err := ParseRoute(json.RawMessage(raw)); err == nil {
			t.Errorf("ParseRoute(%q) succeeds", raw)
		}
	}
}

func TestButtonValue(t *testing.T) {
	want := ButtonValue{
		Subject: MessageID("A0APP", "C0CHAN", "1780000000.000100"), Fence: 1780000000123, Reason: string(pipeline.ReasonThrottled), Verdict: chat.Up,
		Conversation: chat.Conversation{Platform: chat.Slack, Tenant: "A0APP", Channel: "C0CHAN", Thread: "1780000000.000100"},
	}
	s, err := want.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := DecodeButtonValue(s); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	if !want.fits("A0APP", "C0CHAN") {
		t.Error("a usual value does not fit")
	}
	want.Reason = strings.Repeat("x", MaxButtonValue)
	if _, err := want.Encode(); err == nil {
		t.Error("a value that Slack refuses is encoded")
	}
}

// TestUnknownPath checks that a signed request elsewhere is refused as malformed.
func TestUnknownPath(t *testing.T) {
	p := newTestParser(t, Config{})
	if _, err := p.Parse(signed("/slack/else", "{}"), received); !errors.Is(err, pipeline.ErrMalformed) {
		t.Error(err)
	}
	if parsed, err := p.ParsePayload("else", []byte("{}"), received); err != nil || parsed.Ignored != IgnoredType {
		t.Errorf("%+v, %v", parsed, err)
	}
}

func BenchmarkParse(b *testing.B) {
	p := newTestParser(b, Config{FollowUps: true})
	r := signed(PathEvents, envelopeOf(mentionEvent))
	b.ReportAllocs()
	for b.Loop() {
		if parsed, err := p.Parse(r, received); err != nil || len(parsed.Messages) != 1 {
			b.Fatal(parsed, err)
		}
	}
}

const mentionEvent = `{"type":"app_mention","user":"U0USER001","text":"<@U0BOT> summarise this &amp; that","ts":"1780000000.000100",` +
	`"client_msg_id":"6f0c1f0e-1111-4222-8333-944445555666","team":"T0HOME","thread_ts":"1779999000.000200","channel":"C0CHAN001",` +
	`"event_ts":"1780000000.000100","blocks":[{"type":"rich_text","block_id":"aB1","elements":[{"type":"rich_text_section",` +
	`"elements":[{"type":"user","user_id":"U0BOT"},{"type":"text","text":" summarise this & that"}]}]}]}`

// TestParseAllocations keeps the ingress cheap.
func TestParseAllocations(t *testing.T) {
	p := newTestParser(t, Config{FollowUps: true})
	r := signed(PathEvents, envelopeOf(mentionEvent))
	if n := testing.AllocsPerRun(100, func() { _, _ = p.Parse(r, received) }); n > 60 {
		t.Errorf("%v allocations for one event", n)
	}
}
