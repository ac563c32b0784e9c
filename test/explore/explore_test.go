package explore

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

var (
	deviations = flag.Int("explore.deviations", 1, "run all histories with so many deviations from the default schedule")
	randoms    = flag.Int("explore.random", 300, "random histories to run for each scenario")
	firstSeed  = flag.Uint64("explore.seed", 1, "seed of the first random history")
)

// redrives is how many redrives the console scenarios make while nothing is
// cured; each may have every letter tried once.
const redrives = 2

// A scenario is what people and operators do; when, the scheduler decides.
type scenario struct {
	name   string
	poison bool // the model fails until it is cured, at the end
	ask    []string
	events []event
	faults int // failures and deaths allowed in a random history
	expire [2]bool
}

// event is something that happens once, at a moment the scheduler picks.
type event struct {
	name string
	do   func(w *world)
}

func gesture(kind chat.Kind, subject string) event {
	return event{string(kind) + " " + subject, func(w *world) {
		m := w.message(kind, subject+":"+string(kind), 500)
		m.Subject = subject
		if kind == chat.KindEdited {
			m.Text = "edited " + subject
		}
		w.send(m)
	}}
}

var redeliver = event{"redeliver", func(w *world) {
	m := w.message(chat.KindAsk, "m1", 1)
	if err := pipeline.SendMessage(context.Background(), w.requests, m, "again"); err != nil {
		panic(err)
	}
}}

// early shows messages again that are still being handled: queues deliver at
// least once, whatever they say of visibility.
var early = event{"EARLY", func(w *world) {
	for _, q := range []*queue{w.requests, w.replies} {
		for _, it := range q.items {
			it.hidden = time.Time{}
		}
	}
}}

var redrive = event{"redrive", func(w *world) { w.redrive() }}

var replay = event{"replay", func(w *world) { w.replayAll() }}

var scenarios = []scenario{
	{name: "one question", ask: []string{"m1"}, events: []event{redeliver, early}, faults: 4},
	{name: "two questions", ask: []string{"m1", "m2"}, events: []event{early, early}, faults: 5},
	{name: "poison", poison: true, ask: []string{"m1", "m2"}, events: []event{redeliver, replay}, faults: 4},
	{name: "console", poison: true, ask: []string{"m1"}, events: []event{redrive, redrive}},
	{name: "console under faults", poison: true, ask: []string{"m1"}, events: []event{redrive, redrive}, faults: 3},
	{name: "stop", ask: []string{"m1"}, events: []event{gesture(chat.KindStop, "m1")}, faults: 3},
	{name: "edit", ask: []string{"m1"}, events: []event{gesture(chat.KindEdited, "m1")}, faults: 3},
	{name: "delete", ask: []string{"m1"}, events: []event{gesture(chat.KindDeleted, "m1"), redeliver}, faults: 3},
	{name: "reset", ask: []string{"m1", "m2"}, events: []event{gesture(chat.KindReset, "r")}, faults: 3},
	{name: "retry twice", poison: true, ask: []string{"m1"}, events: []event{gesture(chat.KindRetry, "m1"), replay, replay}, faults: 3},
	{name: "case expired", poison: true, ask: []string{"m1"}, expire: [2]bool{true, false}, faults: 2},
	{name: "delivery expired", poison: true, ask: []string{"m1"}, expire: [2]bool{false, true}, faults: 2},
	{name: "both expired", poison: true, ask: []string{"m1"}, expire: [2]bool{true, true}, faults: 2},
}

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
		out = append(out, option{name: "wait", do: func() { time.Sleep(time.Second) }})
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

// finish runs the default schedule until nothing is left to do.
func (w *world) finish() bool {
	for range 5000 {
		wait()
		if w.idle() {
			return true
		}
		w.options(nil, nil, 0)[0].do()
	}
	return false
}

// judge is the oracle: what every person must see now, and after the cure and a
// replay of every letter, twice.
func (w *world) judge(s *scenario) (wrong []string) {
	wrong = append(wrong, w.judgeNow(s, "at the end")...)
	places := map[string][]string{}
	for _, id := range s.ask {
		places[id] = w.ids(id)
	}
	if !s.poison {
		return wrong
	}
	w.model.poisoned = false
	w.note("cured")
	w.store.expire(s.expire[0], s.expire[1])
	before := len(w.model.asked)
	if strings.HasPrefix(s.name, "console") {
		w.redrive()
	} else {
		w.replayAll()
	}
	if !w.finish() {
		return append(wrong, "the replay never ends")
	}
	asked := len(w.model.asked)
	if asked-before > len(s.ask) {
		wrong = append(wrong, fmt.Sprintf("the replay asked the model %d times for %d questions", asked-before, len(s.ask)))
	}
	w.replayAll()
	w.finish()
	if len(w.model.asked) != asked {
		wrong = append(wrong, "a second replay asked the model again")
	}
	for _, id := range s.ask {
		seen := w.board.visible(id)
		if len(seen) != 1 || !strings.HasPrefix(seen[0], "final: about") {
			wrong = append(wrong, fmt.Sprintf("after the replay %s shows %q", id, seen))
		}
		if got := w.ids(id); !slices.Equal(got, places[id]) && !s.expire[1] {
			wrong = append(wrong, fmt.Sprintf("the apology of %s stood at %v, the answer at %v", id, places[id], got))
		}
	}
	return wrong
}

