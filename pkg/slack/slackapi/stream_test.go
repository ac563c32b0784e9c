package slackapi_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
	"parley/pkg/slack/slacktest"
)

// story is an answer of n sentences and the share of it that a partial shows.
func story(n int) string {
	return strings.Repeat("Alpha beta gamma delta. ", n) + "The end."
}

func TestStreamIsBegunAppendedAndEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, slacktest.Options{})
		text := story(60)
		w.show(chat.Working, "")
		if got := w.s.Status(room, w.thread()); got == "" {
			t.Error("no working sign is shown at once")
		}
		for n := 100; n < len(text); n += 300 {
			w.show(chat.Partial, text[:n])
			time.Sleep(time.Second)
		}
		if got := w.answers(); len(got) != 1 || !got[0].Open || !strings.HasPrefix(text, got[0].Text()) || len(got[0].Text()) < len(text)-400 {
			t.Fatalf("while it is written the thread shows %+v", got)
		}
		w.show(chat.Final, text)
		w.wantOne(text)
		m := w.answers()[0]
		if m.Edits != 0 {
			t.Errorf("the stream was edited %d times", m.Edits)
		}
		if m.Metadata == nil || m.Metadata.EventType != "parley_answer" || m.Metadata.EventPayload["message_id"] != w.ask.MessageID {
			t.Errorf("metadata is %+v", m.Metadata)
		}
		if got := w.s.Status(room, w.thread()); got != "" {
			t.Errorf("the working sign stays: %q", got)
		}
		if got := w.s.Session(room, w.thread()); got != "active" {
			t.Errorf("the session is %q", got)
		}
		calls := len(w.s.Calls())
		w.settle(w.reply(chat.Final, text))
		if again := len(w.s.Calls()); again != calls {
			t.Errorf("the same snapshot again made %d calls", again-calls)
		}
	})
}

// A stream dies after five minutes, active or not: the message it leaves becomes
// the answer by an edit.
func TestStreamOutlivesSlacksPatience(t *testing.T) {
	for _, pause := range []time.Duration{200 * time.Second, 245 * time.Second, 310 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, slacktest.Options{})
			text := story(40)
			w.show(chat.Partial, text[:200])
			time.Sleep(pause)
			w.show(chat.Partial, text[:500])
			time.Sleep(4 * time.Second)
			w.show(chat.Partial, text[:700])
			w.show(chat.Final, text)
			w.wantOne(text)
			if appended := len(w.s.Calls("chat.appendStream")) > 0; appended != (pause < streamLife) {
				t.Errorf("after %v: appended %v", pause, appended)
			}
		})
	}
}

// streamLife is how long a stream may be used; Slack closes it a minute later.
const streamLife = 240 * time.Second

func TestRedeliveredSnapshotIsNotAppended(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, slacktest.Options{})
		text := story(30)
		w.show(chat.Partial, text[:200])
		time.Sleep(time.Second)
		if err := w.post(w.reply(chat.Partial, text[:400]), true); err != nil {
			t.Fatal(err)
		}
		if n := len(w.s.Calls("chat.appendStream")); n != 0 || len(w.s.OpenStreams()) != 0 {
			t.Errorf("%d appends, %d streams open", n, len(w.s.OpenStreams()))
		}
		w.show(chat.Final, text)
		w.wantOne(text)
	})
}

func TestStreamThatDiesBeforeTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, slacktest.Options{StreamLife: 30 * time.Second})
		text := story(40)
		w.show(chat.Partial, text[:200])
		time.Sleep(31 * time.Second)
		w.show(chat.Partial, text[:500])
		w.show(chat.Final, text)
		w.wantOne(text)
	})
}

// A person presses Stop: Slack has ended the stream, and nothing may be added
// until the pipeline says how the answer ends.
func TestStreamStoppedByThePerson(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, slacktest.Options{})
		text := story(40)
		w.show(chat.Partial, text[:200])
		before := w.answers()[0].Text()
		w.s.PressStop(room, w.thread())
		time.Sleep(time.Second)
		w.show(chat.Partial, text[:500])
		time.Sleep(10 * time.Second)
		w.show(chat.Partial, text[:600])
		if got := w.answers()[0].Text(); got != before {
			t.Errorf("after Stop the answer grew to %q", got)
		}
		w.show(chat.Stopped, text[:200])
		w.wantOne(text[:190])
		if got := w.answers()[0].Text(); !strings.HasSuffix(got, "_Stopped._") {
			t.Errorf("the answer ends %q", got)
		}
	})
}

