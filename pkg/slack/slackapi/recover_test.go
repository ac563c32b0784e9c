package slackapi_test

import (
	"errors"
	"log/slog"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
	slackin "parley/pkg/slack"
	"parley/pkg/slack/slackapi"
	"parley/pkg/slack/slacktest"
)

// The start of a stream takes effect and its answer is lost, in a thread full of
// messages that are not it.
func TestOrphanStreamIsFoundAmongDecoys(t *testing.T) {
	for name, fault := range map[string]slacktest.Fault{
		"cut": slacktest.CutAfter(), "500": slacktest.FailAfter(), "late": slacktest.Late(9500 * time.Millisecond),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, slacktest.Options{})
				text := story(40)
				mark := func(id string) *slacktest.Metadata {
					return &slacktest.Metadata{EventType: "parley_answer", EventPayload: map[string]any{"message_id": id, "part": 0}}
				}
				w.s.Say(room, w.thread(), ann, "Alpha beta gamma delta. Alpha")
				w.s.SayAsBot(room, w.thread(), "Alpha beta gamma delta.", true)
				decoys := []slacktest.Message{
					w.s.SayAsParley(room, w.thread(), "Of another answer.", mark("slack:A:C:1")),
					w.s.SayAsParley(room, w.thread(), "Without any mark.", nil),
					w.s.SayAsParley(room, w.thread(), "Marked by another app.", &slacktest.Metadata{EventType: "other", EventPayload: map[string]any{"x": 1}}),
				}
				w.s.Inject("chat.startStream", 1, fault)
				if err := w.post(w.reply(chat.Partial, text[:300]), false); !errors.Is(err, pipeline.ErrOutcomeUnknown) {
					t.Fatalf("got %v, want an unknown outcome", err)
				}
				if w.at.Intent == nil || len(w.at.Posts) != 0 {
					t.Fatalf("the intent is not kept: %+v", w.at)
				}
				w.show(chat.Partial, text[:400]) // too early to tell: dropped
				if n := len(w.s.Calls("conversations.replies")); n != 0 {
					t.Errorf("looked up before the call must have landed")
				}
				w.show(chat.Final, text)
				ours := 0
				for _, m := range w.answers() {
					if m.Text() == decoyOf(decoys, m.TS) && m.Edits == 0 {
						continue
					}
					ours++
				}
				if ours != 1 || len(w.answers()) != len(decoys)+1 {
					t.Fatalf("%d answers in %d messages", ours, len(w.answers()))
				}
				if n := len(w.s.Calls("chat.startStream", "chat.postMessage")); n != 1 {
					t.Errorf("%d calls made a message", n)
				}
				w.wantRules()
			})
		})
	}
}

func decoyOf(decoys []slacktest.Message, ts string) string {
	for _, d := range decoys {
		if d.TS == ts {
			return d.Text()
		}
	}
	return "no decoy"
}

// Two answers in one thread both lose their stream's start: each finds its own.
func TestTwoOrphansInOneThread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, slacktest.Options{})
		o := w.another(w.s.Say(room, w.thread(), ann, "and besides?"))
		one, two := story(20), story(20)+" Or so." // they begin alike
		w.s.Inject("chat.startStream", 1, slacktest.CutAfter())
		w.s.Inject("chat.startStream", 2, slacktest.CutAfter())
		w.show(chat.Partial, one[:300])
		o.show(chat.Partial, two[:300])
		time.Sleep(15 * time.Second)
		w.s.Inject("chat.stopStream", 1, slacktest.RateLimited(20*time.Second))
		if err := o.post(o.reply(chat.Final, two), false); !pipeline.Classify(err).Throttled || len(o.at.Posts) != 1 {
			t.Fatalf("found %+v: %v", o.at, err)
		}
		w.show(chat.Final, one)
		o.show(chat.Final, two)
		got := w.answers()
		if len(got) != 2 {
			t.Fatalf("%d messages", len(got))
		}
		if a, b := w.at.Posts[0].ID, o.at.Posts[0].ID; a == b {
			t.Errorf("both took over %s", a)
		}
		w.wantRules()
	})
}

// Another process registers the post between the look-up and the record of it.
func TestClaimedPostIsNotTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, slacktest.Options{})
		w.s.Inject("chat.postMessage", 1, slacktest.CutAfter())
		if err := w.post(w.reply(chat.Final, "An answer."), false); !errors.Is(err, pipeline.ErrOutcomeUnknown) {
			t.Fatal(err)
		}
		w.j.claims = map[string]bool{room + "/" + w.answers()[0].TS: true}
		time.Sleep(time.Minute)
		if err := w.post(w.reply(chat.Final, "An answer."), true); err != nil {
			t.Fatal(err)
		}
		if len(w.at.Posts) != 1 || w.j.claims[w.at.Posts[0].ID] {
			t.Errorf("took over %+v", w.at.Posts)
		}
	})
}

