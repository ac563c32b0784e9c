package world

import (
	"context"
	"iter"
	"sync"
	"time"

	"parley/pkg/demo"
	"parley/pkg/pipeline"
	"parley/pkg/pipelinetest"
)

// Model answers as the demo model does, counts, and fails on request. It outlives
// the processes and is safe for concurrent use.
type Model struct {
	next pipeline.Model

	mu    sync.Mutex
	calls map[string]int // by message
	fail  func(p pipeline.Prompt) error
	watch func(p pipeline.Prompt, begins bool)
}

// Watch has f told of each call's beginning and end.
func (m *Model) Watch(f func(p pipeline.Prompt, begins bool)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.watch = f
}

func (m *Model) tell(p pipeline.Prompt, begins bool) {
	m.mu.Lock()
	f := m.watch
	m.mu.Unlock()
	if f != nil {
		f(p, begins)
	}
}

func newModel() *Model {
	return &Model{next: &demo.Model{Pace: 20 * time.Millisecond}, calls: map[string]int{}}
}

// Fail makes later calls fail with what f returns; nil answers, and a nil f
// answers everything.
func (m *Model) Fail(f func(p pipeline.Prompt) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = f
}

// Use answers with next.
func (m *Model) Use(next pipeline.Model) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.next = next
}

// Calls is how often the model was asked about one message, or with "" in all.
func (m *Model) Calls(message string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	if message != "" {
		return m.calls[message]
	}
	n := 0
	for _, c := range m.calls {
		n += c
	}
	return n
}

func (m *Model) begin(p pipeline.Prompt) (pipeline.Model, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls[p.MessageID]++
	if m.fail != nil {
		return nil, m.fail(p)
	}
	return m.next, nil
}

// seen is the model as a process sees it: it may die at the first piece.
type seen struct {
	m      *Model
	faults *pipelinetest.Faults
}

func (s *seen) Stream(ctx context.Context, p pipeline.Prompt) iter.Seq2[pipeline.Delta, error] {
	return func(yield func(pipeline.Delta, error) bool) {
		s.m.tell(p, true)
		defer s.m.tell(p, false)
		var next pipeline.Model
		err := s.faults.Call(ctx, "model.Stream", func(context.Context) (err error) {
			next, err = s.m.begin(p)
			return err
		})
		if err != nil {
			yield(pipeline.Delta{}, err)
			return
		}
		if next == nil {
			next = s.m.answering()
		}
		first := true
		for d, err := range next.Stream(ctx, p) {
			if first {
				if dead := s.faults.Call(ctx, "model.delta", func(context.Context) error { return nil }); dead != nil {
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

func (m *Model) answering() pipeline.Model {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.next
}
