package e2e

import (
	"strings"
	"testing"
	"time"

	"parley/pkg/phrase"
	"parley/pkg/pipeline"
	"parley/pkg/slack/slacktest"
)

// fromOutside makes an event one of a person of another organisation.
func fromOutside(envelope, event map[string]any) {
	envelope["is_ext_shared_channel"] = true
	event["user_team"], event["team"] = "T0OTHER0001", "T0OTHER0001"
}

// untold makes an event one of a shared channel that does not tell whose the person
// is.
func untold(envelope, event map[string]any) {
	envelope["is_ext_shared_channel"] = true
	delete(event, "user_team")
	delete(event, "team")
}

// People of other organisations are refused with one sentence, unless they are
// allowed; also where it is not known whose they are, and whichever way the post
// of the sentence fails.
func TestOutsiders(t *testing.T) {
	t.Parallel()
	for name, who := range map[string]func(envelope, event map[string]any){"outsider": fromOutside, "untold": untold} {
		for _, fault := range []slacktest.Fault{{}, slacktest.CutBefore(), slacktest.CutAfter()} {
			for _, allowed := range []bool{false, true} {
				inWorld(t, worldOptions{config: pipeline.WorkerConfig{Profile: pipeline.Profile{External: allowed}}}, func(w *world) {
					p := w.boot(nil)
					w.slack.Inject("chat.postMessage", 1, fault)
					q, event := w.mention("C1", "", "what is our revenue?")
					p.accept(altered(t, event, who))
					texts := w.settled(5*time.Minute, "C1", q.TS, 1)
					refused := strings.Contains(texts[0], phrase.In("en").Say("external"))
					if refused == allowed || (w.modelCalls() == 0) != refused || (w.answer(q) == "") != refused {
						t.Errorf("%s, allowed %v: %q, %d calls of the model", name, allowed, texts[0], w.modelCalls())
					}
					_, more := w.say(ann, "C1", q.TS, "and last year's?")
					p.accept(altered(t, more, who))
					n := 1
					if allowed {
						n = 2
					}
					w.settled(5*time.Minute, "C1", q.TS, n)
					p.stop()
				})
			}
		}
	}
}
