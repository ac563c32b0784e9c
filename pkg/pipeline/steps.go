package pipeline

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"parley/pkg/chat"
)

// A step is announced once it takes this long. Quicker ones are seen, done, when
// there is something else to show: an announcement costs a snapshot, and what has
// passed before it can be read helps nobody.
const announceAfter = 500 * time.Millisecond

// Bounds of what is told of one attempt.
const (
	maxSteps = 12
	maxStep  = 100 // characters of a title
)

// steps are what an attempt does before the model answers, for people to follow.
// They stand beside the answer and are never part of its text.
type steps struct {
	mu   sync.Mutex
	list []chat.Step // guarded by mu
}

// all are the steps so far.
func (s *steps) all() []chat.Step {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.list)
}

// begin adds a step; i is -1 where there are too many already.
func (s *steps) begin(title string) (i int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.list) == maxSteps {
		return -1
	}
	s.list = append(s.list, chat.Step{ID: strconv.Itoa(len(s.list) + 1), Title: excerpt(title, maxStep)})
	return len(s.list) - 1
}

// end marks a step as done, under another title unless that is empty.
func (s *steps) end(i int, title string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list[i].Done = true
	if title != "" {
		s.list[i].Title = excerpt(title, maxStep)
	}
}

// step begins a step that people may follow. Its end must be called, with a title
// that says what came of it or with none.
func (a *attempt) step(ctx context.Context, title string) (end func(title string)) {
	i := a.steps.begin(title)
	if i < 0 {
		return func(string) {}
	}
	told := make(chan struct{})
	timer := time.AfterFunc(announceAfter, func() {
		defer close(told)
		a.showSteps(ctx)
	})
	return func(title string) {
		if !timer.Stop() {
			<-told // nothing may follow what comes next
		}
		a.steps.end(i, title)
	}
}

// showSteps publishes the steps so far. A person who was told of a delay keeps
// reading that.
func (a *attempt) showSteps(ctx context.Context) {
	if a.k.Told && a.k.Unsettled == 1 || a.private || ctx.Err() != nil {
		return
	}
	r := a.snapshot(chat.Working)
	r.Title, r.Steps = excerpt(a.m.Text, maxTitle), a.steps.all()
	a.send(ctx, r)
}

// thinking begins the step that ends with the model's first word. Where nothing was
// done before it, the working sign says as much.
func (a *attempt) thinking(ctx context.Context, title string) (end func()) {
	if len(a.steps.all()) == 0 {
		return func() {}
	}
	done := a.step(ctx, title)
	return sync.OnceFunc(func() { done("") })
}

// titlesOf names the documents that passages are from, each once.
func titlesOf(passages []Passage) string {
	var titles []string
	for _, p := range passages {
		if t := p.Citation.Title; t != "" && !slices.Contains(titles, t) {
			titles = append(titles, t)
		}
	}
	return strings.Join(titles, ", ")
}
