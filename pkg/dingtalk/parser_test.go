package dingtalk

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strconv"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

func TestSignVectors(t *testing.T) {
	for _, v := range []struct{ at, secret, want string }{
		{"1767225600000", "example-app-secret-not-real", "0CEbujqeLl6scKsCHExt6oRgAdAqs145YBW268ZbOuM="},
		{"1700000000123", "SEC0f1e2d3c4b5a", "kAzp+2c0ExP5dEgolToEDu3Tc82bICisOONq2z57vnU="},
	} {
		if got := Sign(v.at, v.secret); got != v.want {
			t.Errorf("Sign(%q) = %q, want %q", v.at, got, v.want)
		}
	}
}

const signedBody = `{"msgtype":"text","text":{"content":"hi"},"msgId":"m1","conversationType":"1",` +
	`"conversationId":"c1","senderId":"s1","senderStaffId":"u1","robotCode":"r1"}`

func TestSignature(t *testing.T) {
	now := time.UnixMilli(1767225600000)
	p := NewParser(Config{Secrets: func() []string { return []string{"", "new", "old"} }})
	at := func(d time.Duration) string { return strconv.FormatInt(now.Add(d).UnixMilli(), 10) }
	pair := func(ts, sign string) http.Header {
		return http.Header{"Timestamp": {ts}, "Sign": {sign}}
	}
	for _, c := range []struct {
		name   string
		path   string
		header http.Header
		ok     bool
	}{
		{"valid", MessagesPath, pair(at(0), Sign(at(0), "new")), true},
		{"the other secret of a rotation", MessagesPath, pair(at(0), Sign(at(0), "old")), true},
		{"an hour old", MessagesPath, pair(at(-time.Hour), Sign(at(-time.Hour), "new")), true},
		{"more than an hour old", MessagesPath, pair(at(-time.Hour-time.Millisecond), Sign(at(-time.Hour-time.Millisecond), "new")), false},
		{"five minutes ahead", MessagesPath, pair(at(5*time.Minute), Sign(at(5*time.Minute), "new")), true},
		{"more than five minutes ahead", MessagesPath, pair(at(5*time.Minute+time.Millisecond), Sign(at(5*time.Minute+time.Millisecond), "new")), false},
		{"unknown secret", MessagesPath, pair(at(0), Sign(at(0), "other")), false},
		{"the empty secret", MessagesPath, pair(at(0), Sign(at(0), "")), false},
		{"another time's signature", MessagesPath, pair(at(time.Second), Sign(at(0), "new")), false},
		{"unsigned", MessagesPath, http.Header{}, false},
		{"no timestamp", MessagesPath, http.Header{"Sign": {Sign("", "new")}}, false},
		{"a timestamp that is no number", MessagesPath, pair("soon", Sign("soon", "new")), false},
		{"a timestamp beyond 64 bits", MessagesPath, pair("99999999999999999999", Sign("99999999999999999999", "new")), false},
		{"lower-case headers with spaces", MessagesPath, http.Header{"timestamp": {at(0)}, "sign": {" " + Sign(at(0), "new") + " "}}, true},
		{"a card's signature on a message", MessagesPath, http.Header{"X-Ddpaas-Signature-Timestamp": {at(0)}, "X-Ddpaas-Signature": {SignCard(at(0), "new")}}, false},
		{"a card", CardsPath, http.Header{"X-Ddpaas-Signature-Timestamp": {at(0)}, "X-Ddpaas-Signature": {SignCard(at(0), "new")}}, true},
		{"a card signed like a message", CardsPath, pair(at(0), Sign(at(0), "new")), true},
		{"a stale card", CardsPath, http.Header{"X-Ddpaas-Signature-Timestamp": {at(-2 * time.Hour)}, "X-Ddpaas-Signature": {SignCard(at(-2*time.Hour), "new")}}, false},
		{"an unsigned card", CardsPath, http.Header{}, false},
		{"another path", "/dingtalk/other", pair(at(0), Sign(at(0), "new")), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := p.Parse(pipeline.Request{Method: "POST", Path: c.path, Header: c.header, Body: []byte(signedBody)}, now)
			if got := !errors.Is(err, pipeline.ErrUnauthorized); got != c.ok {
				t.Errorf("accepted = %v (%v), want %v", got, err, c.ok)
			}
		})
	}
}

