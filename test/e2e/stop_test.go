package e2e

import (
	"strings"
	"testing"
	"time"

	"parley/pkg/demo"
	"parley/pkg/pipelinetest"
	"parley/pkg/slack/slacktest"
)

// ways are how a person stops Parley in a thread.
var ways = map[string]func(w *world, channel, root string) slacktest.Inbound{
	"word": func(w *world, channel, root string) slacktest.Inbound {
		_, event := w.mention(channel, root, "stop")
		return event
	},
	"button": func(w *world, channel, root string) slacktest.Inbound {
		return w.slack.EventStopped(channel, root, ann)
	},
}

// stopping runs test once for each way to stop, each in a world of its own.
func stopping(t *testing.T, opts worldOptions, test func(w *world, stop func(channel, root string) slacktest.Inbound)) {
	t.Parallel()
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, opts, func(w *world) {
				test(w, func(channel, root string) slacktest.Inbound { return way(w, channel, root) })
			})
		})
	}
}

// endedWithin checks that every call of the model for q had ended in time.
func (w *world) endedWithin(q slacktest.Message, limit time.Duration, since time.Time) {
	w.t.Helper()
	for _, c := range w.callsFor(q) {
		if c.ended.IsZero() || c.ended.Sub(since) > limit {
			w.t.Errorf("the model's call ended %v after the stop", c.ended.Sub(since))
		}
	}
}

// A stop in the middle of an answer ends the model's call, keeps what was said,
// and remembers exactly that.
func TestStopMidStream(t *testing.T) {
	stopping(t, worldOptions{}, func(w *world, stop func(channel, root string) slacktest.Inbound) {
		p := w.boot(nil)
		q, event := w.mention("C1", "", "tell me about rivers demo:slow 30")
		p.accept(event)
		time.Sleep(5500 * time.Millisecond)
		stopped := time.Now()
		p.accept(stop("C1", q.TS))
		texts := w.settled(time.Minute, "C1", q.TS, 1)
		w.endedWithin(q, 2*time.Second, stopped)
		turn, ok := w.turnOf(q)
		if !ok || !turn.Stopped || !strings.HasPrefix(turn.Answer, "word1 word2") || strings.Contains(turn.Answer, "word10") {
			w.t.Errorf("remembered: %v %+v", ok, turn)
		}
		if texts[0] != turn.Answer+"\n\n_Stopped._" {
			w.t.Errorf("shown %q, remembered %q", texts[0], turn.Answer)
		}
		w.goesOn(p, q, 2)
		p.stop()
	})
}

// A stop before the first word leaves one message that says so, and nothing is
// remembered.
func TestStopBeforeTheFirstToken(t *testing.T) {
	stopping(t, worldOptions{model: &demo.Model{Pace: 10 * time.Second}}, func(w *world, stop func(channel, root string) slacktest.Inbound) {
		p := w.boot(nil)
		q, event := w.mention("C1", "", "tell me about rivers")
		p.accept(event)
		time.Sleep(3300 * time.Millisecond)
		stopped := time.Now()
		p.accept(stop("C1", q.TS))
		texts := w.settled(time.Minute, "C1", q.TS, 1)
		w.endedWithin(q, 2*time.Second, stopped)
		w.onlyStopped(q, texts[0])
		p.stop()
	})
}

// A stop reaches the questions that wait behind the one being answered, too.
func TestStopWhileQueued(t *testing.T) {
	stopping(t, worldOptions{}, func(w *world, stop func(channel, root string) slacktest.Inbound) {
		p := w.boot(nil)
		first, event := w.mention("C1", "", "tell me about rivers demo:slow 30")
		p.accept(event)
		queued, event := w.mention("C1", first.TS, "and about lakes?")
		p.accept(event)
		time.Sleep(3300 * time.Millisecond)
		p.accept(stop("C1", first.TS))
		texts := w.settled(time.Minute, "C1", first.TS, 2)
		if n := len(w.callsFor(queued)); n > 0 {
			w.t.Errorf("the model was asked %d times about a question that was stopped before", n)
		}
		w.onlyStopped(queued, texts[1])
		w.goesOn(p, first, 3)
		p.stop()
	})
}

