package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"parley/pkg/slack/slacktest"
)

// Ten answers at once, and for three minutes Slack refuses everything and asks to
// come back in 30 seconds. All finals are shown in the end, nothing is called
// before its time, no partial is sent a second time for having been refused, and
// the model is not asked again. The storm begins with the questions, or while
// their answers are being streamed.
func TestThrottleStorm(t *testing.T) {
	t.Parallel()
	for _, calm := range []time.Duration{0, 5 * time.Second} {
		t.Run(fmt.Sprintf("after %v", calm), func(t *testing.T) {
			t.Parallel()
			inWorld(t, worldOptions{}, func(w *world) { w.weather(calm, 3*time.Minute, 30*time.Second) })
		})
	}
}

func (w *world) weather(calm, storm, wait time.Duration) {
	const answers = 10
	p := w.boot(nil)
	if calm == 0 {
		w.slack.Storm(storm, wait)
	}
	var asked []slacktest.Message
	for i := range answers {
		q, event := w.mention(fmt.Sprintf("C%d", i%3), "", fmt.Sprintf("question %d demo:slow 60", i))
		asked = append(asked, q)
		p.accept(event)
	}
	time.Sleep(calm)
	before := len(w.slack.Calls())
	if calm > 0 {
		w.slack.Storm(storm, wait)
	}
	time.Sleep(storm)
	w.checkStorm(w.slack.Calls()[before:])
	for _, q := range asked {
		texts := w.settled(20*time.Minute, q.Channel, q.TS, 1)
		if stored := w.answer(q); stored == "" || !strings.Contains(texts[0], stored) {
			w.t.Errorf("shown %q, stored %q", texts[0], stored)
		}
	}
	if n := w.modelCalls(); n != answers {
		w.t.Errorf("the model was called %d times for %d questions", n, answers)
	}
	if left := w.letters(); len(left) > 0 {
		w.t.Errorf("%d dead letters", len(left))
	}
	p.stop()
}

// checkStorm looks at what was called while everything was refused.
func (w *world) checkStorm(calls []slacktest.Call) {
	w.t.Helper()
	if len(calls) < 3 {
		w.t.Errorf("only %d calls met the storm", len(calls))
	}
	sent := map[string]bool{}
	for _, c := range calls {
		if c.Method != "chat.appendStream" && c.Method != "chat.startStream" {
			continue
		}
		partial := c.Method + c.Args["channel"] + c.Args["thread_ts"] + c.Args["ts"] + "\n" + c.Args["markdown_text"]
		if sent[partial] {
			w.t.Errorf("a partial was sent again after it was refused: %.100q", partial)
		}
		sent[partial] = true
	}
}
