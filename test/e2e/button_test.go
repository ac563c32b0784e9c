package e2e

import (
	"strings"
	"testing"
	"time"

	"parley/pkg/demo"
	"parley/pkg/slack"
	"parley/pkg/slack/slacktest"
)

// press is the press of a button under the first answer of a thread.
func (w *world) press(channel, root, action, user string) slacktest.Inbound {
	w.t.Helper()
	for _, m := range w.slack.Answers(channel, root) {
		for _, b := range m.Buttons() {
			if b.ActionID == action {
				return w.slack.EventAction(m, b, user)
			}
		}
	}
	w.t.Fatalf("there is no button %s", action)
	return slacktest.Inbound{}
}

// failing asks a question that fails until the model is cured.
func failing(t *testing.T, test func(w *world, p *process, model *demo.Model, q slacktest.Message)) {
	t.Parallel()
	model := &demo.Model{Pace: 20 * time.Millisecond}
	inWorld(t, worldOptions{model: model}, func(w *world) {
		p := w.boot(nil)
		q, event := w.mention("C1", "", "tell me about rivers demo:fail")
		p.accept(event)
		w.settled(time.Minute, "C1", q.TS, 1)
		test(w, p, model, q)
		p.stop()
	})
}

// answeredInPlace checks that the apology became the answer, with one more call of
// the model.
func (w *world) answeredInPlace(q, apology slacktest.Message) {
	w.t.Helper()
	texts := w.settled(time.Minute, q.Channel, q.TS, 1)
	if stored := w.answer(q); stored == "" || texts[0] != stored {
		w.t.Errorf("shown %q, stored %q", texts[0], stored)
	}
	if w.slack.Answers(q.Channel, q.TS)[0].TS != apology.TS {
		w.t.Error("the answer is another message than the apology")
	}
	if n := len(w.callsFor(q)); n != 2 {
		w.t.Errorf("the model was called %d times", n)
	}
}

func TestRetryByTheAsker(t *testing.T) {
	failing(t, func(w *world, p *process, model *demo.Model, q slacktest.Message) {
		apology := w.slack.Answers("C1", q.TS)[0]
		model.Cure()
		p.accept(w.press("C1", q.TS, slack.ActionRetry, ann))
		w.answeredInPlace(q, apology)
	})
}

// Somebody else's press changes nothing; that person alone is told why.
func TestRetryBySomebodyElse(t *testing.T) {
	failing(t, func(w *world, p *process, model *demo.Model, q slacktest.Message) {
		apology := w.slack.Answers("C1", q.TS)[0]
		model.Cure()
		p.accept(w.press("C1", q.TS, slack.ActionRetry, bob))
		texts := w.settled(time.Minute, "C1", q.TS, 1)
		if texts[0] != apology.Text() {
			t.Errorf("the apology now reads %q", texts[0])
		}
		told := w.slack.Ephemeral("C1", bob)
		if len(told) != 1 || !strings.Contains(told[0].Text(), "Only the person who asked") {
			t.Errorf("Bob was told %v", told)
		}
		if len(w.slack.Ephemeral("C1", ann)) > 0 {
			t.Error("Ann was told, too")
		}
		if n := w.modelCalls(); n != 1 {
			t.Errorf("the model was called %d times", n)
		}
	})
}

// Two presses, or one delivered twice, or one beside a replay, make one answer.
func TestDoublePress(t *testing.T) {
	failing(t, func(w *world, p *process, model *demo.Model, q slacktest.Message) {
		apology := w.slack.Answers("C1", q.TS)[0]
		model.Cure()
		first, second := w.press("C1", q.TS, slack.ActionRetry, ann), w.press("C1", q.TS, slack.ActionRetry, ann)
		p.accept(first)
		p.accept(second)
		p.accept(first.Retry(1, "http_timeout"))
		for _, l := range w.letters() {
			w.replay(l)
		}
		w.answeredInPlace(q, apology)
		late := w.slack.EventAction(apology, apology.Buttons()[0], ann) // a client that still shows the apology
		p.accept(late)
		w.answeredInPlace(q, apology)
		if told := w.slack.Ephemeral("C1", ann); len(told) != 1 || !strings.Contains(told[0].Text(), "answered or withdrawn") {
			t.Errorf("Ann was told %v", told)
		}
	})
}

// A retry counts from its press: a stop before it was about something else.
func TestRetryAfterAStop(t *testing.T) {
	failing(t, func(w *world, p *process, model *demo.Model, q slacktest.Message) {
		apology := w.slack.Answers("C1", q.TS)[0]
		_, event := w.mention("C1", q.TS, "stop")
		p.accept(event)
		w.settled(time.Minute, "C1", q.TS, 1)
		model.Cure()
		time.Sleep(time.Minute)
		p.accept(w.press("C1", q.TS, slack.ActionRetry, ann))
		w.answeredInPlace(q, apology)
	})
}

// The same for a replay by an operator.
func TestReplayAfterAStop(t *testing.T) {
	failing(t, func(w *world, p *process, model *demo.Model, q slacktest.Message) {
		apology := w.slack.Answers("C1", q.TS)[0]
		_, event := w.mention("C1", q.TS, "stop")
		p.accept(event)
		model.Cure()
		time.Sleep(time.Minute)
		for _, l := range w.letters() {
			w.replay(l)
		}
		w.answeredInPlace(q, apology)
	})
}

// "Answer again" replaces the answer where it stands. Stopped before its first
// word, it leaves the answer that stands, shown and remembered.
func TestAnswerAgain(t *testing.T) {
	t.Parallel()
	inWorld(t, worldOptions{model: &demo.Model{Pace: 5 * time.Second}}, func(w *world) {
		p := w.boot(nil)
		q, event := w.mention("C1", "", "hi")
		p.accept(event)
		w.settled(5*time.Minute, "C1", q.TS, 1)
		first := w.slack.Answers("C1", q.TS)[0]
		for calls := 2; calls <= 3; calls++ {
			p.accept(w.press("C1", q.TS, slack.ActionRegenerate, ann))
			w.within(time.Minute, "asked again", func() bool { return len(w.callsFor(q)) == calls })
			if calls == 3 {
				_, event = w.mention("C1", q.TS, "stop")
				p.accept(event)
			}
			texts := w.settled(5*time.Minute, "C1", q.TS, 1)
			if stored := w.answer(q); stored == "" || texts[0] != stored || w.slack.Answers("C1", q.TS)[0].TS != first.TS {
				t.Errorf("shown %q, stored %q", texts[0], stored)
			}
		}
		p.stop()
	})
}
