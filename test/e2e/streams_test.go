package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"parley/pkg/demo"
	"parley/pkg/slack/slacktest"
)

// Twenty answers stream at once in one workspace, begun within more than a minute, as
// Slack's limit of starts demands. Of twenty or fifty asked in the same second some
// are posted whole, and lose no text for it. Slack refuses nothing in any case,
// because Parley stays below every limit by itself; and each answer reads exactly
// what is stored.
func TestManyStreamsAtOnce(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ answers, first, streams int }{{20, 12, 20}, {20, 20, 15}, {50, 50, 15}} {
		t.Run(fmt.Sprintf("%d, the first %d at once", c.answers, c.first), func(t *testing.T) {
			t.Parallel()
			// Answers long enough to be written at the same time, over two minutes.
			inWorld(t, worldOptions{workers: c.answers, model: &demo.Model{Pace: 400 * time.Millisecond}}, func(w *world) {
				w.crowd(c.answers, c.first, c.streams)
			})
		})
	}
}

func (w *world) crowd(answers, first, streams int) {
	w.t.Helper()
	p := w.boot(nil)
	var asked []slacktest.Message
	for i := range answers {
		if i == first {
			time.Sleep(time.Minute)
		}
		q, event := w.mention(fmt.Sprintf("C%d", i), "", fmt.Sprintf("question %d demo:slow 320", i))
		asked = append(asked, q)
		p.accept(event)
	}
	atOnce := 0
	w.within(5*time.Minute, "quiet", func() bool {
		atOnce = max(atOnce, len(w.slack.OpenStreams()))
		return w.quiet()
	})
	if atOnce != streams {
		w.t.Errorf("%d streams were open at once, want %d", atOnce, streams)
	}
	for _, q := range asked {
		texts := w.settled(5*time.Minute, q.Channel, q.TS, 1)
		if stored := w.answer(q); stored == "" || texts[0] != stored {
			w.t.Errorf("shown %q, stored %q", texts[0], stored)
		}
	}
	w.checkTiers()
	p.stop()
}

// checkTiers looks at what was called: never more in any minute than a tier gives,
// nothing refused, and people saw their streams grow.
func (w *world) checkTiers() {
	w.t.Helper()
	for method, limit := range map[string]int{"chat.startStream": 20, "chat.stopStream": 20, "chat.appendStream": 100, "chat.update": 50} {
		calls := w.slack.Calls(method)
		for i := range calls {
			if i >= limit && calls[i].At.Sub(calls[i-limit].At) < time.Minute {
				w.t.Errorf("%s was called %d times within %v", method, limit+1, calls[i].At.Sub(calls[i-limit].At))
				break
			}
		}
	}
	if n := len(w.slack.Calls("chat.appendStream")); n < 60 {
		w.t.Errorf("the streams grew only %d times", n)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range w.measured {
		if strings.HasPrefix(m, "Throttled ") {
			w.t.Errorf("Slack refused: %s", m)
		}
	}
}
