package e2e

import (
	"testing"
	"time"

	"parley/pkg/pipeline"
)

// Who may go on in a thread without mentioning Parley is the operator's choice.
// In a thread that Parley has no part in, nobody may.
func TestFollowUps(t *testing.T) {
	t.Parallel()
	for policy, answered := range map[string]map[string]bool{
		pipeline.FollowAsker:  {ann: true, bob: false},
		pipeline.FollowAnyone: {ann: true, bob: true},
		pipeline.FollowNever:  {ann: false, bob: false},
	} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			inWorld(t, worldOptions{config: pipeline.WorkerConfig{Profile: pipeline.Profile{FollowUps: policy}}}, func(w *world) {
				p := w.boot(nil)
				root, event := w.mention("C1", "", "tell me about rivers")
				p.accept(event)
				w.settled(time.Minute, "C1", root.TS, 1)
				answers := 1
				for _, who := range []string{bob, ann} { // Ann's answer would not make Bob an asker
					_, event := w.say(who, "C1", root.TS, "and where do they end?")
					p.accept(event)
					if answered[who] {
						answers++
					}
					time.Sleep(10 * time.Second)
					w.settled(time.Minute, "C1", root.TS, answers)
				}
				foreign, _ := w.say(ann, "C1", "", "lunch?")
				_, event = w.say(ann, "C1", foreign.TS, "at noon?")
				p.accept(event)
				time.Sleep(10 * time.Second)
				w.settled(time.Minute, "C1", foreign.TS, 0)
				if n := w.modelCalls(); n != answers {
					t.Errorf("the model was called %d times for %d answers", n, answers)
				}
				p.stop()
			})
		})
	}
}