// No stream is begun, appended to or ended twice for want of knowing: an append
// whose answer was lost, then a second attempt that says something else.
func TestAppendOfUnknownOutcomeThenAnotherText(t *testing.T) {
	for name, fault := range map[string]slacktest.Fault{"cut": slacktest.CutAfter(), "500": slacktest.FailAfter(), "late": slacktest.Late(20 * time.Second)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, slacktest.Options{})
				first, second := story(30), "Quite another answer. "+story(20)
				w.show(chat.Partial, first[:200])
				time.Sleep(time.Second)
				w.s.Inject("chat.appendStream", 1, fault)
				w.show(chat.Partial, first[:400])
				time.Sleep(30 * time.Second)
				w.fence++
				w.show(chat.Partial, second[:150])
				time.Sleep(5 * time.Second)
				w.show(chat.Final, second)
				w.wantOne(second)
			})
		})
	}
}

func TestEveryAppendFollowsItsIntent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, slacktest.Options{})
		text := story(30)
		w.show(chat.Partial, text[:200])
		time.Sleep(time.Second)
		w.j.fail = pipeline.Transient(pipeline.ReasonStore, errors.New("table is away"))
		calls := len(w.s.Calls())
		if err := w.post(w.reply(chat.Partial, text[:400]), false); !errors.Is(err, w.j.fail) {
			t.Fatalf("got %v", err)
		}
		if err := w.post(w.reply(chat.Final, text), false); !errors.Is(err, w.j.fail) {
			t.Fatalf("got %v", err)
		}
		if got := len(w.s.Calls()); got != calls {
			t.Fatalf("%d calls were made without a record", got-calls)
		}
		w.j.fail = nil
		w.show(chat.Final, text)
		w.wantOne(text)
	})
}

func TestWithoutStreamsTheMessageIsEdited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, slacktest.Options{NoStreams: true})
		text := story(60)
		w.show(chat.Working, "")
		for n := 100; n < len(text); n += 100 {
			w.show(chat.Partial, text[:n])
			time.Sleep(time.Second)
		}
		updates := len(w.s.Calls("chat.update"))
		if updates < 3 || updates > 6 {
			t.Errorf("%d edits in 14 s, want one every three seconds", updates)
		}
		w.show(chat.Final, text)
		w.wantOne(text)
		other := w.another(w.s.Say(room, "", ann, "and now?"))
		other.show(chat.Partial, text[:200])
		if n := len(w.s.Calls("chat.startStream")); n != 1 {
			t.Errorf("a channel that takes no streams was asked %d times", n)
		}
	})
}

func TestStartsGiveWayWhenTheWorkspaceIsBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, slacktest.Options{})
		w.s.Inject("chat.startStream", 1, slacktest.RateLimited(20*time.Second))
		text := story(40)
		w.show(chat.Working, "")
		w.show(chat.Partial, text[:300])
		if n := len(w.answers()); n != 0 {
			t.Errorf("%d messages, want none before the end", n)
		}
		other := w.another(w.s.Say(room, "", ann, "and now?"))
		other.show(chat.Partial, text[:300])
		if n := len(w.s.Calls("chat.startStream")); n != 1 {
			t.Errorf("the other answer did not heed the wait: %d starts", n)
		}
		w.show(chat.Final, text)
		other.show(chat.Final, text)
		w.wantOne(text)
		other.wantOne(text)
	})
}

func TestPlainAppGetsAMessageAsItsSign(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, slacktest.Options{PlainApp: true})
		w.show(chat.Working, "")
		w.wantOne("Working on it…")
		text := story(20)
		w.show(chat.Partial, text[:200])
		w.show(chat.Final, text)
		w.wantOne(text)
	})
}

func TestRetryReplacesTheApologyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, slacktest.Options{})
		r := w.reply(chat.Failed, "Sorry.")
		r.Reason = "model"
		w.settle(r)
		if b := w.answers()[0].Buttons(); len(b) != 1 || b[0].ActionID != "parley_retry" {
			t.Fatalf("buttons %+v", b)
		}
		w.fence++
		w.show(chat.Working, "")
		w.wantOne("Working on it…")
		if b := w.answers()[0].Buttons(); len(b) != 0 {
			t.Errorf("it can be retried while it is: %+v", b)
		}
		w.show(chat.Final, "Here it is.")
		w.wantOne("Here it is.")
	})
}