func TestNoSecretAcceptsNothing(t *testing.T) {
	now := time.UnixMilli(1767225600000)
	ts := strconv.FormatInt(now.UnixMilli(), 10)
	h := http.Header{"Timestamp": {ts}, "Sign": {Sign(ts, "")}}
	for _, p := range []*Parser{NewParser(Config{}), NewParser(Config{Secrets: func() []string { return []string{""} }})} {
		if _, err := p.Parse(pipeline.Request{Path: MessagesPath, Header: h, Body: []byte(signedBody)}, now); !errors.Is(err, pipeline.ErrUnauthorized) {
			t.Errorf("err = %v, want unauthorized", err)
		}
	}
}

func TestWebhookAllowed(t *testing.T) {
	trusted := []string{"127.0.0.1:8080"}
	for hook, want := range map[string]bool{
		"https://oapi.dingtalk.com/robot/sendBySession?session=x":     true,
		"https://api.dingtalk.com/robot/sendBySession?session=x":      true,
		"https://OAPI.dingtalk.com:443/robot/sendBySession?session=x": true,
		"http://127.0.0.1:8080/robot/sendBySession":                   true,
		"https://127.0.0.1:8080/robot/sendBySession":                  true,
		"http://oapi.dingtalk.com/robot/sendBySession":                false,
		"https://oapi.dingtalk.com:8443/robot/sendBySession":          false,
		"https://oapi.dingtalk.com.evil.example/":                     false,
		"https://evil.example/oapi.dingtalk.com":                      false,
		"https://oapi.dingtalk.com@evil.example/":                     false,
		"https://user@oapi.dingtalk.com/":                             false,
		"https://sub.oapi.dingtalk.com/":                              false,
		"http://127.0.0.1:8081/":                                      false,
		"http://127.0.0.1/":                                           false,
		"ftp://127.0.0.1:8080/":                                       false,
		"https:oapi.dingtalk.com/":                                    false,
		"//oapi.dingtalk.com/":                                        false,
		"http://169.254.169.254/latest/meta-data":                     false,
		"": false,
		"https://oapi.dingtalk.com\\@evil.example/robot/sendBySession": false,
	} {
		if got := WebhookAllowed(hook, trusted); got != want {
			t.Errorf("WebhookAllowed(%q) = %v, want %v", hook, got, want)
		}
	}
}

func TestRouteSurvivesTheQueueAndStaysOutOfLogs(t *testing.T) {
	want := Route{RobotCode: "r", ConversationType: Group, ConversationID: "c", SenderStaffID: "u", MsgID: "m",
		SessionWebhook: "https://oapi.dingtalk.com/robot/sendBySession?session=secret", Expires: time.UnixMilli(1767225600000).UTC()}
	got, err := ParseRoute(want.JSON())
	if err != nil || got != want {
		t.Errorf("ParseRoute = %+v, %v, want %+v", got, err, want)
	}
	for _, attr := range want.LogValue().Group() {
		if attr.Value.String() == want.SessionWebhook {
			t.Error("the webhook is in the log value")
		}
	}
	for _, bad := range []string{"", "{}", "[]", `{"robotCode":1}`} {
		if _, err := ParseRoute(json.RawMessage(bad)); err == nil {
			t.Errorf("ParseRoute(%q) succeeded", bad)
		}
	}
}

func TestCardValue(t *testing.T) {
	want := CardValue{Subject: "dingtalk:r:m", Fence: 7, Reason: "model", ConversationType: Group,
		Conversation: chat.Conversation{Platform: chat.DingTalk, Tenant: "r", Channel: "c", Thread: "u"}}
	s, err := want.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := DecodeCardValue(s); err != nil || got != want {
		t.Errorf("decoded %+v, %v, want %+v", got, err, want)
	}
	want.Conversation.Channel = string(make([]byte, MaxCardValue))
	if _, err := want.Encode(); err == nil {
		t.Error("a value that DingTalk refuses was encoded")
	}
}

