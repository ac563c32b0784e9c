package explore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

// verdict is what becomes of a call at the gate.
type verdict int

const (
	goOn      verdict = iota
	fail              // nothing happens, and an error comes back
	persisted         // it takes effect, and an error comes back
)

var (
	errInjected = errors.New("injected failure")
	errDead     = errors.New("the process is dead")
)

// pending is a call held at the gate.
type pending struct {
	process *process
	name    string
	resume  chan verdict
}

// process is one life of a Lambda environment or of the local server.
type process struct {
	id     int
	dead   bool
	late   bool          // it does nothing while anything else can happen
	claim  pipeline.Case // as it wrote it last
	skew   time.Duration // of its clock
	gate   *gate
	cancel context.CancelFunc
}

// gate holds calls until the scheduler decides.
type gate struct {
	mu      sync.Mutex
	waiting []*pending
	trace   []string
	wrong   []string // guarded by mu
}

// call passes one call of p through the gate.
func (p *process) call(ctx context.Context, name string, do func()) error {
	w := &pending{process: p, name: name, resume: make(chan verdict)}
	p.gate.mu.Lock()
	if p.dead {
		p.gate.mu.Unlock()
		return errDead
	}
	p.gate.waiting = append(p.gate.waiting, w)
	p.gate.mu.Unlock()
	select {
	case <-ctx.Done():
		p.gate.drop(w)
		return context.Cause(ctx)
	case v, alive := <-w.resume:
		switch {
		case !alive:
			return errDead
		case v == fail:
			return errInjected
		}
		do()
		if v == persisted {
			return errInjected
		}
		return nil
	}
}

func (g *gate) drop(w *pending) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting = slices.DeleteFunc(g.waiting, func(p *pending) bool { return p == w })
}

// held returns the calls at the gate in an order that does not depend on how
// goroutines were scheduled.
func (g *gate) held() []*pending {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := slices.Clone(g.waiting)
	slices.SortStableFunc(out, func(a, b *pending) int {
		if a.process.late != b.process.late {
			if b.process.late {
				return -1
			}
			return 1
		}
		if a.process.id != b.process.id {
			return a.process.id - b.process.id
		}
		return strings.Compare(a.name, b.name)
	})
	return out
}

// kill ends p: what it holds at the gate has no effect.
func (g *gate) kill(p *process) {
	g.mu.Lock()
	p.dead = true
	var mine []*pending
	g.waiting = slices.DeleteFunc(g.waiting, func(w *pending) bool {
		if w.process == p {
			mine = append(mine, w)
		}
		return w.process == p
	})
	g.mu.Unlock()
	for _, w := range mine {
		close(w.resume)
	}
	p.cancel()
}

// gated wraps the stores for one process.
type gated struct {
	p *process
	s *memory
}

func (g gated) LoadCase(ctx context.Context, id string) (k pipeline.Case, err error) {
	if e := g.p.call(ctx, "case.load", func() { k, err = g.s.LoadCase(ctx, id) }); e != nil {
		return pipeline.Case{}, e
	}
	return k, err
}

func (g gated) SwapCase(ctx context.Context, next pipeline.Case, with pipeline.Effects) (err error) {
	return errors.Join(g.p.call(ctx, "case.swap", func() {
		g.check(next)
		err = g.s.SwapCase(ctx, next, with)
	}), err)
}

// check notes writes that no process may make, if they are about to take effect: to
// a case that another has claimed, and the same claim twice.
func (g gated) check(next pipeline.Case) {
	stored := g.s.cases[next.MessageID]
	if stored.Rev != next.Rev-1 {
		return
	}
	claims := next.State == pipeline.CaseWorking && next.Fence > stored.Fence
	switch held := stored.State == pipeline.CaseWorking; {
	case claims && held && stored.Owner == next.Owner && stored.Unsettled > 0 && stored.EditedAt.IsZero():
		g.p.gate.complain("process %d takes its own claim for a crash", g.p.id)
	case !claims && held && g.p.claim.Owner != "" && g.p.claim.Owner != stored.Owner:
		g.p.gate.complain("process %d writes to a case that another has claimed", g.p.id)
	}
	if next.State == pipeline.CaseWorking && (claims || g.p.claim.Fence == next.Fence) {
		g.p.claim = next
	}
}