func (w *world) ids(message string) []string {
	var out []string
	for _, p := range w.board.posts {
		if p.message == message && !p.gone {
			out = append(out, p.id)
		}
	}
	return out
}

func (w *world) judgeNow(s *scenario, when string) (wrong []string) {
	complain := func(format string, args ...any) {
		wrong = append(wrong, when+": "+fmt.Sprintf(format, args...))
	}
	for _, id := range s.ask {
		seen := w.board.visible(id)
		k := w.store.cases[id]
		if k.State == pipeline.CaseCancelled && k.Reason == "deleted" {
			if len(seen) != 0 {
				complain("%s was deleted, yet %q stands", id, seen)
			}
			if _, kept := w.store.turns[id]; kept {
				complain("%s was deleted, yet its turn is remembered", id)
			}
			continue
		}
		if len(seen) != 1 {
			complain("%s has %d visible answers: %q", id, len(seen), seen)
			continue
		}
		kind, text, _ := strings.Cut(seen[0], ": ")
		turn, remembered := w.store.turns[id]
		switch chat.ReplyKind(kind) {
		case chat.Final, chat.Stopped:
			if remembered && turn.Answer != text || !remembered && text != "" && kind == "final" {
				complain("%s shows %q and remembers %q", id, text, turn.Answer)
			}
		case chat.Failed:
			if k.State != pipeline.CaseDead || !k.Buried {
				complain("%s shows an apology, and its case is %s, buried %v", id, k.State, k.Buried)
			}
			if w.letters(id) == 0 {
				complain("%s failed without a letter", id)
			}
		default:
			complain("%s ends with %q", id, seen[0])
		}
	}
	if w.model.twice != nil {
		complain("two processes answered at once: %v", w.model.twice)
	}
	if n := len(w.model.asked); s.name == "console" && n > 1+redrives {
		complain("a letter was answered more than once: the model was asked %d times", n)
	}
	var first []string
	for _, id := range w.board.order() {
		if slices.Contains(s.ask, id) {
			first = append(first, id)
		}
	}
	if !slices.IsSorted(first) {
		complain("answers stand in the order %v", first)
	}
	return append(wrong, w.judgeEdits(s, when)...)
}

// judgeEdits checks that an edited question ends with the answer to its new form.
func (w *world) judgeEdits(s *scenario, when string) (wrong []string) {
	if s.name != "edit" {
		return nil
	}
	if seen := w.board.visible("m1"); len(seen) == 1 && seen[0] != "final: about edited m1" {
		wrong = append(wrong, fmt.Sprintf("%s: the edited question shows %q", when, seen[0]))
	}
	return wrong
}

func (w *world) letters(id string) int {
	n := 0
	for _, it := range w.requestsDead.items {
		if m, err := chat.DecodeMessage(it.d.Body); err == nil && m.ID == id {
			n++
		}
	}
	return n
}

// TestAllSmallHistories runs every history within the given number of deviations.
func TestAllSmallHistories(t *testing.T) {
	for i := range scenarios {
		s := &scenarios[i]
		t.Run(s.name, func(t *testing.T) {
			count := 0
			// Deviations are tried at every step of the history they lead to.
			var visit func(at map[int]int, from, used int)
			visit = func(at map[int]int, from, used int) {
				c := &script{at: at}
				wrong, _ := run(t, s, c, min(*deviations, s.faults))
				count++
				if wrong != nil {
					report(t, s, at, min(*deviations, s.faults), wrong)
					return
				}
				if used == *deviations {
					return
				}
				for step := from; step < len(c.options); step++ {
					for o := 1; o < c.options[step] && !t.Failed(); o++ {
						next := map[int]int{step: o}
						for k, v := range at {
							next[k] = v
						}
						visit(next, step+1, used+1)
					}
				}
			}
			visit(nil, 0, 0)
			t.Logf("%d histories", count)
		})
	}
}

// TestRandomHistories draws histories from seeds.
func TestRandomHistories(t *testing.T) {
	for i := range scenarios {
		s := &scenarios[i]
		t.Run(s.name, func(t *testing.T) {
			for seed := *firstSeed; seed < *firstSeed+uint64(*randoms); seed++ {
				d := &dice{rand: rand.New(rand.NewPCG(seed, uint64(i))), taken: map[int]int{}}
				wrong, _ := run(t, s, d, s.faults)
				if wrong == nil {
					continue
				}
				t.Logf("seed %d", seed)
				report(t, s, shrink(t, s, d.taken), s.faults, wrong)
				return
			}
		})
	}
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