func BenchmarkMessage(b *testing.B) {
	a, err := txtar.ParseFile("testdata/messages/text_group_quote.txtar")
	if err != nil {
		b.Fatal(err)
	}
	data, p := part(a, "body.json"), NewParser(Config{})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Message(data, received); err != nil {
			b.Fatal(err)
		}
	}
}

// seed adds the bodies of all golden cases in dir.
func seed(f *testing.F, dir string) {
	f.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		f.Fatal(err)
	}
	for _, e := range entries {
		a, err := txtar.ParseFile(dir + "/" + e.Name())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(part(a, "body.json"))
	}
}

func FuzzParse(f *testing.F) {
	seed(f, "testdata/messages")
	seed(f, "testdata/cards")
	ts := strconv.FormatInt(received.UnixMilli(), 10)
	h := http.Header{"Timestamp": {ts}, "Sign": {Sign(ts, "s")}}
	p := NewParser(Config{Secrets: func() []string { return []string{"s"} }, PersonalGroups: true})
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, path := range []string{MessagesPath, CardsPath} {
			got, err := p.Parse(pipeline.Request{Path: path, Header: h, Body: body}, received)
			if err != nil {
				if !errors.Is(err, pipeline.ErrMalformed) {
					t.Fatalf("signed request refused with %v", err)
				}
				continue
			}
			if len(got.Messages) == 0 && got.Ignored == "" {
				t.Fatal("a message was lost without a word")
			}
			for _, m := range got.Messages {
				durable(t, m)
			}
		}
	})
}

// durable checks that m can be queued, addressed and answered.
func durable(t *testing.T, m chat.Message) {
	t.Helper()
	data, err := chat.EncodeMessage(m)
	if err != nil {
		t.Fatalf("message does not fit the queue: %v", err)
	}
	if _, err := chat.DecodeMessage(data); err != nil {
		t.Fatal(err)
	}
	if _, err := ParseRoute(m.Route); err != nil {
		t.Fatal(err)
	}
	if m.Kind == "" || m.SentAt.IsZero() || m.Conversation.Channel == "" || m.Author.ID == "" {
		t.Fatalf("incomplete: %+v", m)
	}
}

func TestLargestMessageFitsTheQueue(t *testing.T) {
	long := func(r rune, n int) string {
		rs := make([]rune, n)
		for i := range rs {
			rs[i] = r
		}
		return string(rs)
	}
	for _, r := range []rune{'a', '<', '"', '\n', '\u2028', '汉', '😀', utf8Error} {
		codes := make([]map[string]string, 50)
		for i := range codes {
			codes[i] = map[string]string{"downloadCode": long('c', 1000)}
		}
		b, err := json.Marshal(map[string]any{
			"msgtype": "richText", "msgId": long('m', 512), "conversationType": "2", "conversationId": long('c', 512),
			"senderId": long('s', 512), "senderStaffId": long('t', 512), "senderCorpId": long('u', 512), "robotCode": long('r', 512), "senderNick": long(r, 9000),
			"text": map[string]any{"content": ""},
			"content": map[string]any{"text": long(r, 100_000), "richText": codes, "fileName": long(r, 9000),
				"repliedMsg": map[string]any{"msgId": long('q', 512), "senderNick": long(r, 9000), "content": map[string]string{"text": long(r, 50_000)}}},
			"sessionWebhook": "https://oapi.dingtalk.com/" + long('w', 2000),
		})
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := NewParser(Config{PersonalGroups: true}).Message(b, received)
		if err != nil {
			t.Fatal(err)
		}
		m := parsed.Messages[0]
		durable(t, m)
		if len(m.Files) != maxFiles || m.Quote == nil || m.Quote.MessageID == "" {
			t.Errorf("the case is not the largest: %d files", len(m.Files))
		}
	}
}

const utf8Error = '\uFFFD'
