package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"parley/pkg/slack/slacktest"
)

// The thinnest path: a signed mention in, the answer in its thread, remembered.
func TestMentionIsAnsweredAndRemembered(t *testing.T) {
	t.Parallel()
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

// A conversation's questions are answered in the order they were asked, and
// conversations know nothing of each other.
func TestOrderAndSeparation(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
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
