package slackapi_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
	slackin "parley/pkg/slack"
	"parley/pkg/slack/slacktest"
)

// command is a world whose question is a slash command.
func command(t *testing.T) *world {
	w := newWorld(t, slacktest.Options{})
	r, err := w.s.EventSlash("/parley", "what is new?", room, ann).Request("http://app")
	if err != nil {
		t.Fatal(err)
	}
	w.ask.MessageID += ":slash"
	w.ask.Route = slackin.Route{AppID: slacktest.DefaultAppID, Channel: room, User: ann, ResponseURL: r.PostFormValue("response_url")}.JSON()
	w.ask.AskedAt = time.Now()
	return w
}

func (w *world) whispered() (texts []string) {
	for _, m := range w.s.Ephemeral(room, ann) {
		texts = append(texts, m.Text())
	}
	return texts
}

func TestCommandIsAnsweredPrivately(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, fault := range []slacktest.Fault{{}, slacktest.CutAfter(), slacktest.FailAfter(), slacktest.CutBefore(), slacktest.RateLimited(5 * time.Second)} {
			w := command(t)
			w.s.Inject("response_url", 1, fault)
			w.show(chat.Working, "")
			w.show(chat.Partial, "An ans")
			if n := len(w.s.Calls()); n != 0 {
				t.Errorf("%d calls before the end", n)
			}
			w.show(chat.Final, "An answer to <!channel>.")
			got := w.whispered()
			if len(got) != 1 || !strings.HasPrefix(got[0], "An answer") || len(w.answers()) != 0 {
				t.Errorf("%+v: the person sees %q", fault, got)
			}
			if p := w.s.Ephemeral(room, ann)[0].Pings(); len(p) != 0 {
				t.Errorf("it pings %q", p)
			}
			w.fence++
			w.show(chat.Final, "A better answer.")
			if got := w.whispered(); len(got) != 1 || !strings.HasPrefix(got[0], "A better answer.") {
				t.Errorf("%+v: a newer answer leaves %q", fault, got)
			}
			w.wantRules()
		}
	})
}

func TestCommandAnsweredTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := command(t)
		time.Sleep(31 * time.Minute)
		w.show(chat.Final, "An answer.")
		if got := w.whispered(); len(got) != 1 || len(w.s.Calls("chat.postEphemeral")) != 1 {
			t.Errorf("the person sees %q", got)
		}
		if n := len(w.s.Calls("response_url")); n != 0 {
			t.Errorf("an expired url was used %d times", n)
		}
		w = command(t)
		w.ask.AskedAt = time.Time{} // unknown: Slack says so itself
		time.Sleep(31 * time.Minute)
		w.s.SetChannel(slacktest.Channel{ID: room, Refuse: "not_in_channel"})
		w.show(chat.Final, "An answer.")
		direct := w.s.Messages("D0ANN00001")
		if len(direct) != 1 || !strings.HasPrefix(direct[0].Text(), "An answer.") {
			t.Errorf("the person's direct messages show %d", len(direct))
		}
	})
}

func TestLongCommandAnswerWearsTheURLOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := command(t)
		text := ""
		for range 7 {
			text += strings.Repeat("Alpha beta gamma delta. ", 440) + "\n\n"
		}
		w.show(chat.Final, text)
		got := w.whispered()
		if len(got) != 7 || strings.Count(strings.Join(got, ""), "Alpha") != 7*440 {
			t.Errorf("%d messages", len(got))
		}
		w.wantRules()
	})
}

// A press is answered to the person who pressed, and the answer stays.
func TestNoticeOfAPressIsAWhisper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, slacktest.Options{})
		w.show(chat.Final, "The answer.")
		answer := w.answers()[0]
		press := w.s.EventAction(answer, answer.Buttons()[0], "U0BOB00001")
		r, err := press.Request("http://app")
		if err != nil {
			t.Fatal(err)
		}
		payload := r.PostFormValue("payload")
		_, url, _ := strings.Cut(payload, `"response_url":"`)
		url, _, _ = strings.Cut(url, `"`)
		o := w.another(answer)
		o.ask.Route = slackin.Route{AppID: slacktest.DefaultAppID, Channel: room, ThreadTS: w.thread(), TS: answer.TS, User: "U0BOB00001", ResponseURL: url}.JSON()
		o.ask.AskedAt = time.Now()
		for range 2 {
			if err := o.post(o.reply(chat.Notice, "Only the person who asked can do that."), false); err != nil {
				t.Fatal(err)
			}
		}
		if got := w.s.Ephemeral(room, "U0BOB00001"); len(got) != 1 {
			t.Errorf("the presser sees %d messages", len(got))
		}
		w.wantOne("The answer.")
	})
}

// The response_url of a route is not followed to where Slack is not.
func TestForeignResponseURLGetsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, url := range []string{"https://evil.example/commands/T/1", "http://hooks.slack.com/commands/T/1", "https://hooks.slack.com.evil.example/commands/x", "https://slack.com:8443/commands/x"} {
			w := command(t)
			w.ask.Route = slackin.Route{AppID: slacktest.DefaultAppID, Channel: room, User: ann, ResponseURL: url}.JSON()
			w.show(chat.Final, "An answer.")
			if n := len(w.s.Calls("response_url")); n != 0 {
				t.Errorf("%s was called", url)
			}
			if got := w.whispered(); len(got) != 1 {
				t.Errorf("the person sees %q", got)
			}
		}
	})
}

func TestErrorsDoNotShowTheResponseURL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := command(t)
		w.s.Inject("response_url", 1, slacktest.CutBefore())
		err := w.post(w.reply(chat.Final, "An answer."), false)
		if !errors.Is(err, pipeline.ErrOutcomeUnknown) || strings.Contains(err.Error(), "/commands/") {
			t.Errorf("got %v", err)
		}
	})
}
