package torture

import (
	"context"
	"errors"
	"iter"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"parley/pkg/demo"
	"parley/pkg/pipeline"
	"parley/pkg/pipelinetest"
	"parley/pkg/slack/slacktest"
	"parley/test/world"
)

// How long a question may block its conversation, from its asking to the apology:
// the bounds that docs/reliability.md names, and a few seconds for what comes around
// them.
const (
	crashBound = 4 * time.Minute
	failBound  = 110 * time.Second
	hangBound  = 324 * time.Second
	margin     = 5 * time.Second
)

// restart is how long it takes here until a process that died is noticed: on one
// machine everybody waits for that.
const restart = time.Second

// deadly is in the text of the question that is the poison.
const deadly = "the deadly one"

// poison answers everything but the deadly question, which it treats as told.
type poison struct {
	pipeline.Model
	taste func(ctx context.Context, yield func(pipeline.Delta, error) bool)
}

func (m poison) Stream(ctx context.Context, p pipeline.Prompt) iter.Seq2[pipeline.Delta, error] {
	if !strings.Contains(p.Question, deadly) {
		return m.Model.Stream(ctx, p)
	}
	return func(yield func(pipeline.Delta, error) bool) { m.taste(ctx, yield) }
}

// hang says nothing until it is cut off.
func hang(ctx context.Context, yield func(pipeline.Delta, error) bool) {
	<-ctx.Done()
	yield(pipeline.Delta{}, pipeline.Transient(pipeline.ReasonModel, ctx.Err()))
}

// trickle says something every ten seconds, for ever.
func trickle(ctx context.Context, yield func(pipeline.Delta, error) bool) {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Second):
		}
		if !yield(pipeline.Delta{Text: "and "}, nil) {
			return
		}
	}
}

func fail(_ context.Context, yield func(pipeline.Delta, error) bool) {
	yield(pipeline.Delta{}, pipeline.Transient(pipeline.ReasonModel, errors.New("poison")))
}

// mortal makes processes that die of the deadly question, and the taste that kills.
func mortal() (faults func() *pipelinetest.Faults, kill func(context.Context, func(pipeline.Delta, error) bool)) {
	var dying atomic.Bool
	faults = func() *pipelinetest.Faults {
		f := pipelinetest.NewFaults()
		f.Decide(func(at pipelinetest.Point) (pipelinetest.Mode, time.Duration) {
			if at.Method == "model.delta" && dying.CompareAndSwap(true, false) {
				return pipelinetest.DieBefore, 0
			}
			return "", 0
		})
		return f
	}
	kill = func(_ context.Context, yield func(pipeline.Delta, error) bool) {
		dying.Store(true)
		yield(pipeline.Delta{Text: "I"}, nil)
	}
	return faults, kill
}

// ward is a world whose process is started again whenever it has died.
type ward struct {
	*world.World
	faults  func() *pipelinetest.Faults
	process *world.Process
}

func (w *ward) revive() {
	select {
	case <-w.process.Faults.Died():
		w.process.Kill()
		w.process = w.Boot(w.faults())
	default:
	}
}

// ask asks something and returns how to wait until its end is shown; that fails the
// test after limit.
func (w *ward) ask(root, text string) (q world.Question, ended func(limit time.Duration)) {
	q, event := w.Ask("C1", root, ann, text)
	w.process.Accept(event)
	asked := time.Now()
	return q, func(limit time.Duration) {
		w.Helper()
		for !w.shown(q) {
			if took := time.Since(asked); took > limit {
				w.Fatalf("%q is not answered after %v", text, took)
			}
			time.Sleep(restart)
			w.revive()
		}
		w.Logf("%q was answered after %v", text, time.Since(asked).Round(time.Second))
	}
}

// shown reports whether the end of q is shown.
func (w *ward) shown(q world.Question) (done bool) {
	w.With(func(b world.Backend) {
		placed, err := b.Deliveries.LoadDelivery(w.Context(), q.ID)
		done = err == nil && placed.Order.Terminal
	})
	return done
}

// A question that fails, hangs or kills its process, whenever it is tried, delays
// other conversations by nothing, and the next question of its own by no more than
// its bound.
func TestPoison(t *testing.T) {
	faults, kill := mortal()
	for _, c := range []struct {
		name          string
		bound, others time.Duration
		taste         func(context.Context, func(pipeline.Delta, error) bool)
	}{
		{"fails", failBound, fair, fail},
		{"hangs", hangBound, fair, hang},
		{"trickles", hangBound, fair, trickle},
		{"kills", crashBound, fair + 3*restart, kill},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachForm(t, world.Options{Slack: slacktest.Options{PerMinute: generous, PostBurst: 1000}}, func(world *world.World) {
				world.Model.Use(poison{&demo.Model{Pace: 20 * time.Millisecond}, c.taste})
				w := &ward{world, faults, world.Boot(faults())}
				bad, _ := w.ask("", deadly)
				next, ended := w.ask(bad.Root, "and this?")
				for range 3 { // nobody else notices
					for range 15 {
						time.Sleep(restart)
						w.revive()
					}
					_, ended := w.ask("", "quickly")
					ended(c.others)
				}
				ended(c.bound + margin)
				w.Settle(time.Hour)
				w.Judge("at the end")
				w.Answered("at the end", next)
				if all := w.Letters(); len(all) != 1 || all[0].MessageID != bad.ID || !all[0].Told {
					w.Errorf("letters: %+v", all)
				}
				w.process.Stop()
			})
		})
	}
}