// A post that Slack carries out after the caller gave up must be waited for.
func TestLatePostIsNotPostedTwice(t *testing.T) {
	for _, fault := range []slacktest.Fault{
		slacktest.Late(9500 * time.Millisecond), slacktest.CutAfter(), slacktest.FailAfter(), slacktest.CutBefore(), slacktest.FailBefore(),
		slacktest.Undecodable(), slacktest.Refused("internal_error"),
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, slacktest.Options{})
			w.s.Inject("chat.postMessage", 1, fault)
			w.show(chat.Final, "An answer.")
			w.wantOne("An answer.")
		})
	}
}

// slack-go cannot decode what Slack echoes, and yet the call took effect: its ts
// is read from the raw answer, without a look-up.
func TestUndecodableEchoIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, method := range []string{"chat.postMessage", "chat.startStream", "chat.update", "chat.stopStream"} {
			w := newWorld(t, slacktest.Options{})
			w.s.Inject(method, 1, slacktest.Undecodable())
			text := story(30)
			if method == "chat.startStream" || method == "chat.stopStream" {
				w.show(chat.Partial, text[:200])
			}
			if method == "chat.update" {
				w.show(chat.Notice, "At first.")
				w.fence++
			}
			if err := w.post(w.reply(chat.Final, text), false); err != nil {
				t.Fatalf("%s: %v", method, err)
			}
			w.wantOne(text)
			if n := len(w.s.Calls("conversations.replies")); n != 0 {
				t.Errorf("%s: %d look-ups", method, n)
			}
		}
	})
}

func TestRemovedMessageIsPostedOnceAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, slacktest.Options{})
		text := story(30)
		w.show(chat.Partial, text[:200])
		w.s.Remove(room, w.answers()[0].TS)
		time.Sleep(time.Second)
		w.show(chat.Partial, text[:400])
		time.Sleep(5 * time.Second)
		w.show(chat.Partial, text[:500])
		if n := len(w.answers()); n != 0 {
			t.Errorf("somebody removed it, and %d messages came back before the end", n)
		}
		w.show(chat.Final, text)
		w.wantOne(text)
		calls := len(w.s.Calls("chat.postMessage"))
		w.fence++
		w.s.Remove(room, w.answers()[0].TS)
		w.show(chat.Final, text+" And more.")
		w.wantOne(text)
		if n := len(w.s.Calls("chat.postMessage")); n != calls+1 {
			t.Errorf("posted %d times", n-calls)
		}
	})
}

// The question is deleted before it is answered: Slack would post outside the
// vanished thread, in front of everybody.
func TestDeletedQuestionLeavesNoStrayAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, kind := range []chat.ReplyKind{chat.Final, chat.Failed} {
			w := newWorld(t, slacktest.Options{})
			w.s.Remove(room, w.thread())
			w.show(kind, "An answer to nobody.")
			if got := w.s.Messages(room); len(got) != 0 {
				t.Errorf("the channel shows %q", got[0].Text())
			}
			if len(w.at.Posts) != 0 {
				t.Errorf("recorded %+v", w.at.Posts)
			}
		}
	})
}

func TestThreadThatCannotBeReadIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, slacktest.Options{})
		counted := metrics{}
		c, err := slackapi.New(slackapi.Config{
			Token: func() string { return slacktest.DefaultToken }, BaseURL: w.s.APIURL(), Metrics: counted,
			HTTPClient: &http.Client{Transport: w.s.Transport()}, Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		w.poster = c.Poster()
		w.s.SetChannel(slacktest.Channel{ID: room, NoHistory: true})
		w.s.Inject("chat.postMessage", 1, slacktest.CutBefore())
		w.show(chat.Final, "An answer.")
		w.wantOne("An answer.")
		if counted[pipeline.MetricMaybeDuplicate] != 1 {
			t.Errorf("counted %v", counted)
		}
	})
}

type metrics map[string]float64

func (m metrics) Measure(name string, value float64, _ ...string) { m[name] += value }

func TestDeliveredAgainInANewProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, slacktest.Options{})
		text := story(30)
		w.show(chat.Partial, text[:200])
		time.Sleep(time.Second)
		// The process dies after the append and before its record is saved.
		before := len(w.j.saved)
		w.show(chat.Partial, text[:400])
		w.at = w.j.saved[len(w.j.saved)-1]
		if len(w.j.saved) == before || w.at.Intent == nil {
			t.Fatalf("the append left no intent: %+v", w.at)
		}
		w.poster = newClient(t, w.s, w.s.Transport()).Poster()
		w.settle(w.reply(chat.Final, text))
		w.wantOne(text)
	})
}

func TestIDsAreTheInboundHalfs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, slacktest.Options{})
		r := w.reply(chat.Failed, "Sorry.")
		r.Reason = "model"
		w.settle(r)
		v, err := slackin.DecodeButtonValue(w.answers()[0].Buttons()[0].Value)
		if err != nil || v.Subject != w.ask.MessageID || v.Fence != w.fence || v.Reason != "model" || v.Conversation != w.ask.Conversation {
			t.Errorf("the retry button carries %+v, %v", v, err)
		}
	})
}