// complain notes something that must not have happened.
func (g *gate) complain(format string, args ...any) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.wrong = append(g.wrong, fmt.Sprintf(format, args...))
}

func (g gated) LoadDelivery(ctx context.Context, id string) (d pipeline.Placed, err error) {
	if e := g.p.call(ctx, "delivery.load", func() { d, err = g.s.LoadDelivery(ctx, id) }); e != nil {
		return pipeline.Placed{}, e
	}
	return d, err
}

func (g gated) SwapDelivery(ctx context.Context, next pipeline.Placed) (err error) {
	return errors.Join(g.p.call(ctx, "delivery.swap", func() { err = g.s.SwapDelivery(ctx, next) }), err)
}

func (g gated) PostOwner(ctx context.Context, id string) (string, error) {
	return g.s.PostOwner(ctx, id)
}

func (g gated) Reserve(ctx context.Context, scope, day string, amount, limit int64) (used int64, ok bool, err error) {
	if e := g.p.call(ctx, "quota.reserve", func() { used, ok, err = g.s.Reserve(ctx, scope, day, amount, limit) }); e != nil {
		return 0, false, e
	}
	return used, ok, err
}

func (g gated) Settle(ctx context.Context, scope, day string, delta int64) (err error) {
	return errors.Join(g.p.call(ctx, "quota.settle", func() { err = g.s.Settle(ctx, scope, day, delta) }), err)
}

// Memory passes freely but for the markers a stop writes: its reads race with
// nothing that the case does not decide.
func (g gated) Recent(ctx context.Context, c string, w pipeline.Window) ([]pipeline.Turn, error) {
	return g.s.Recent(ctx, c, w)
}

func (g gated) Turn(ctx context.Context, k pipeline.TurnKey) (pipeline.Turn, bool, error) {
	return g.s.Turn(ctx, k)
}

func (g gated) Markers(ctx context.Context, c string) (pipeline.Markers, error) {
	return g.s.Markers(ctx, c)
}

func (g gated) Mark(ctx context.Context, c string, m pipeline.Markers) error {
	return errors.Join(g.p.call(ctx, "memory.mark", func() { _ = g.s.Mark(ctx, c, m) }))
}

// outbox sends through the gate.
type outbox struct {
	p *process
	q *queue
}

func (o outbox) Send(ctx context.Context, e pipeline.Envelope) (err error) {
	return errors.Join(o.p.call(ctx, o.q.name+".send", func() { err = o.q.Send(ctx, e) }), err)
}

// cost is what an answer costs, in tokens, and estimate about what is reserved
// for it at most.
const (
	cost     = 8
	estimate = 14
)

// model answers every question with the same words about it, in two pieces, or
// fails for good while it is poisoned.
type model struct {
	mu       sync.Mutex
	poisoned bool
	asked    []string            // message ids, in order
	running  map[string]*process // of those that answer a message, the one with the newest claim
	// twice are messages that a process claimed and answered while another one,
	// alive and with a lease, was answering them.
	twice []string
}

// begin notes that p starts to answer a message. One that comes late, after another
// has taken over, cannot know; it must not do harm, and soon notices.
func (m *model) begin(p *process, message string) (poisoned bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked = append(m.asked, message)
	first := m.running[message]
	if first != nil && first.claim.Fence > p.claim.Fence {
		return m.poisoned
	}
	leased := first != nil && first.skew == p.skew && time.Now().Add(p.skew).Before(first.claim.LeaseUntil)
	if leased && first != p && !first.dead {
		m.twice = append(m.twice, message)
	}
	if m.running == nil {
		m.running = map[string]*process{}
	}
	m.running[message] = p
	return m.poisoned
}

func (m *model) end(p *process, message string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.running[message] == p {
		delete(m.running, message)
	}
}

type gatedModel struct {
	p *process
	m *model
}

