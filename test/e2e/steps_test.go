package e2e

import (
	"context"
	"slices"
	"testing"
	"time"

	"parley/pkg/chat"
	"parley/pkg/demo"
	"parley/pkg/pipeline"
	"parley/pkg/slack/slacktest"
)

// slowDocs is a search that takes its time.
type slowDocs struct{ takes time.Duration }

func (s slowDocs) Retrieve(ctx context.Context, _ string, _ int) ([]pipeline.Passage, error) {
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-time.After(s.takes):
	}
	return []pipeline.Passage{{Text: "Rivers flow to the sea.", Citation: chat.Citation{Title: "Rivers", URL: "https://wiki.example/rivers"}}}, nil
}

// tasks are what the one answer in the thread of q shows of the work.
func (w *world) tasks(q slacktest.Message) (titles, running []string) {
	for _, m := range w.slack.Answers(q.Channel, q.TS) {
		for _, t := range m.Tasks {
			titles = append(titles, t.Title)
			if !t.Done() {
				running = append(running, t.Title)
			}
		}
	}
	return titles, running
}

// People see what is being looked at while they wait, and when it is done the answer
// is what was stored, to the letter.
func TestStepsAreFollowed(t *testing.T) {
	t.Parallel()
	inWorld(t, worldOptions{docs: slowDocs{3 * time.Second}, model: &demo.Model{Pace: 2 * time.Second}}, func(w *world) {
		p := w.boot(nil)
		root, _ := w.say(bob, "C1", "", "The Rhine is long.")
		q, event := w.mention("C1", root.TS, "tell me about rivers")
		p.accept(event)
		thread := slacktest.Message{Channel: "C1", TS: root.TS}
		for _, doing := range []string{"Searching the documents", "Thinking"} {
			w.within(time.Minute, doing, func() bool {
				_, running := w.tasks(thread)
				return slices.Equal(running, []string{doing})
			})
		}
		texts := w.settled(5*time.Minute, "C1", root.TS, 1)
		if stored := w.answer(q); stored == "" || texts[0][:len(stored)] != stored || w.slack.Answers("C1", root.TS)[0].Markdown != stored {
			t.Errorf("shown %q, stored %q", texts[0], stored)
		}
		if titles, _ := w.tasks(thread); !slices.Equal(titles, []string{"Reading the thread", "Found in Rivers", "Thinking"}) {
			t.Errorf("it was done in %q", titles)
		}
		p.stop()
	})
}

// What is over before anybody could read it is not announced.
func TestQuickStepsAreNotAnnounced(t *testing.T) {
	t.Parallel()
	inWorld(t, worldOptions{docs: slowDocs{100 * time.Millisecond}}, func(w *world) {
		p := w.boot(nil)
		q := answered(w, p, "tell me about rivers")
		start := w.slack.Calls("chat.startStream")
		if len(start) != 1 || start[0].At.Sub(w.slack.Calls()[0].At) > time.Second {
			t.Errorf("streams were started %d times", len(start))
		}
		if titles, _ := w.tasks(q); !slices.Equal(titles, []string{"Found in Rivers", "Thinking"}) {
			t.Errorf("it was done in %q", titles)
		}
		p.stop()
	})
}

// Stop during a step ends the question, and nothing spins on.
func TestStopDuringAStep(t *testing.T) {
	t.Parallel()
	inWorld(t, worldOptions{docs: slowDocs{15 * time.Second}}, func(w *world) {
		p := w.boot(nil)
		q, event := w.mention("C1", "", "tell me about rivers")
		p.accept(event)
		w.within(time.Minute, "searching", func() bool { _, running := w.tasks(q); return len(running) == 1 })
		p.accept(w.slack.EventStopped("C1", q.TS, ann))
		if texts := w.settled(time.Minute, "C1", q.TS, 1); texts[0] != "Stopped." {
			t.Errorf("shown %q", texts[0])
		}
		p.stop()
	})
}
