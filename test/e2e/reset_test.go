package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"parley/pkg/pipeline"
	"parley/pkg/slack/slacktest"
)

// mentions reports whether a prompt holds a word.
func mentions(p pipeline.Prompt, word string) bool {
	return slices.ContainsFunc(saw(p), func(s string) bool { return strings.Contains(s, word) })
}

// Nothing said before a reset reaches a later prompt: in a thread of a channel
// that people began, and in a direct message.
func TestResetForgets(t *testing.T) {
	t.Parallel()
	inWorld(t, worldOptions{}, func(w *world) {
		p := w.boot(nil)
		root, _ := w.say(bob, "C1", "", "I live in Ravenna")
		_, event := w.mention("C1", root.TS, "my name is Ada")
		p.accept(event)
		w.settled(time.Minute, "C1", root.TS, 1)
		_, event = w.mention("C1", root.TS, "reset")
		p.accept(event)
		w.settled(time.Minute, "C1", root.TS, 2)
		q, event := w.mention("C1", root.TS, "what is my name?")
		p.accept(event)
		w.settled(time.Minute, "C1", root.TS, 3)
		for _, word := range []string{"Ada", "Ravenna"} {
			if prompt := w.lastPrompt(q); mentions(prompt, word) {
				t.Errorf("%s reached a prompt after the reset: %+v", word, prompt)
			}
		}
		p.stop()
	})
	inWorld(t, worldOptions{}, func(w *world) {
		p := w.boot(nil)
		for _, text := range []string{"my name is Ada", "reset"} {
			m, event := w.say(ann, annDM, "", text)
			p.accept(event)
			w.settled(time.Minute, annDM, m.TS, 1)
		}
		q, event := w.say(ann, annDM, "", "what is my name?")
		p.accept(event)
		w.settled(time.Minute, annDM, q.TS, 1)
		if prompt := w.lastPrompt(q); mentions(prompt, "Ada") {
			t.Errorf("the name reached a prompt after the reset: %+v", prompt)
		}
		p.stop()
	})
}

// A reset sent while an answer is being written forgets that answer too, and so
// does one that overtakes questions in the queue.
func TestResetInFlight(t *testing.T) {
	t.Parallel()
	inWorld(t, worldOptions{}, func(w *world) {
		p := w.boot(nil)
		first, event := w.mention("C1", "", "my name is Ada demo:slow 10")
		p.accept(event)
		_, event = w.mention("C1", first.TS, "I live in Ravenna")
		p.accept(event)
		time.Sleep(3 * time.Second)
		_, event = w.mention("C1", first.TS, "reset")
		p.accept(event)
		q, event := w.mention("C1", first.TS, "what is my name?")
		p.accept(event)
		w.settled(time.Minute, "C1", first.TS, 4)
		if prompt := w.lastPrompt(q); len(prompt.History) > 0 || mentions(prompt, "Ada") || mentions(prompt, "Ravenna") {
			t.Errorf("what was said before the reset reached a prompt: %+v", prompt)
		}
		p.stop()
	})
}

// Conversations know nothing of each other: threads of one channel, channels,
// and direct messages of different people or the same.
func TestConversationsAreIsolated(t *testing.T) {
	t.Parallel()
	inWorld(t, worldOptions{}, func(w *world) {
		p := w.boot(nil)
		told, event := w.mention("C1", "", "my name is Ada")
		p.accept(event)
		w.settled(time.Minute, "C1", told.TS, 1)
		private, event := w.say(ann, annDM, "", "my town is Ravenna")
		p.accept(event)
		w.settled(time.Minute, annDM, private.TS, 1)

		elsewhere := map[string]slacktest.Message{}
		ask := func(name string, m slacktest.Message, event slacktest.Inbound) {
			elsewhere[name] = m
			p.accept(event)
			w.settled(time.Minute, m.Channel, m.TS, 1)
		}
		m, event := w.mention("C1", "", "who am I?")
		ask("another thread", m, event)
		m, event = w.mention("C2", "", "who am I?")
		ask("another channel", m, event)
		m, event = w.say(bob, "D0BOB00001", "", "who am I?")
		ask("another person", m, event)
		for name, m := range elsewhere {
			if prompt := w.lastPrompt(m); mentions(prompt, "Ada") || mentions(prompt, "Ravenna") {
				t.Errorf("%s sees what was said elsewhere: %+v", name, prompt)
			}
		}
		m, event = w.say(ann, annDM, "", "who am I?")
		ask("the same direct message", m, event)
		if prompt := w.lastPrompt(m); mentions(prompt, "Ada") || !mentions(prompt, "Ravenna") {
			t.Errorf("a direct message remembers %+v", prompt)
		}
		p.stop()
	})
}

