package slacktest_test

import (
	"context"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"

	"parley/pkg/slack/slacktest"
)

// connected is a workspace over sockets and a client of slack-go's in Socket Mode.
func connected(t *testing.T, token string) (*slacktest.Server, *slack.Client) {
	t.Helper()
	s := slacktest.New(slacktest.Options{})
	base, stop, err := s.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return s, slack.New("", slack.OptionAppLevelToken(token), slack.OptionAPIURL(base+"/api/"))
}

// envelopes runs a client and returns what it is sent.
func envelopes(t *testing.T, api *slack.Client) (*socketmode.Client, <-chan *socketmode.Request) {
	t.Helper()
	c := socketmode.New(api)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = c.RunContext(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	out := make(chan *socketmode.Request, 16)
	go func() {
		for {
			select {
			case e := <-c.Events:
				if e.Request != nil && e.Request.EnvelopeID != "" {
					out <- e.Request
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return c, out
}

func TestSocket(t *testing.T) {
	s, api := connected(t, slacktest.DefaultApp)
	first := s.EventMention(s.Say(channel, "", ann, "one"))
	s.Push(first) // waits for a connection
	c, sent := envelopes(t, api)
	e := within(t, sent)
	if e.Type != "events_api" || string(e.Payload) != string(first.Body) || e.RetryAttempt != 0 || e.AcceptsResponsePayload {
		t.Errorf("the mention comes as %+v", e)
	}
	s.Refresh() // not acknowledged, it comes again
	if again := within(t, sent); again.EnvelopeID != e.EnvelopeID || again.RetryAttempt != 1 {
		t.Errorf("after the connection's end comes %+v", again)
	}
	if err := c.Ack(*e); err != nil {
		t.Fatal(err)
	}
	s.Push(s.EventSlash("/parley", "two", channel, ann))
	e = within(t, sent)
	if e.Type != "slash_commands" || !e.AcceptsResponsePayload {
		t.Errorf("the command comes as %+v", e)
	}
	if err := c.Ack(*e); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the acknowledgements", func() bool { return s.Unacked() == 0 })
	wantViolations(t, s, 0)
}

// eventually waits for what happens on another side of a socket.
func eventually(t *testing.T, what string, happened func() bool) {
	t.Helper()
	often := time.NewTicker(5 * time.Millisecond)
	defer often.Stop()
	for range 2000 {
		if happened() {
			return
		}
		<-often.C
	}
	t.Fatalf("%s: not in ten seconds", what)
}

func within(t *testing.T, sent <-chan *socketmode.Request) *socketmode.Request {
	t.Helper()
	select {
	case e := <-sent:
		return e
	case <-time.After(20 * time.Second):
		t.Fatal("nothing comes")
		return nil
	}
}

func TestSocketWantsTheAppsTokenAndAFreshURL(t *testing.T) {
	_, stranger := connected(t, slacktest.DefaultToken)
	_, _, err := stranger.StartSocketModeContext(t.Context())
	wantCode(t, err, "invalid_auth")
	s, api := connected(t, slacktest.DefaultApp)
	_, url, err := api.StartSocketModeContext(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ws, _, err := websocket.DefaultDialer.Dial(url, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	if _, _, err := websocket.DefaultDialer.Dial(url, nil); err == nil {
		t.Error("the url works twice")
	}
	if err := ws.WriteMessage(websocket.TextMessage, []byte(`{"envelope_id":"never sent"}`)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the violations", func() bool { return len(s.Violations()) == 2 })
}
