package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

// In a channel whose documents are for Ann alone.
const salary = "The salary band of level five is twelve."

func inConfidence(t *testing.T, test func(w *world, p *process)) {
	docs := found(func(string) ([]pipeline.Passage, error) {
		return []pipeline.Passage{{Text: salary, Citation: chat.Citation{Title: "Salaries", Quote: salary}}}, nil
	})
	opts := worldOptions{docs: docs, config: pipeline.WorkerConfig{Profile: pipeline.Profile{Audience: []string{ann}}}}
	inWorld(t, opts, func(w *world) {
		p := w.boot(nil)
		test(w, p)
		p.stop()
	})
}

const salaryQuestion = "Which salary band has level five?"

// confided waits until nothing is queued, and returns what Ann alone reads in C1.
func (w *world) confided(n int) []string {
	w.t.Helper()
	w.within(time.Minute, "quiet", w.quiet)
	var texts []string
	for _, m := range w.slack.Ephemeral("C1", ann) {
		texts = append(texts, m.Text())
	}
	if len(texts) != n {
		w.t.Fatalf("Ann alone reads %q, want %d messages", texts, n)
	}
	return texts
}

// Whoever may read the documents has the answer for themself, however it comes about;
// nobody else sees any of it, then or later.
func TestSourcesNarrowerThanTheChannel(t *testing.T) {
	t.Parallel()
	inConfidence(t, func(w *world, p *process) {
		q, event := w.mention("C1", "", salaryQuestion)
		p.accept(event)
		p.accept(w.slack.Again(event))
		w.settled(time.Minute, "C1", q.TS, 0)
		if got := w.confided(1); !strings.Contains(got[0], salary) {
			t.Errorf("Ann reads %q", got)
		}
		for _, method := range []string{"chat.postMessage", "chat.startStream", "chat.update"} {
			if calls := w.slack.Calls(method); len(calls) > 0 {
				t.Errorf("%s was called for a private answer", method)
			}
		}

		_, event = w.mentionBy(bob, "C1", q.TS, salaryQuestion)
		p.accept(event)
		texts := w.settled(time.Minute, "C1", q.TS, 1)
		if strings.Contains(texts[0], "twelve") {
			t.Errorf("Bob is answered %q", texts[0])
		}
		_, event = w.mentionBy(bob, "C1", q.TS, "rivers")
		p.accept(event)
		if texts = w.settled(time.Minute, "C1", q.TS, 2); !strings.Contains(texts[1], "I see 1 earlier turn.") {
			t.Errorf("Bob's answer draws on what is not for him: %q", texts[1])
		}
		_, event = w.mentionBy(bob, "C1", q.TS, "sources")
		p.accept(event)
		if texts = w.settled(time.Minute, "C1", q.TS, 3); slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(s, "twelve") }) {
			t.Errorf("Bob reads %q", texts)
		}

		_, event = w.mention("C1", q.TS, "and level five, is it twelve? How many turns?")
		p.accept(event)
		w.settled(time.Minute, "C1", q.TS, 3)
		w.confided(2)
		p.accept(w.slack.EventDeleted(q))
		w.settled(time.Minute, "C1", q.TS, 3)
	})
}

// The newest answer's passages are shown to the one it is for.
func TestPassagesOfAPrivateAnswer(t *testing.T) {
	t.Parallel()
	inConfidence(t, func(w *world, p *process) {
		q, event := w.mention("C1", "", salaryQuestion)
		p.accept(event)
		w.confided(1)
		_, event = w.mentionBy(bob, "C1", q.TS, "sources")
		p.accept(event)
		if texts := w.settled(time.Minute, "C1", q.TS, 1); strings.Contains(texts[0], "twelve") {
			t.Errorf("Bob reads %q", texts)
		}
		_, event = w.mention("C1", q.TS, "sources")
		p.accept(event)
		w.settled(time.Minute, "C1", q.TS, 1)
		if got := w.confided(2); !strings.Contains(got[1], salary) {
			t.Errorf("Ann reads %q", got)
		}
	})
}

// An apology is everybody's; the answer that takes its place is not.
func TestRetryInConfidence(t *testing.T) {
	t.Parallel()
	inConfidence(t, func(w *world, p *process) {
		q, event := w.mention("C1", "", salaryQuestion+" demo:fail 1")
		p.accept(event)
		w.settled(time.Minute, "C1", q.TS, 1)
		w.confided(0)
		p.accept(w.press("C1", q.TS, "parley_retry", ann))
		w.settled(time.Minute, "C1", q.TS, 0)
		w.confided(1)
	})
}

// Nobody else is there in a direct message, and the answer grows as always.
func TestSourcesInADirectMessage(t *testing.T) {
	t.Parallel()
	inConfidence(t, func(w *world, p *process) {
		q, event := w.say(ann, annDM, "", salaryQuestion)
		p.accept(event)
		w.within(time.Minute, "quiet", w.quiet)
		if got := w.slack.Messages(annDM); len(got) != 2 || !strings.Contains(got[1].Text(), salary) || got[1].To != "" {
			t.Errorf("asked in %s: %+v", q.TS, got)
		}
	})
}
