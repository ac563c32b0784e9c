package slacktest_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slack-go/slack"

	"parley/pkg/slack/slacktest"
)

const (
	channel = "C0ROOM0001"
	ann     = "U0ANN00001"
)

// client is slack-go on the fake, without sockets.
func client(s *slacktest.Server) *slack.Client {
	return slack.New(slacktest.DefaultToken, slack.OptionAPIURL(s.APIURL()),
		slack.OptionHTTPClient(&http.Client{Transport: s.Transport(), Timeout: 8 * time.Second}))
}

func stream(t *testing.T, c *slack.Client, root, text string) string {
	t.Helper()
	_, ts, err := c.StartStreamContext(context.Background(), channel, slack.MsgOptionTS(root), slack.MsgOptionMarkdownText(text),
		slack.MsgOptionRecipientUserID(ann), slack.MsgOptionRecipientTeamID(slacktest.DefaultTeam))
	if err != nil {
		t.Fatalf("start stream: %v", err)
	}
	return ts
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var refused slack.SlackErrorResponse
	if !errors.As(err, &refused) || refused.Err != code {
		t.Fatalf("got error %v, want %s", err, code)
	}
}

func wantViolations(t *testing.T, s *slacktest.Server, n int) {
	t.Helper()
	if v := s.Violations(); len(v) != n {
		t.Fatalf("got %d violations, want %d: %q", len(v), n, v)
	}
}

func TestStreamIsRefusedEditsAndDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := slacktest.New(slacktest.Options{})
		c, ctx := client(s), context.Background()
		q := s.Say(channel, "", ann, "hello")
		ts := stream(t, c, q.TS, "One. ")
		if _, _, err := c.AppendStreamContext(ctx, channel, ts, slack.MsgOptionMarkdownText("Two.")); err != nil {
			t.Fatal(err)
		}
		_, _, _, err := c.UpdateMessageContext(ctx, channel, ts, slack.MsgOptionText("x", false))
		wantCode(t, err, "streaming_state_conflict")
		_, _, err = c.DeleteMessageContext(ctx, channel, ts)
		wantCode(t, err, "cant_delete_message")
		wantViolations(t, s, 2)
		time.Sleep(5 * time.Minute)
		_, _, err = c.AppendStreamContext(ctx, channel, ts, slack.MsgOptionMarkdownText("Three."))
		wantCode(t, err, "message_not_in_streaming_state")
		_, _, err = c.StopStreamContext(ctx, channel, ts)
		wantCode(t, err, "message_not_in_streaming_state")
		if got := s.Answers(channel, q.TS); len(got) != 1 || got[0].Text() != "One. Two." || got[0].Open {
			t.Fatalf("the thread shows %+v", got)
		}
		if _, _, _, err := c.UpdateMessageContext(ctx, channel, ts, slack.MsgOptionText("whole", false)); err != nil {
			t.Fatalf("a dead stream can be edited: %v", err)
		}
	})
}

func TestStreamWantsThreadAndRecipients(t *testing.T) {
	s := slacktest.New(slacktest.Options{})
	c, ctx := client(s), context.Background()
	q := s.Say(channel, "", ann, "hello")
	r := s.Say(channel, q.TS, ann, "again")
	_, _, err := c.StartStreamContext(ctx, channel, slack.MsgOptionRecipientUserID(ann), slack.MsgOptionRecipientTeamID("T1"))
	wantCode(t, err, "invalid_thread_ts")
	_, _, err = c.StartStreamContext(ctx, channel, slack.MsgOptionTS(q.TS))
	wantCode(t, err, "missing_recipient_user_id")
	_, _, err = c.StartStreamContext(ctx, channel, slack.MsgOptionTS(r.TS), slack.MsgOptionRecipientUserID(ann), slack.MsgOptionRecipientTeamID("T1"))
	wantCode(t, err, "invalid_thread_ts")
	wantViolations(t, s, 3)
}

func TestRatesAreHeldAndImpatienceIsRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := slacktest.New(slacktest.Options{PerMinute: map[string]int{"chat.update": 2}})
		c, ctx := client(s), context.Background()
		s.Say(channel, "", ann, "hello")
		_, ts, err := c.PostMessageContext(ctx, channel, slack.MsgOptionText("0", false))
		if err != nil {
			t.Fatal(err)
		}
		update := func() error {
			_, _, _, err := c.UpdateMessageContext(ctx, channel, ts, slack.MsgOptionText("1", false))
			return err
		}
		for range 2 {
			if err := update(); err != nil {
				t.Fatal(err)
			}
		}
		var limited *slack.RateLimitedError
		if err := update(); !errors.As(err, &limited) || limited.RetryAfter != time.Minute {
			t.Fatalf("got %v, want a wait of a minute", err)
		}
		if err := update(); !errors.As(err, &limited) {
			t.Fatalf("got %v, want a wait", err)
		}
		wantViolations(t, s, 0) // it may have been under way
		time.Sleep(time.Second)
		if err := update(); !errors.As(err, &limited) {
			t.Fatalf("got %v, want a wait", err)
		}
		wantViolations(t, s, 1)
		time.Sleep(time.Minute)
		if err := update(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestStormRefusesEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := slacktest.New(slacktest.Options{})
		c := client(s)
		s.Say(channel, "", ann, "hello")
		post := func() error {
			_, _, err := c.PostMessageContext(context.Background(), channel, slack.MsgOptionText("x", false))
			return err
		}
		s.Storm(time.Minute, 30*time.Second)
		var limited *slack.RateLimitedError
		for range 2 {
			if err := post(); !errors.As(err, &limited) || limited.RetryAfter != 30*time.Second {
				t.Fatalf("got %v, want a wait of 30 s", err)
			}
			time.Sleep(30 * time.Second)
		}
		if err := post(); err != nil {
			t.Fatal(err)
		}
		wantViolations(t, s, 0)
		s.Storm(time.Minute, 30*time.Second)
		_ = post()
		time.Sleep(20 * time.Second)
		_ = post()
		wantViolations(t, s, 1)
	})
}

func TestChannelTakesABurstThenOneASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := slacktest.New(slacktest.Options{PostBurst: 2})
		c := client(s)
		s.Say(channel, "", ann, "hello")
		post := func() error {
			_, _, err := c.PostMessageContext(context.Background(), channel, slack.MsgOptionText("x", false))
			return err
		}
		if err := errors.Join(post(), post()); err != nil {
			t.Fatal(err)
		}
		var limited *slack.RateLimitedError
		if err := post(); !errors.As(err, &limited) || limited.RetryAfter != time.Second {
			t.Fatalf("got %v, want a second's wait", err)
		}
		time.Sleep(time.Second)
		if err := post(); err != nil {
			t.Fatal(err)
		}
		wantViolations(t, s, 0)
	})
}

func TestFaultsBeforeAndAfter(t *testing.T) {
	for _, tc := range []struct {
		name    string
		fault   slacktest.Fault
		applied bool
	}{
		{"cut before", slacktest.CutBefore(), false},
		{"cut after", slacktest.CutAfter(), true},
		{"500 before", slacktest.FailBefore(), false},
		{"500 after", slacktest.FailAfter(), true},
		{"undecodable", slacktest.Undecodable(), true},
		{"refused", slacktest.Refused("internal_error"), false},
		{"late", slacktest.Late(9 * time.Second), true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := slacktest.New(slacktest.Options{})
				c, ctx := client(s), context.Background()
				q := s.Say(channel, "", ann, "hello")
				s.Inject("chat.postMessage", 2, tc.fault)
				post := func(text string) error {
					_, _, err := c.PostMessageContext(ctx, channel, slack.MsgOptionTS(q.TS), slack.MsgOptionText(text, false))
					return err
				}
				if err := post("first"); err != nil {
					t.Fatalf("the first call is untouched: %v", err)
				}
				if err := post("second"); err == nil {
					t.Fatal("the second call reported success")
				}
				time.Sleep(2 * time.Second)
				synctest.Wait()
				if got := len(s.Answers(channel, q.TS)); got != map[bool]int{true: 2, false: 1}[tc.applied] {
					t.Fatalf("%d messages are shown, applied should be %v", got, tc.applied)
				}
			})
		})
	}
}

func TestLimitsOfContent(t *testing.T) {
	s := slacktest.New(slacktest.Options{PostBurst: 100})
	c, ctx := client(s), context.Background()
	s.Say(channel, "", ann, "hello")
	post := func(o ...slack.MsgOption) error {
		_, _, err := c.PostMessageContext(ctx, channel, o...)
		return err
	}
	long := strings.Repeat("x", 12001)
	wantCode(t, post(slack.MsgOptionMarkdownText(long)), "msg_too_long")
	wantCode(t, post(slack.MsgOptionMarkdownText("a"), slack.MsgOptionText("b", false)), "markdown_text_conflict")
	wantCode(t, post(slack.MsgOptionBlocks(slack.NewMarkdownBlock("", long))), "msg_blocks_too_long")
	wantCode(t, post(slack.MsgOptionBlocks(slack.NewSectionBlock(slack.NewTextBlockObject("mrkdwn", long[:3001], false, false), nil, nil))), "invalid_blocks")
	many := make([]slack.Block, 51)
	for i := range many {
		many[i] = slack.NewDividerBlock()
	}
	wantCode(t, post(slack.MsgOptionBlocks(many...)), "invalid_blocks")
	wantViolations(t, s, 5)
	wantCode(t, post(), "no_text")
}

