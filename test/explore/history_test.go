package explore

import (
	"fmt"
	"math/rand/v2"
	"parley/pkg/chat"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// chooser picks one of n options; option 0 is the default schedule.
type chooser interface{ choose(n int) int }

// script follows given deviations and takes the default everywhere else. It
// records how many options there were.
type script struct {
	at      map[int]int // step -> option
	options []int
}

func (s *script) choose(n int) int {
	step := len(s.options)
	s.options = append(s.options, n)
	if o := s.at[step]; o < n {
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

func (d *dice) choose(n int) int {
	defer func() { d.step++ }()
	if n == 1 || d.rand.IntN(4) > 0 {
		return 0
	}
	o := d.rand.IntN(n)
	d.taken[d.step] = o
	return o
}

// option is one thing the scheduler can do next.
type option struct {
	name  string
	fault bool
	do    func()
}

// options lists what can happen next, the default first. It is deterministic.
func (w *world) options(s *scenario, left []event, faults int) []option {
	var out []option
	held := w.gate.held()
	for _, p := range held {
		out = append(out, option{name: fmt.Sprintf("%d %s", p.process.id, p.name), do: func() { w.resume(p, goOn) }})
	}
	for _, q := range []*queue{w.replies, w.control, w.requests} {
		for _, it := range q.receivable() {
			out = append(out, option{name: "receive " + q.name, do: func() { w.start(q, it) }})
		}
	}
	if len(out) == 0 {
		out = append(out, option{name: "wait", do: w.pass})
	}
	for _, e := range left {
		out = append(out, option{name: e.name, do: func() { e.do(w) }})
	}
	if faults == 0 {
		return out
	}
	for _, p := range held {
		out = append(out,
			option{name: fmt.Sprintf("%d %s FAILS", p.process.id, p.name), fault: true, do: func() { w.resume(p, fail) }},
			option{name: fmt.Sprintf("%d %s FAILS BUT PERSISTS", p.process.id, p.name), fault: true, do: func() { w.resume(p, persisted) }})
	}
	for _, h := range w.live() {
		out = append(out, option{name: fmt.Sprintf("%d DIES", h.process.id), fault: true, do: func() { w.gate.kill(h.process) }})
	}
	if len(held) > 0 {
		// Everything at the gate is frozen while leases and visibility run out.
		out = append(out, option{name: "FREEZE", fault: true, do: func() { time.Sleep(70 * time.Second) }})
	}
	return out
}

// pass lets time go by: a second, or as long as nothing can happen.
func (w *world) pass() {
	next := time.Second
	if len(w.live()) == 0 {
		next = time.Hour
		for _, q := range []*queue{w.replies, w.control, w.requests} {
			next = min(next, q.wakes())
		}
	}
	time.Sleep(next)
}

func (w *world) resume(p *pending, v verdict) {
	w.gate.drop(p)
	p.resume <- v
}

// run plays one history and returns what is wrong at its end, and its trace.
func run(t *testing.T, s *scenario, c chooser, faults int) (wrong []string, trace []string) {
	synctest.Test(t, func(*testing.T) {
		w := newWorld()
		w.model.poisoned = s.poison
		for i, id := range s.ask {
			w.send(w.message(chat.KindAsk, id, i+1))
		}
		left := slices.Clone(s.events)
		happened := map[string]bool{}
		for step := 0; ; step++ {
			wait()
			if w.idle() {
				if len(left) == 0 {
					break
				}
				w.note("%s", left[0].name) // whatever did not happen yet happens last
				happened[left[0].name] = true
				left[0].do(w)
				left = left[1:]
				continue
			}
			if step > 5000 {
				wrong = append(wrong, "it never ends")
				break
			}
			options := w.options(s, left, faults)
			o := options[c.choose(len(options))]
			if o.name != "wait" {
				w.note("%s", o.name)
			}
			if o.fault {
				faults--
			}
			if i := slices.IndexFunc(left, func(e event) bool { return e.name == o.name }); i >= 0 {
				happened[o.name] = true
				left = slices.Delete(left, i, i+1)
			}
			o.do()
		}
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

// shrink drops deviations for as long as the history still fails.
func shrink(t *testing.T, s *scenario, at map[int]int) map[int]int {
	for again := true; again; {
		again = false
		for step := range at {
			smaller := map[int]int{}
			for k, v := range at {
				if k != step {
					smaller[k] = v
				}
			}
			if wrong, _ := run(t, s, &script{at: smaller}, s.faults); wrong != nil {
				at, again = smaller, true
				break
			}
		}
	}
	return at
}

func report(t *testing.T, s *scenario, at map[int]int, faults int, wrong []string) {
	if now, _ := run(t, s, &script{at: at}, faults); now != nil {
		wrong = now
	}
	_, trace := run(t, s, &script{at: at}, faults)
	t.Errorf("%s\ndeviations %v\n%s", strings.Join(wrong, "\n"), at, strings.Join(trace, "\n"))
}
