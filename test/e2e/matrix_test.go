package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"parley/pkg/pipelinetest"
	"parley/test/raced"
)

// Whatever call the process dies before or after, the next process brings one
// complete answer, and never calls the model after a commit.
func TestKillMatrix(t *testing.T) {
	t.Parallel()
	matrix(t, []pipelinetest.Mode{pipelinetest.DieBefore, pipelinetest.DieAfter})
}

// The same, when a call merely fails, or fails and yet takes effect.
func TestFailureMatrix(t *testing.T) {
	t.Parallel()
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
	for i, point := range points {
		// Idle receives repeat for ever; the first few are like all others.
		if seen[point] || strings.HasSuffix(point.Method, ".Receive") && point.N > 3 {
			continue
		}
		if seen[point] = true; i%raced.Or(1, 5) > 0 {
			continue
		}
		for _, mode := range modes {
			t.Run(fmt.Sprintf("%s %s", mode, point), func(t *testing.T) {
				t.Parallel()
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