func TestRepliesPageAndKeepTheRoot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := slacktest.New(slacktest.Options{PageSize: 2})
		c, ctx := client(s), context.Background()
		q := s.Say(channel, "", ann, "root")
		for _, text := range []string{"a", "b", "c"} {
			time.Sleep(time.Second)
			s.SayAsParley(channel, q.TS, text, &slacktest.Metadata{EventType: "t", EventPayload: map[string]any{"k": text}})
		}
		var texts []string
		p := &slack.GetConversationRepliesParameters{ChannelID: channel, Timestamp: q.TS, IncludeAllMetadata: true, Oldest: s.Thread(channel, q.TS)[1].TS}
		for {
			msgs, more, cursor, err := c.GetConversationRepliesContext(ctx, p)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range msgs {
				texts = append(texts, m.Text)
				if m.Text == "c" && m.Metadata.EventPayload["k"] != "c" {
					t.Errorf("metadata is missing: %+v", m.Metadata)
				}
			}
			if p.Cursor = cursor; !more {
				break
			}
		}
		if got := strings.Join(texts, " "); got != "root b c" {
			t.Fatalf("read %q", got)
		}
	})
}

// Histories hold blocks that a client library has never heard of.
func TestHologramsBreakStrictReaders(t *testing.T) {
	s := slacktest.New(slacktest.Options{})
	q := s.Say(channel, "", ann, "root")
	s.SayAsBot(channel, q.TS, "strange", true)
	p := &slack.GetConversationRepliesParameters{ChannelID: channel, Timestamp: q.TS}
	if _, _, _, err := client(s).GetConversationRepliesContext(context.Background(), p); err == nil {
		t.Fatal("slack-go read an unknown block element")
	}
}

func TestResponseURLReplacesAndWearsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := slacktest.New(slacktest.Options{})
		s.Say(channel, "", ann, "hello")
		in := s.EventSlash("/ask", "what", channel, ann)
		form, err := in.Request("http://app")
		if err != nil {
			t.Fatal(err)
		}
		url := form.PostFormValue("response_url")
		hc := &http.Client{Transport: s.Transport()}
		post := func(text string, replace bool) error {
			return slack.PostWebhookCustomHTTPContext(context.Background(), url, hc, &slack.WebhookMessage{Text: text, ReplaceOriginal: replace})
		}
		for range 5 {
			if err := post("answer", true); err != nil {
				t.Fatal(err)
			}
		}
		if got := s.Ephemeral(channel, ann); len(got) != 1 || got[0].Text() != "answer" {
			t.Fatalf("the person sees %+v", got)
		}
		var gone slack.StatusCodeError
		if err := post("sixth", true); !errors.As(err, &gone) || gone.Code != http.StatusNotFound {
			t.Fatalf("got %v, want 404", err)
		}
	})
}

func TestSignMatchesTheKnownVector(t *testing.T) {
	body := []byte(`{"type":"url_verification","challenge":"abc"}`)
	h := slacktest.Sign("0123456789abcdef0123456789abcdef", body, time.Unix(1700000000, 0))
	const want = "v0=0af59a2093209bf5fd729275f78b68ca1fd0f5cde475f4e9b5b24207db57d1bb"
	if got := h.Get("X-Slack-Signature"); got != want {
		t.Fatalf("got %s", got)
	}
}

func TestSignInPageWithoutTheToken(t *testing.T) {
	s := slacktest.New(slacktest.Options{})
	f := s.AddFile(slacktest.File{Name: "q3.txt", MIME: "text/plain", Data: []byte("numbers")})
	var got strings.Builder
	if err := client(s).GetFileContext(context.Background(), f.URL, &got); err != nil || got.String() != "numbers" {
		t.Fatalf("got %q, %v", got.String(), err)
	}
	hidden := s.AddFile(slacktest.File{Name: "secret.txt", MIME: "text/plain", Hidden: true})
	if err := client(s).GetFileContext(context.Background(), hidden.URL, &got); err == nil || !strings.Contains(err.Error(), "sign-in") {
		t.Fatalf("got %v, want a redirect to the sign-in page", err)
	}
}

func TestLoopback(t *testing.T) {
	s := slacktest.New(slacktest.Options{})
	base, stop, err := s.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	c := slack.New(slacktest.DefaultToken, slack.OptionAPIURL(base+"/api/"))
	who, err := c.AuthTestContext(context.Background())
	if err != nil || who.UserID != slacktest.DefaultBotUser {
		t.Fatalf("got %+v, %v", who, err)
	}
	s.SetToken("xoxb-rotated")
	_, err = c.AuthTestContext(context.Background())
	wantCode(t, err, "invalid_auth")
}
