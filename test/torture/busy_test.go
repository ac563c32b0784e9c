package torture

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/pkg/pipeline"
	"parley/pkg/slack/slacktest"
	"parley/test/world"
)

// A throttle is told at once and only once, in the message that becomes the answer,
// and while it lasts nobody else's question calls the model either.
func TestThrottleIsToldOnceAndObeyed(t *testing.T) {
	world.In(t, world.Options{Slack: slacktest.Options{PerMinute: generous, PostBurst: 1000}}, func(w *world.World) {
		const hint = 15 * time.Second
		var mu sync.Mutex
		var at []time.Time
		w.Model.Fail(func(pipeline.Prompt) error {
			mu.Lock()
			defer mu.Unlock()
			if at = append(at, time.Now()); len(at) <= 3 {
				return pipeline.Throttled(pipeline.ReasonThrottled, hint, errors.New("busy"))
			}
			return nil
		})
		p := w.Boot(nil)
		first, event := w.Ask("C1", "", ann, "first")
		p.Accept(event)
		time.Sleep(2 * time.Second)
		const busy = "The model is busy. You are in line"
		if said := w.Visible(first); len(said) != 1 || !strings.Contains(said[0], busy) {
			w.Errorf("after two seconds the person reads %q", said)
		}
		var asked []world.Question
		for i := range 5 {
			q, event := w.Ask("C2", "", fmt.Sprintf("U0BOB0000%d", i), fmt.Sprintf("meanwhile %d", i))
			p.Accept(event)
			asked = append(asked, q)
		}
		w.Settle(time.Hour)
		w.Answered("at the end", append(asked, first)...)
		w.Judge("at the end")
		for i := 1; i <= 3; i++ {
			if gap := at[i].Sub(at[i-1]); gap < hint {
				w.Errorf("call %d came %v after a refusal for %v", i+1, gap, hint)
			}
		}
		told := map[string]int{}
		for _, c := range w.Slack.Calls("chat.postMessage", "chat.update") {
			if strings.Contains(fmt.Sprint(c.Args), busy) {
				told[fmt.Sprint(c.Args["thread_ts"], c.Args["ts"])]++
			}
		}
		for message, n := range told {
			if n > 1 {
				w.Errorf("%s was told %d times", message, n)
			}
		}
		if len(told) != 6 {
			w.Errorf("%d people were told, want 6", len(told))
		}
		p.Stop()
	})
}

// A model that is busy for too long ends in an apology and a letter, told by the
// worker, long before the queue would give the question up without a word.
func TestThrottleThatDoesNotEnd(t *testing.T) {
	eachForm(t, world.Options{}, func(w *world.World) {
		w.Model.Fail(func(pipeline.Prompt) error {
			return pipeline.Throttled(pipeline.ReasonThrottled, time.Second, errors.New("busy"))
		})
		p := w.Boot(nil)
		began := time.Now()
		q, event := w.Ask("C1", "", ann, "hello")
		p.Accept(event)
		w.Settle(time.Hour)
		if took := time.Since(began); took > 6*time.Minute {
			w.Errorf("it took %v", took)
		}
		w.Judge("at the end")
		all := w.Letters()
		if len(all) != 1 || all[0].Reason != string(pipeline.ReasonThrottled) || !all[0].Told {
			w.Fatalf("letters: %+v", all)
		}
		w.Model.Fail(nil)
		w.ReplayAll()
		w.Settle(time.Hour)
		w.Answered("after the replay", q)
		p.Stop()
	})
}

// fair is how much later a question is answered because somebody else asks twenty at
// once, at most.
const fair = 3 * time.Second

// A person who asks twenty questions in twenty threads has no more than three of them
// answered at once, and hardly delays another person's. All twenty are answered.
func TestOnePersonCannotStarveOthers(t *testing.T) {
	o := world.Options{
		Slack:  slacktest.Options{PerMinute: generous, PostBurst: 1000},
		Config: pipeline.WorkerConfig{Seats: pipeline.Seats{User: 3}},
	}
	eachForm(t, o, func(w *world.World) {
		var mu sync.Mutex
		running, peak := 0, 0
		w.Model.Watch(func(p pipeline.Prompt, begins bool) {
			mu.Lock()
			defer mu.Unlock()
			if !strings.Contains(p.Question, "slow") {
				return
			}
			if !begins {
				running--
				return
			}
			running++
			peak = max(peak, running)
		})
		p := w.Boot(nil)
		for i := range 20 {
			_, event := w.Ask(fmt.Sprintf("C%d", i), "", ann, "demo:slow 15")
			p.Accept(event)
		}
		for _, after := range []time.Duration{0, 10 * time.Second, time.Minute} {
			time.Sleep(after)
			bob, event := w.Ask("C99", "", "U0BOB00001", "quickly")
			p.Accept(event)
			began := time.Now()
			w.Within(10*time.Minute, "answered", func() bool {
				var done bool
				w.With(func(b world.Backend) {
					placed, err := b.Deliveries.LoadDelivery(w.Context(), bob.ID)
					done = err == nil && placed.Order.Terminal
				})
				return done
			})
			if took := time.Since(began); took > fair {
				w.Errorf("bob's question took %v", took)
			}
		}
		w.Settle(2 * time.Hour)
		w.Answered("at the end", w.Questions()...)
		w.Judge("at the end")
		if peak != 3 {
			w.Errorf("%d questions of one person were answered at once", peak)
		}
		if n := w.Model.Calls(""); n != 23 {
			w.Errorf("the model was asked %d times for 23 questions", n)
		}
		p.Stop()
	})
}

// A process that dies with all of a person's seats taken holds them for a lease, no
// longer.
func TestSeatsOfTheDead(t *testing.T) {
	o := world.Options{Config: pipeline.WorkerConfig{Seats: pipeline.Seats{User: 2, Workspace: 2}}}
	eachForm(t, o, func(w *world.World) {
		p := w.Boot(nil)
		for i := range 2 {
			_, event := w.Ask(fmt.Sprintf("C%d", i), "", ann, "demo:slow 30")
			p.Accept(event)
		}
		time.Sleep(5 * time.Second)
		p.Kill()
		p = w.Boot(nil)
		_, event := w.Ask("C9", "", ann, "and this?")
		p.Accept(event)
		w.Settle(15 * time.Minute)
		w.Answered("at the end", w.Questions()...)
		w.Judge("at the end")
		p.Stop()
	})
}
