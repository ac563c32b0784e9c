package e2e

import (
	"strings"
	"testing"
	"time"

	"parley/pkg/slack/slacktest"
)

const slow = " demo:slow 20"

// queuedBehind has Ann ask two questions in a thread; the second waits for the first.
func (w *world) queuedBehind(p *process, text string) (first, second slacktest.Message) {
	w.t.Helper()
	first, event := w.mention("C1", "", "tell me about hills"+slow)
	p.accept(event)
	second, event = w.mention("C1", first.TS, text)
	p.accept(event)
	time.Sleep(3300 * time.Millisecond)
	return first, second
}

// bot is the mention in front of a question.
const bot = "<@" + slacktest.DefaultBotUser + "> "

// answersOnly checks that q was answered in one form alone.
func (w *world) answersOnly(q slacktest.Message, shown, now, before string) {
	w.t.Helper()
	if stored := w.answer(q); stored == "" || shown != stored {
		w.t.Errorf("shown %q, stored %q", shown, stored)
	}
	if !strings.Contains(shown, now) || strings.Contains(shown, before) {
		w.t.Errorf("shown %q, which is not about %q alone", shown, now)
	}
	turn, _ := w.turnOf(q)
	if !strings.Contains(turn.Question, now) || strings.Contains(turn.Question, before) {
		w.t.Errorf("the question is remembered as %q", turn.Question)
	}
}

func TestEditWhileQueued(t *testing.T) {
	t.Parallel()
	inWorld(t, worldOptions{}, func(w *world) {
		p := w.boot(nil)
		first, q := w.queuedBehind(p, "and about rivers?")
		p.accept(w.slack.EventChanged(q, bot+"and about lakes?"))
		texts := w.settled(time.Minute, "C1", first.TS, 2)
		w.answersOnly(q, texts[1], "lakes", "rivers")
		if n := len(w.callsFor(q)); n != 1 {
			t.Errorf("the model was asked %d times", n)
		}
		p.stop()
	})
}

// An edit in the middle of the answer begins it anew, in the same message.
func TestEditWhileStreaming(t *testing.T) {
	t.Parallel()
	inWorld(t, worldOptions{}, func(w *world) {
		p := w.boot(nil)
		q, event := w.mention("C1", "", "tell me about rivers"+slow)
		p.accept(event)
		time.Sleep(5500 * time.Millisecond)
		begun := w.slack.Answers("C1", q.TS)
		edited := time.Now()
		p.accept(w.slack.EventChanged(q, bot+"tell me about lakes"))
		texts := w.settled(time.Minute, "C1", q.TS, 1)
		w.answersOnly(q, texts[0], "lakes", "rivers")
		if len(begun) != 1 || w.slack.Answers("C1", q.TS)[0].TS != begun[0].TS {
			t.Error("the answer is another message than the one that was begun")
		}
		calls := w.callsFor(q)
		if len(calls) != 2 || calls[0].ended.Sub(edited) > 2*time.Second {
			t.Errorf("the model's calls: %+v", calls)
		}
		p.stop()
	})
}

// An edit after the answer has it answered in its new form, in the same place,
// and only that is remembered. An edit that changes nothing does nothing.
func TestEditAfterTheAnswer(t *testing.T) {
	t.Parallel()
	inWorld(t, worldOptions{}, func(w *world) {
		p := w.boot(nil)
		q, event := w.mention("C1", "", "tell me about rivers")
		p.accept(event)
		w.settled(time.Minute, "C1", q.TS, 1)
		before := w.slack.Answers("C1", q.TS)[0]
		time.Sleep(time.Minute)
		p.accept(w.slack.EventChanged(q, bot+"tell me about lakes"))
		texts := w.settled(time.Minute, "C1", q.TS, 1)
		w.answersOnly(q, texts[0], "lakes", "rivers")
		if w.slack.Answers("C1", q.TS)[0].TS != before.TS {
			t.Error("the answer is another message than the one before")
		}
		now, _ := w.slack.Message("C1", q.TS)
		p.accept(w.slack.EventChanged(now, bot+"tell me about lakes"))
		time.Sleep(10 * time.Second)
		if n := len(w.callsFor(q)); n != 2 {
			t.Errorf("the model was asked %d times", n)
		}
		p.stop()
	})
}

// nothingLeft checks that nothing is shown or kept of q.
func (w *world) nothingLeft(q slacktest.Message) {
	w.t.Helper()
	if turn, ok := w.turnOf(q); ok {
		w.t.Errorf("remembered %+v", turn)
	}
	if letters := w.letters(); len(letters) > 0 {
		w.t.Errorf("dead letters %+v", letters)
	}
}

func TestDeleteWhileQueued(t *testing.T) {
	t.Parallel()
	inWorld(t, worldOptions{}, func(w *world) {
		p := w.boot(nil)
		first, q := w.queuedBehind(p, "and about rivers?")
		p.accept(w.slack.EventDeleted(q))
		w.settled(time.Minute, "C1", first.TS, 1)
		w.nothingLeft(q)
		if n := len(w.callsFor(q)); n > 0 {
			t.Errorf("the model was asked %d times about a deleted question", n)
		}
		p.stop()
	})
}

// A deletion in the middle of the answer, or after it, takes it away: of a
// question in somebody's thread and of one that began its own.
func TestDeleteWithdrawsTheAnswer(t *testing.T) {
	t.Parallel()
	for name, wait := range map[string]time.Duration{
		"before the first word": 500 * time.Millisecond, "while streaming": 5500 * time.Millisecond, "after the answer": time.Minute,
	} {
		for _, ownThread := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				inWorld(t, worldOptions{}, func(w *world) {
					p := w.boot(nil)
					thread := ""
					if !ownThread {
						root, _ := w.say(bob, "C1", "", "let us ask")
						thread = root.TS
					}
					q, event := w.mention("C1", thread, "tell me about rivers"+slow)
					p.accept(event)
					time.Sleep(wait)
					deleted := time.Now()
					p.accept(w.slack.EventDeleted(q))
					root := q.TS
					if !ownThread {
						root = thread
					}
					w.settled(time.Minute, "C1", root, 0)
					w.nothingLeft(q)
					if wait < 30*time.Second {
						w.endedWithin(q, 2*time.Second, deleted)
					}
					time.Sleep(time.Minute) // nothing comes late
					w.settled(time.Minute, "C1", root, 0)
					p.stop()
				})
			})
		}
	}
}

// A question that is deleted while its answer is given anew is forgotten in its
// old form, too.
func TestDeleteWhileAnsweringAgain(t *testing.T) {
	t.Parallel()
	inWorld(t, worldOptions{}, func(w *world) {
		p := w.boot(nil)
		root, _ := w.say(bob, "C1", "", "let us ask")
		q, event := w.mention("C1", root.TS, "my name is Ada"+slow)
		p.accept(event)
		w.settled(time.Minute, "C1", root.TS, 1)
		p.accept(w.press(q.Channel, root.TS, "parley_regenerate", ann))
		time.Sleep(5500 * time.Millisecond)
		p.accept(w.slack.EventDeleted(q))
		w.settled(time.Minute, "C1", root.TS, 0)
		w.nothingLeft(q)
		next, event := w.mention("C1", root.TS, "what is my name?")
		p.accept(event)
		w.settled(time.Minute, "C1", root.TS, 1)
		if prompt := w.lastPrompt(next); len(prompt.History) > 0 {
			t.Errorf("the deleted question is in a prompt: %+v", prompt)
		}
		p.stop()
	})
}