// A stop that comes after the answer was committed is too late: the whole answer
// is shown, as it is remembered. So it is when Slack is slow to take the final,
// and when the process died between commit and final.
func TestStopBetweenCommitAndFinal(t *testing.T) {
	stopping(t, worldOptions{}, func(w *world, stop func(channel, root string) slacktest.Inbound) {
		p := w.boot(nil)
		for _, method := range []string{"chat.postMessage", "chat.startStream", "chat.stopStream"} {
			w.slack.Inject(method, 1, slacktest.Late(4*time.Second))
		}
		q, event := w.mention("C1", "", "hello")
		p.accept(event)
		w.within(time.Minute, "committed", func() bool { return w.answer(q) != "" })
		p.accept(stop("C1", q.TS))
		w.wholeAnswer(q)
		p.stop()
	})
}

func TestStopAfterDeathBetweenCommitAndFinal(t *testing.T) {
	stopping(t, worldOptions{}, func(w *world, stop func(channel, root string) slacktest.Inbound) {
		faults := pipelinetest.NewFaults()
		faults.Plan(pipelinetest.Point{Method: "cases.SwapCase", N: 2}, pipelinetest.DieAfter) // claim, commit
		p := w.boot(faults)
		q, event := w.mention("C1", "", "hello")
		p.accept(event)
		<-faults.Died()
		p.kill()
		if w.answer(q) == "" {
			w.t.Fatal("the process did not die after the commit")
		}
		p = w.boot(nil)
		p.accept(stop("C1", q.TS))
		w.wholeAnswer(q)
		p.stop()
	})
}

// A stop where nothing is running shows nothing, and stops nothing that is asked
// later.
func TestStopWithNothingToStop(t *testing.T) {
	stopping(t, worldOptions{}, func(w *world, stop func(channel, root string) slacktest.Inbound) {
		p := w.boot(nil)
		q, event := w.mention("C1", "", "hello")
		p.accept(event)
		before := w.settled(time.Minute, "C1", q.TS, 1)
		p.accept(stop("C1", q.TS))
		time.Sleep(10 * time.Second)
		if after := w.settled(time.Minute, "C1", q.TS, 1); after[0] != before[0] {
			w.t.Errorf("the answer was %q and now reads %q", before[0], after[0])
		}
		fresh := w.slack.Say("C2", "", ann, "lunch?")
		p.accept(stop("C2", fresh.TS))
		time.Sleep(10 * time.Second)
		w.settled(time.Minute, "C2", fresh.TS, 0)
		w.goesOn(p, q, 2)
		p.stop()
	})
}

// In a direct message a plain "stop" stops its one conversation.
func TestStopInADirectMessage(t *testing.T) {
	t.Parallel()
	inWorld(t, worldOptions{}, func(w *world) {
		p := w.boot(nil)
		q, event := w.say(ann, annDM, "", "tell me about rivers demo:slow 30")
		p.accept(event)
		time.Sleep(5500 * time.Millisecond)
		stopped := time.Now()
		_, event = w.say(ann, annDM, "", "stop")
		p.accept(event)
		texts := w.settled(time.Minute, annDM, q.TS, 1)
		w.endedWithin(q, 2*time.Second, stopped)
		if turn, _ := w.turnOf(q); !turn.Stopped || texts[0] != turn.Answer+"\n\n_Stopped._" {
			t.Errorf("shown %q, remembered %q", texts[0], turn.Answer)
		}
		p.stop()
	})
}

// onlyStopped checks a question that was stopped before anything was said.
func (w *world) onlyStopped(q slacktest.Message, shown string) {
	w.t.Helper()
	if shown != "Stopped." {
		w.t.Errorf("shown %q", shown)
	}
	if turn, ok := w.turnOf(q); ok {
		w.t.Errorf("remembered %+v", turn)
	}
}

// wholeAnswer checks that q was answered as if nobody had stopped it.
func (w *world) wholeAnswer(q slacktest.Message) {
	w.t.Helper()
	texts := w.settled(time.Minute, q.Channel, q.TS, 1)
	turn, ok := w.turnOf(q)
	if !ok || turn.Stopped || texts[0] != turn.Answer {
		w.t.Errorf("shown %q, remembered %v %+v", texts[0], ok, turn)
	}
	if n := len(w.callsFor(q)); n != 1 {
		w.t.Errorf("the model was called %d times", n)
	}
}

// goesOn checks that the thread of root still answers; its answer is the n-th.
func (w *world) goesOn(p *process, root slacktest.Message, n int) {
	w.t.Helper()
	q, event := w.mention(root.Channel, root.TS, "and now?")
	p.accept(event)
	texts := w.settled(time.Minute, root.Channel, root.TS, n)
	if stored := w.answer(q); stored == "" || texts[n-1] != stored {
		w.t.Errorf("after the stop: shown %q, stored %q", texts[n-1], stored)
	}
}
