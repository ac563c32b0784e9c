package e2e

import (
	"strings"
	"testing"
	"time"

	"parley/pkg/pipeline"
	"parley/pkg/slack/slacktest"
)

// Two models to choose from.
var choices = pipeline.WorkerConfig{Profile: pipeline.Profile{Models: []pipeline.Choice{{Name: "Fast", ID: "vendor.fast:1"}, {Name: "Thorough", ID: "vendor.thorough:1"}}}}

// The asker has another model answer: the new answer takes the place of the old.
// The edit may fail, or seem to.
func TestAnotherModelAnswersInPlace(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]slacktest.Fault{"calm": {}, "lost": slacktest.CutBefore(), "done but lost": slacktest.CutAfter()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, worldOptions{config: choices}, func(w *world) {
				p := w.boot(nil)
				q, event := w.mention("C1", "", "what is a queue?")
				p.accept(event)
				w.settled(time.Minute, "C1", q.TS, 1)
				first := w.slack.Answers("C1", q.TS)[0]
				w.slack.Inject("chat.update", 1, fault)
				p.accept(w.press("C1", q.TS, "parley_model_1", ann))
				w.within(time.Minute, "asked again", func() bool { return w.modelCalls() == 2 })
				w.settled(time.Minute, "C1", q.TS, 1)
				again := w.slack.Answers("C1", q.TS)[0]
				if got := w.lastPrompt(q).Model; got != "vendor.thorough:1" {
					t.Errorf("model %q was asked", got)
				}
				if again.TS != first.TS || !strings.Contains(again.Text(), w.answer(q)) {
					t.Errorf("the new answer does not stand where the old one did: %q", again.Text())
				}
				p.stop()
			})
		})
	}
}

// Somebody else's press changes nothing; a model that nobody offered is not asked,
// whatever the button says.
func TestOnlyTheAskerChooses(t *testing.T) {
	t.Parallel()
	inWorld(t, worldOptions{config: choices}, func(w *world) {
		p := w.boot(nil)
		q, event := w.mention("C1", "", "what is a queue?")
		p.accept(event)
		w.settled(time.Minute, "C1", q.TS, 1)
		answer := w.slack.Answers("C1", q.TS)[0]
		p.accept(w.press("C1", q.TS, "parley_model_0", bob))
		w.within(time.Minute, "told why not", func() bool { return len(w.slack.Ephemeral("C1", bob)) == 1 })
		if n := w.modelCalls(); n != 1 {
			t.Errorf("the model was called %d times", n)
		}
		for _, b := range answer.Buttons() {
			if b.Text == "Try Fast" {
				b.Value = strings.Replace(b.Value, `"Fast"`, `"vendor.secret:9"`, 1)
				p.accept(w.slack.EventAction(answer, b, ann))
			}
		}
		w.within(time.Minute, "asked again", func() bool { return w.modelCalls() == 2 })
		if got := w.lastPrompt(q).Model; got != "" {
			t.Errorf("model %q was asked", got)
		}
		w.settled(time.Minute, "C1", q.TS, 1)
		p.stop()
	})
}