func (g gatedModel) Stream(ctx context.Context, p pipeline.Prompt) iter.Seq2[pipeline.Delta, error] {
	return func(yield func(pipeline.Delta, error) bool) {
		poisoned := g.m.begin(g.p, p.MessageID)
		defer g.m.end(g.p, p.MessageID)
		for i, text := range []string{"about ", p.Question} {
			if err := g.p.call(ctx, "model.delta", func() {}); err != nil {
				yield(pipeline.Delta{}, pipeline.Transient(pipeline.ReasonModel, err))
				return
			}
			if poisoned {
				yield(pipeline.Delta{}, pipeline.Permanent(pipeline.ReasonRefused, errors.New("poison")))
				return
			}
			d := pipeline.Delta{Text: text}
			if i == 1 {
				d.Stop, d.Model, d.Usage = pipeline.StopEnd, "explored", chat.Usage{Input: 3, Output: cost - 3}
			}
			if !yield(d, nil) {
				return
			}
		}
	}
}

// world is one history under way.
type world struct {
	scenario                               *scenario
	store                                  *memory
	requests, control, replies             *queue
	requestsDead, controlDead, repliesDead *queue
	board                                  *board
	model                                  *model
	gate                                   *gate
	processes                              int
	running                                []*handling
	began                                  time.Time
	skew                                   time.Duration // of the clock of processes that start from now on
	gestures                               int           // made so far
	backup                                 *memory       // nil: none
	moved                                  map[string]bool
}

// handling is one delivery being handled by a process of its own.
type handling struct {
	process *process
	items   []*item
	done    bool
}

func newWorld(s *scenario) *world {
	return &world{
		scenario: s,
		moved:    map[string]bool{}, store: newMemory(), board: &board{}, model: &model{poisoned: s.poison}, gate: &gate{}, began: time.Now(),
		requests: newQueue("requests"), control: newQueue("control"), replies: newQueue("replies"),
		requestsDead: newQueue("requests-dead"), controlDead: newQueue("control-dead"), repliesDead: newQueue("replies-dead"),
	}
}

var quietLog = slog.New(slog.DiscardHandler)

// start has a fresh process handle items of a queue.
func (w *world) start(q *queue, items ...*item) {
	if q == w.replies { // a responder that is still at it has timed out long before
		for _, h := range w.live() {
			if slices.ContainsFunc(items, func(it *item) bool { return slices.Contains(h.items, it) }) {
				w.gate.kill(h.process)
			}
		}
	}
	w.processes++
	ctx, cancel := context.WithCancel(context.Background())
	p := &process{id: w.processes, skew: w.skew, gate: w.gate, cancel: cancel}
	h := &handling{process: p, items: items}
	w.running = append(w.running, h)
	hidden := map[string]time.Duration{"requests": 6 * time.Minute, "control": time.Minute, "replies": 90 * time.Second}[q.name]
	batch := make([]pipeline.Delivery, len(items))
	for i, it := range items {
		batch[i] = q.take(it, hidden)
	}
	handler := w.handler(p, q.name)
	go func() {
		settled := handler(ctx, batch)
		settle := func() {
			for i, it := range items {
				q.settle(it, settled[i])
			}
		}
		// Settling is the driver's call and may be lost like any other.
		if err := p.call(context.Background(), q.name+".settle", settle); err != nil && err != errDead && err != errInjected {
			panic(err)
		}
		w.gate.mu.Lock()
		h.done = true
		w.gate.mu.Unlock()
		cancel()
	}()
}

func (w *world) handler(p *process, name string) pipeline.Handler {
	g := gated{p, w.store}
	now := func() time.Time { return time.Now().Add(p.skew) }
	control := &pipeline.Control{
		Cases: g, Memory: g, Requests: outbox{p, w.requests}, Replies: outbox{p, w.replies},
		Letters: outbox{p, w.controlDead}, Log: quietLog, Now: now,
	}
	switch name {
	case "requests":
		worker := &pipeline.Worker{
			Cases: g, Memory: g, Visibility: w.requests, Replies: outbox{p, w.replies}, Letters: outbox{p, w.requestsDead},
			Control: control, Model: gatedModel{p, w.model}, Log: quietLog, Now: now,
			Config: pipeline.WorkerConfig{
				MaxTokens: 10, Profile: pipeline.Profile{Budget: pipeline.Budget{User: w.scenario.budget}}, Seats: pipeline.Seats{User: w.scenario.seats},
			},
		}
		if w.scenario.budget > 0 {
			worker.Quotas = g
		}
		return worker.Handle
	case "control":
		return control.Handle
	}
	responder := &pipeline.Responder{
		Deliveries: g, Letters: outbox{p, w.repliesDead}, Log: quietLog, Now: now,
		Posters: map[chat.Platform]pipeline.Poster{chat.Web: poster{call: p.call, board: w.board}},
	}
	return responder.Handle
}

