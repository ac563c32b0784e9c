package e2e

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/pkg/pipelinetest"
	"parley/pkg/slack/slacktest"
)

// The thinnest path: a signed mention in, the answer in its thread, remembered.
func TestMentionIsAnsweredAndRemembered(t *testing.T) {
	inWorld(t, worldOptions{}, func(w *world) {
		p := w.boot(nil)
		q, event := w.mention("C1", "", "my name is Ada")
		p.accept(event)
		texts := w.settled(time.Minute, "C1", q.TS, 1)
		if !strings.Contains(texts[0], w.answer(q)) || w.answer(q) == "" {
			t.Errorf("shown %q, stored %q", texts[0], w.answer(q))
		}
		_, again := w.mention("C1", q.TS, "what is my name?")
		p.accept(again)
		texts = w.settled(time.Minute, "C1", q.TS, 2)
		if !strings.Contains(texts[1], "Ada") {
			t.Errorf("it forgot: %q", texts[1])
		}
		p.stop()
	})
}

// Twins and redeliveries are one gesture: four deliveries over six minutes, the
// twin message event, and eight at once.
func TestTwinsAndRedeliveriesAreOneGesture(t *testing.T) {
	inWorld(t, worldOptions{}, func(w *world) {
		p := w.boot(nil)
		q, event := w.mention("C1", "", "hello")
		p.accept(event)
		p.accept(w.slack.EventMessage(q))
		last := time.Duration(0)
		for i, at := range []time.Duration{time.Second, time.Minute, 6 * time.Minute} {
			time.Sleep(at - last)
			last = at
			fresh := w.slack.EventMention(q) // another event id, signed now
			p.accept(fresh.Retry(i+1, "http_timeout"))
		}
		w.settled(time.Minute, "C1", q.TS, 1)
		if n := w.modelCalls(); n != 1 {
			t.Errorf("the model was called %d times", n)
		}
		p.stop()
	})
	inWorld(t, worldOptions{}, func(w *world) {
		p := w.boot(nil)
		q, event := w.mention("C1", "", "hello")
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() { p.accept(event) })
		}
		all.Wait()
		w.settled(time.Minute, "C1", q.TS, 1)
		if n := w.modelCalls(); n != 1 {
			t.Errorf("the model was called %d times", n)
		}
		p.stop()
	})
}

// Whatever call the process dies before or after, the next process brings one
// complete answer, and never calls the model after a commit.
func TestKillMatrix(t *testing.T) {
	matrix(t, []pipelinetest.Mode{pipelinetest.DieBefore, pipelinetest.DieAfter})
}

// The same, when a call merely fails, or fails and yet takes effect.
func TestFailureMatrix(t *testing.T) {
	matrix(t, []pipelinetest.Mode{pipelinetest.Clean, pipelinetest.Persisted})
}

func matrix(t *testing.T, modes []pipelinetest.Mode) {
	const question = "tell me about rivers demo:slow 3"
	var points []pipelinetest.Point
	inWorld(t, worldOptions{}, func(w *world) {
		faults := pipelinetest.NewFaults()
		p := w.boot(faults)
		q, event := w.mention("C1", "", question)
		p.accept(event)
		w.settled(2*time.Minute, "C1", q.TS, 1)
		points = faults.Calls()
		p.stop()
	})
	seen := map[pipelinetest.Point]bool{}
	for _, point := range points {
		// Idle receives repeat for ever; the first few are like all others.
		if seen[point] || strings.HasSuffix(point.Method, ".Receive") && point.N > 3 {
			continue
		}
		seen[point] = true
		for _, mode := range modes {
			t.Run(fmt.Sprintf("%s %s", mode, point), func(t *testing.T) {
				inWorld(t, worldOptions{}, func(w *world) { killAt(w, question, point, mode) })
			})
		}
	}
}

func killAt(w *world, question string, point pipelinetest.Point, mode pipelinetest.Mode) {
	faults := pipelinetest.NewFaults()
	faults.Plan(point, mode)
	p := w.boot(faults)
	q, event := w.mention("C1", "", question)
	accepted := p.deliver(event) == 200
	select {
	case <-faults.Died():
		p.kill()
	case <-time.After(5 * time.Minute):
		p.stop() // a failure that was survived, or a point this history does not reach
	}
	p = w.boot(nil)
	if !accepted { // as Slack does
		p.accept(w.slack.EventMention(q).Retry(1, "http_error"))
	}
	texts := w.settled(10*time.Minute, "C1", q.TS, 1)
	stored := w.answer(q)
	if stored == "" || !strings.Contains(texts[0], stored) {
		w.t.Errorf("shown %q, stored %q", texts[0], stored)
	}
	if n := strings.Count(texts[0], strings.SplitN(stored, "\n", 2)[0]); n != 1 {
		w.t.Errorf("the answer says its first line %d times: %q", n, texts[0])
	}
	before := w.modelCalls()
	p.accept(w.slack.EventMention(q)) // one more redelivery after the commit
	w.settled(time.Minute, "C1", q.TS, 1)
	if w.modelCalls() != before {
		w.t.Error("the model was called after the commit")
	}
	p.stop()
}

// A conversation's questions are answered in the order they were asked, and
// conversations know nothing of each other.
func TestOrderAndSeparation(t *testing.T) {
	inWorld(t, worldOptions{}, func(w *world) {
		p := w.boot(nil)
		root, first := w.mention("C1", "", "my name is Ada")
		p.accept(first)
		for i := range 4 {
			_, event := w.mention("C1", root.TS, fmt.Sprintf("question number %d", i+2))
			p.accept(event)
		}
		other, event := w.mention("C1", "", "what is my name?")
		p.accept(event)
		texts := w.settled(5*time.Minute, "C1", root.TS, 5)
		for i, text := range texts[1:] {
			if !strings.Contains(text, fmt.Sprint(i+2)) {
				t.Errorf("answer %d is %q", i+2, text)
			}
		}
		if texts := w.settled(time.Minute, "C1", other.TS, 1); strings.Contains(texts[0], "Ada") {
			t.Errorf("another conversation's memory leaked: %q", texts[0])
		}
		p.stop()
	})
}

// Two hundred conversations at once are all answered, once.
func TestManyConversations(t *testing.T) {
	inWorld(t, worldOptions{workers: 50, slack: slacktest.Options{PostBurst: 1000}}, func(w *world) {
		p := w.boot(nil)
		roots := make([]slacktest.Message, 200)
		for i := range roots {
			var event slacktest.Inbound
			roots[i], event = w.mention(fmt.Sprintf("C%d", i%20), "", fmt.Sprintf("question %d", i))
			p.accept(event)
		}
		for _, q := range roots {
			w.settled(30*time.Minute, q.Channel, q.TS, 1)
		}
		if n := w.modelCalls(); n != len(roots) {
			t.Errorf("the model was called %d times for %d questions", n, len(roots))
		}
		p.stop()
	})
}
