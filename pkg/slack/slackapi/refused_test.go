package slackapi_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley/pkg/chat"
	"parley/pkg/phrase"
	slackin "parley/pkg/slack"
	"parley/pkg/slack/slacktest"
)

// What may not be deleted says neutrally that it is gone.
func TestAnswerThatMayNotBeDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, slacktest.Options{})
		w.show(chat.Final, "Something private.")
		w.fence++
		w.s.Inject("chat.delete", 1, slacktest.Refused("cant_delete_message"))
		w.show(chat.Withdrawn, "")
		got := w.answers()
		if len(got) != 1 || got[0].Text() != phrase.In("en").Say("withdrawn") || len(got[0].Buttons()) != 0 {
			t.Errorf("the thread shows %+v", got)
		}
		if len(w.at.Posts) != 0 {
			t.Errorf("it still counts as the answer: %+v", w.at.Posts)
		}
		w.wantRules()
	})
}

// What may not be edited any more is replaced.
func TestAnswerThatMayNotBeEdited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, code := range []string{"edit_window_closed", "cant_update_message"} {
			w := newWorld(t, slacktest.Options{})
			w.show(chat.Final, "The old answer.")
			w.fence++
			w.s.Inject("chat.update", 1, slacktest.Refused(code))
			w.show(chat.Final, "The new answer.")
			w.wantOne("The new answer.")
		}
	})
}

// A route from before the app's user was known: Slack is asked who we are, once.
func TestRouteWithoutOurUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, slacktest.Options{})
		route, err := slackin.ParseRoute(w.ask.Route)
		if err != nil {
			t.Fatal(err)
		}
		route.BotUser = ""
		w.ask.Route = route.JSON()
		for range 2 {
			w.s.Inject("chat.postMessage", 1, slacktest.CutAfter())
			w.show(chat.Final, "An answer.")
			w.wantOne("An answer.")
			w.s.Remove(room, w.answers()[0].TS)
			w.fence++
		}
		if n := len(w.s.Calls("auth.test")); n != 1 {
			t.Errorf("asked %d times", n)
		}
	})
}

// A stream needs a recipient. Where none is known the answer is edited.
func TestNoRecipientNoStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, slacktest.Options{})
		w.ask.Asker = chat.Author{}
		w.ask.Route = slackin.Route{AppID: slacktest.DefaultAppID, Channel: room, ThreadTS: w.thread(), BotUser: slacktest.DefaultBotUser}.JSON()
		text := story(20)
		w.show(chat.Partial, text[:200])
		if got := w.answers(); len(got) != 1 || got[0].Streamed {
			t.Errorf("the thread shows %+v", got)
		}
		w.show(chat.Final, text)
		w.wantOne(text)
	})
}

// Slack takes a working sign away after two minutes without news. While an answer
// waits for its end it is kept up.
func TestSignIsKeptUpWhileThereIsNothingToSee(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, slacktest.Options{})
		w.s.Inject("chat.startStream", 1, slacktest.RateLimited(30*time.Second))
		text := story(60)
		w.show(chat.Working, "")
		for n := 100; n < 1000; n += 30 {
			w.show(chat.Partial, text[:n])
			time.Sleep(5 * time.Second)
			if w.s.Status(room, w.thread()) == "" {
				t.Fatalf("after %d s nothing is seen", (n-70)/6)
			}
		}
		if n := len(w.s.Calls("assistant.threads.setStatus")); n > 4 {
			t.Errorf("%d calls in 150 s", n)
		}
		w.show(chat.Final, text)
		w.wantOne(text)
		if got := w.s.Status(room, w.thread()); got != "" {
			t.Errorf("the sign stays: %q", got)
		}
	})
}

func TestChineseSpeakersGetChineseWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, slacktest.Options{})
		w.ask.Language = "zh-CN"
		w.show(chat.Working, "")
		if got := w.s.Status(room, w.thread()); !strings.Contains(got, "思考") {
			t.Errorf("status %q", got)
		}
		w.show(chat.Final, "好。")
		if b := w.answers()[0].Buttons(); len(b) != 3 || b[0].Text != "回答得好" {
			t.Errorf("buttons %+v", b)
		}
	})
}
