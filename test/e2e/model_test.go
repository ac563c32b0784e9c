package e2e

import (
	"context"
	"iter"
	"slices"
	"time"

	"parley/pkg/pipeline"
	"parley/pkg/pipelinetest"
	"parley/pkg/slack/slacktest"
)

// modelCall is one call of the model. Its times are guarded by the world's mutex.
type modelCall struct {
	prompt       pipeline.Prompt
	began, ended time.Time
}

// watched notes the model's calls and lets the process die at the first piece.
type watched struct {
	w      *world
	faults *pipelinetest.Faults
}

func (m watched) Stream(ctx context.Context, p pipeline.Prompt) iter.Seq2[pipeline.Delta, error] {
	return func(yield func(pipeline.Delta, error) bool) {
		call := m.w.modelBegins(p)
		defer m.w.modelEnds(call)
		first := true
		for d, err := range m.w.model.Stream(ctx, p) {
			if first {
				if dead := m.faults.Call(ctx, "model.delta", func(context.Context) error { return nil }); dead != nil {
					yield(pipeline.Delta{}, dead)
					return
				}
				first = false
			}
			if !yield(d, err) {
				return
			}
		}
	}
}

func (w *world) modelBegins(p pipeline.Prompt) *modelCall {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := &modelCall{prompt: p, began: time.Now()}
	w.calls = append(w.calls, c)
	return c
}

func (w *world) modelEnds(c *modelCall) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c.ended = time.Now()
}

// callsFor are the calls of the model for a message, all of them for the zero one.
func (w *world) callsFor(m slacktest.Message) []modelCall {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []modelCall
	for _, c := range w.calls {
		if m.TS == "" || c.prompt.MessageID == messageID(m) {
			out = append(out, *c)
		}
	}
	return out
}

// modelCalls is how often the model was asked in all.
func (w *world) modelCalls() int { return len(w.callsFor(slacktest.Message{})) }

// lastPrompt is what the model was last asked for a message.
func (w *world) lastPrompt(m slacktest.Message) pipeline.Prompt {
	w.t.Helper()
	calls := w.callsFor(m)
	if len(calls) == 0 {
		w.t.Fatalf("the model was never asked about %q", m.Fallback)
	}
	return calls[len(calls)-1].prompt
}

// saw is every text of a prompt that people or Parley wrote.
func saw(p pipeline.Prompt) []string {
	all := []string{p.Context, p.Question}
	for _, e := range p.History {
		all = append(all, e.Question, e.Answer)
	}
	return slices.DeleteFunc(all, func(s string) bool { return s == "" })
}
