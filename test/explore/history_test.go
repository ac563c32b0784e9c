package explore

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley/pkg/chat"
)

// chooser picks one of the options; the first is the default schedule.
type chooser interface{ choose(from []option) int }

// script follows given deviations and takes the default everywhere else. It
// records how many options there were.
type script struct {
	at      map[int]int // step -> option
	options []int
}

func (s *script) choose(from []option) int {
	step := len(s.options)
	s.options = append(s.options, len(from))
	if o := s.at[step]; o < len(from) {
		return o
	}
	return 0
}

// dice deviates at random: one step in four, within the scenario's faults.
type dice struct {
	rand  *rand.Rand
	taken map[int]int
	step  int
}

func newDice(seed uint64, s *scenario) *dice {
	return &dice{rand: rand.New(rand.NewPCG(seed, uint64(len(s.name)))), taken: map[int]int{}}
}

func (d *dice) choose(from []option) int {
	defer func() { d.step++ }()
	if len(from) == 1 || d.rand.IntN(4) > 0 {
		return 0
	}
	o := d.rand.IntN(len(from))
	d.taken[d.step] = o
	return o
}

// option is one thing the scheduler can do next. Its label is put together only
// when it is chosen: most never are.
type option struct {
	process *process // nil: not about one
	what    string
	ending  string
	fault   bool
	event   int // its index among those left, from 1; 0 for none
	do      func()
}

func (o option) label() string {
	if o.process == nil {
		return o.what
	}
	return fmt.Sprintf("%d %s%s", o.process.id, o.what, o.ending)
}

// options lists what can happen next, the default first. It is deterministic.
func (w *world) options(left []event, faults int) []option {
	held := w.gate.held()
	var single []option // a queue may bring less than it has
	out := make([]option, 0, 4*len(held)+len(left)+8)
	late := len(held)
	for i, p := range held {
		if p.process.late {
			late = i
			break
		}
		out = append(out, option{process: p.process, what: p.name, do: func() { w.resume(p, goOn) }})
	}
	for _, q := range w.queues() {
		for _, it := range q.receivable() {
			all := q.batch(it)
			out = append(out, option{what: q.receive, do: func() { w.start(q, all...) }})
			if len(all) > 1 {
				single = append(single, option{what: q.receive + ", one", do: func() { w.start(q, it) }})
			}
		}
	}
	if len(out) == 0 && !w.onlyLate() {
		out = append(out, option{do: w.pass})
	}
	for _, p := range held[late:] {
		out = append(out, option{process: p.process, what: p.name, do: func() { w.resume(p, goOn) }})
	}
	if len(out) == 0 {
		out = append(out, option{do: w.pass})
	}
	out = append(out, single...)
	for i, e := range left {
		out = append(out, option{what: e.name, event: i + 1, do: func() { e.do(w) }})
	}
	if faults == 0 {
		return out
	}
	for _, p := range held {
		out = append(out,
			option{process: p.process, what: p.name, ending: " FAILS", fault: true, do: func() { w.resume(p, fail) }},
			option{process: p.process, what: p.name, ending: " FAILS BUT PERSISTS", fault: true, do: func() { w.resume(p, persisted) }})
	}
	for _, h := range w.live() {
		out = append(out, option{process: h.process, what: "DIES", fault: true, do: func() { w.gate.kill(h.process) }})
		if !h.process.late {
			out = append(out, option{process: h.process, what: "IS LATE", fault: true, do: func() { h.process.late = true }})
		}
	}
	if len(held) > 0 {
		// Everything at the gate is frozen while leases and visibility run out.
		out = append(out, option{what: "FREEZE", fault: true, do: func() { time.Sleep(70 * time.Second) }})
	}
	return out
}

// onlyLate reports whether nothing but late processes have anything left to do.
func (w *world) onlyLate() bool {
	for _, q := range w.queues() {
		if !q.empty() {
			return false
		}
	}
	return !slices.ContainsFunc(w.live(), func(h *handling) bool { return !h.process.late })
}

// pass lets time go by: a second, or as long as nothing can happen.
func (w *world) pass() {
	next := time.Second
	if !slices.ContainsFunc(w.live(), func(h *handling) bool { return !h.process.late }) {
		next = time.Hour
		for _, q := range w.queues() {
			next = min(next, q.wakes())
		}
	}
	time.Sleep(next)
}

func (w *world) resume(p *pending, v verdict) {
	w.gate.drop(p)
	p.resume <- v
}

// longest is how many steps a history may take.
const longest = 5000

// run plays one history and returns what is wrong at its end, and its trace.
func run(t *testing.T, s *scenario, c chooser, faults int) (wrong []string, trace []string) {
	synctest.Test(t, func(*testing.T) {
		w := newWorld(s)
		for i, id := range s.ask {
			w.send(w.message(chat.KindAsk, id, i+1))
		}
		wrong = w.play(s, c, faults)
		if wrong == nil {
			wrong = w.judge(s)
		}
		trace = w.gate.trace
		for _, h := range w.live() {
			w.gate.kill(h.process)
		}
	})
	return wrong, trace
}

// play runs until nothing is queued, nothing runs, and every event has happened.
func (w *world) play(s *scenario, c chooser, faults int) (wrong []string) {
	left := slices.Clone(s.events)
	for range longest {
		wait()
		if w.idle() {
			if len(left) == 0 {
				return nil
			}
			w.note("%s", left[0].name) // whatever did not happen yet happens last
			left[0].do(w)
			left = left[1:]
			continue
		}
		options := w.options(left, faults)
		o := options[c.choose(options)]
		if o.what != "" {
			w.note("%s", o.label())
		}
		if o.fault {
			faults--
		}
		if o.event > 0 {
			left = slices.Delete(left, o.event-1, o.event)
		}
		o.do()
	}
	return []string{"it never ends"}
}

// shrink drops deviations for as long as the history still fails.
func shrink(t *testing.T, s *scenario, at map[int]int, faults int) map[int]int {
	for again := true; again; {
		again = false
		for step := range at {
			smaller := map[int]int{}
			for k, v := range at {
				if k != step {
					smaller[k] = v
				}
			}
			if wrong, _ := run(t, s, &script{at: smaller}, faults); wrong != nil {
				at, again = smaller, true
				break
			}
		}
	}
	return at
}

// report fails the test with the shortest form of a history that went wrong.
func report(t *testing.T, s *scenario, at map[int]int, faults int) {
	at = shrink(t, s, at, faults)
	wrong, trace := run(t, s, &script{at: at}, faults)
	t.Errorf("%s\ndeviations %v\n%s", strings.Join(wrong, "\n"), at, strings.Join(trace, "\n"))
}