// A thread in a direct message begins with the turn it hangs under, and knows
// nothing else of the conversation; nor does it after either has been reset.
func TestThreadOfADirectMessage(t *testing.T) {
	t.Parallel()
	inWorld(t, worldOptions{}, func(w *world) {
		p := w.boot(nil)
		ask := func(thread, text string, answers int) slacktest.Message {
			m, event := w.say(ann, annDM, thread, text)
			p.accept(event)
			root := m.TS
			if thread != "" {
				root = thread
			}
			w.settled(time.Minute, annDM, root, answers)
			return m
		}
		history := func(m slacktest.Message) (questions []string) {
			for _, e := range w.lastPrompt(m).History {
				questions = append(questions, e.Question)
			}
			return questions
		}
		expect := func(what string, m slacktest.Message, want ...string) {
			t.Helper()
			if got := history(m); !slices.Equal(got, want) {
				t.Errorf("%s begins with %q, want %q", what, got, want)
			}
		}
		ask("", "I like tea", 1)
		root := ask("", "my name is Ada", 1)
		ask("", "I live in Ravenna", 1)
		expect("the thread", ask(root.TS, "how do you spell it?", 2), "my name is Ada")
		expect("its second question", ask(root.TS, "and backwards?", 3), "my name is Ada", "how do you spell it?")

		help := ask("", "help", 1)
		expect("a thread under what was no question", ask(help.TS, "what else?", 2))

		ask(root.TS, "reset", 4)
		expect("the thread after its reset", ask(root.TS, "and now?", 5))
		other := ask("", "I collect stamps", 1)
		ask("", "reset", 1)
		expect("a thread under what was forgotten", ask(other.TS, "which?", 2))
		p.stop()
	})
}

// A mention in the middle of a thread of people reads it, once.
func TestMentionReadsTheThreadOnce(t *testing.T) {
	t.Parallel()
	inWorld(t, worldOptions{}, func(w *world) {
		p := w.boot(nil)
		root, _ := w.say(bob, "C1", "", "The launch is on Friday.")
		w.say(ann, "C1", root.TS, "The budget is 300 euros.")
		q, event := w.mention("C1", root.TS, "summarise this")
		p.accept(event)
		texts := w.settled(time.Minute, "C1", root.TS, 1)
		prompt := w.lastPrompt(q)
		for _, said := range []string{"The launch is on Friday.", "The budget is 300 euros."} {
			if !strings.Contains(prompt.Context, said) {
				t.Errorf("the model did not see %q: %+v", said, prompt)
			}
		}
		if !strings.Contains(texts[0], "Friday") {
			t.Errorf("the summary is %q", texts[0])
		}
		again, event := w.mention("C1", root.TS, "thank you")
		p.accept(event)
		w.settled(time.Minute, "C1", root.TS, 2)
		if prompt := w.lastPrompt(again); prompt.Context != "" || len(prompt.History) != 1 {
			t.Errorf("the second mention sees %+v", prompt)
		}
		if n := len(w.slack.Calls("conversations.replies")); n != 1 {
			t.Errorf("the thread was read %d times", n)
		}
		p.stop()
	})
}