// queues are those that somebody receives from, the ones nearest to people first.
func (w *world) queues() []*queue { return []*queue{w.replies, w.control, w.requests} }

// live returns the handlings that are neither done nor dead.
func (w *world) live() []*handling {
	w.gate.mu.Lock()
	defer w.gate.mu.Unlock()
	w.running = slices.DeleteFunc(w.running, func(h *handling) bool { return h.done || h.process.dead })
	return slices.Clone(w.running)
}

// idle reports whether nothing is queued and nothing runs.
func (w *world) idle() bool {
	return w.requests.empty() && w.control.empty() && w.replies.empty() && len(w.live()) == 0
}

// conversation is the only one of a history, unless its questions are apart.
var conversation = chat.Conversation{Platform: chat.Web, Tenant: "t", Channel: "c"}

// message is what a person does at second s of the platform's clock.
func (w *world) message(kind chat.Kind, id string, s int) chat.Message {
	at := conversation
	if w.scenario.apart {
		at.Thread = id
	}
	return chat.Message{
		ID: id, Kind: kind, Conversation: at, Author: chat.Author{ID: "ann"},
		Text: "question " + id, SentAt: w.began.Add(time.Duration(s) * time.Millisecond),
	}
}

// send puts a gesture into its queue, as the ingress does.
func (w *world) send(m chat.Message) {
	q := w.requests
	if m.Kind.Control() {
		q = w.control
	}
	if err := pipeline.SendMessage(context.Background(), q, m, ""); err != nil {
		panic(err)
	}
}

// operator replays dead letters.
func (w *world) operator() *pipeline.Operator {
	return &pipeline.Operator{
		Cases: w.store, Memory: w.store, Deliveries: w.store,
		Queues: []pipeline.DeadQueue{
			{Name: "requests", Dead: w.requestsDead, Source: w.requests},
			{Name: "control", Dead: w.controlDead, Source: w.control},
			{Name: "replies", Dead: w.repliesDead, Source: w.replies},
		},
	}
}

// replayAll replays every letter.
func (w *world) replayAll() {
	o := w.operator()
	letters, _, err := o.List(context.Background(), pipeline.Filter{})
	if err != nil {
		panic(err)
	}
	for _, l := range letters {
		if _, err := o.Replay(context.Background(), l, 0); err != nil {
			panic(err)
		}
	}
}

// redrive moves every letter of the requests back as a console does: as it is,
// all of them, under new identities, and here each of them twice.
func (w *world) redrive() {
	for _, it := range slices.Clone(w.requestsDead.items) {
		for range 2 {
			w.processes++
			e := pipeline.Envelope{Group: it.d.Group, DedupID: fmt.Sprint("redrive", w.processes), Body: it.d.Body}
			_ = w.requests.Send(context.Background(), e)
		}
		_ = w.requestsDead.Remove(context.Background(), it.d)
	}
}

// moveAll moves what waits in the requests queue into its dead letters, as it is.
func (w *world) moveAll() {
	for _, it := range w.requests.receivable() {
		e := pipeline.Envelope{Group: it.d.Group, DedupID: "moved " + it.d.ID, Body: it.d.Body}
		_ = w.requestsDead.Send(context.Background(), e)
		if m, err := chat.DecodeMessage(it.d.Body); err == nil {
			w.moved[m.ID] = true
		}
		w.requests.settle(it, pipeline.Settlement{})
	}
}

// wait lets every goroutine run until it is held or asleep.
func wait() { synctest.Wait() }

// note adds a line to the history.
func (w *world) note(format string, args ...any) {
	w.gate.trace = append(w.gate.trace, fmt.Sprintf("%8s  ", time.Since(w.began).Round(time.Millisecond))+fmt.Sprintf(format, args...))
}
