package explore

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
	"parley/test/oracle"
)

// finish runs the default schedule until nothing is left to do.
func (w *world) finish() bool {
	for range 5000 {
		wait()
		if w.idle() {
			return true
		}
		w.options(nil, 0)[0].do()
	}
	return false
}

// judge finds out what is wrong now, and after the cure and a replay of every
// letter, twice.
func (w *world) judge(s *scenario) (wrong []string) {
	wrong = append(wrong, w.judgeNow(s, "at the end")...)
	if w.letters("") == 0 && len(w.repliesDead.items) == 0 && !s.poison {
		return wrong
	}
	places, dead := map[string][]string{}, map[string]bool{}
	for _, id := range s.ask {
		places[id] = w.ids(id)
		dead[id] = w.letters(id) > 0 || w.unshown(id) > 0
	}
	w.model.poisoned = false
	w.note("cured")
	w.lose(s)
	before := len(w.model.asked)
	if strings.HasPrefix(s.name, "console") {
		w.redrive()
	} else {
		w.replayAll()
	}
	if !w.finish() {
		return append(wrong, "the replay never ends")
	}
	if w.letters("") > 0 { // one whose question was being answered stays until that has ended
		time.Sleep(2 * time.Minute)
		w.replayAll()
		w.finish()
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
		if !dead[id] || w.isDeleted(id) {
			continue
		}
		seen := w.board.visible(id)
		if len(seen) != 1 || !strings.HasPrefix(seen[0], "final: about") || strings.Contains(seen[0], "\n") {
			wrong = append(wrong, fmt.Sprintf("after the replay %s shows %q", id, seen))
		}
		if got := w.ids(id); len(places[id]) > 0 && !slices.Equal(got, places[id]) {
			wrong = append(wrong, fmt.Sprintf("the apology of %s stood at %v, the answer at %v", id, places[id], got))
		}
	}
	return append(wrong, w.judgeEdits(s, "after the replay")...)
}

// lose takes records away, as lifetimes that ran out or a restore would.
func (w *world) lose(s *scenario) {
	w.store.expire(s.expire[0], s.expire[1])
	if w.backup != nil {
		w.store.restore(w.backup)
		time.Sleep(2 * time.Minute) // no restore is faster than a lease
	}
}

func (w *world) isDeleted(id string) bool {
	k := w.store.cases[id]
	return k.State == pipeline.CaseCancelled && k.Reason == "deleted"
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
		wrong = append(wrong, fmt.Sprintf(format, args...))
	}
	for _, id := range s.ask {
		turn, remembered := w.store.turns[id]
		f := oracle.Fact{
			ID: id, Case: w.store.cases[id], Turn: turn, Remembered: remembered,
			Visible: w.board.visible(id), Letters: w.letters(id), Moved: w.moved[id], Unshown: w.unshown(id),
		}
		wrong = append(wrong, oracle.Judge(f)...)
		for _, text := range f.Visible {
			if f.Moved || f.Unshown > 0 {
				continue
			}
			if strings.HasPrefix(text, string(chat.Working)) || strings.HasPrefix(text, string(chat.Partial)) {
				complain("%s ends with %q", id, text)
			}
		}
	}
	wrong = append(wrong, w.gate.wrong...)
	if took := time.Since(w.began); took > patience {
		complain("it took %v", took)
	}
	if w.model.twice != nil {
		complain("two processes answered at once: %v", w.model.twice)
	}
	if n := len(w.model.asked); s.name == "console" && n > 1+redrives {
		complain("a letter was answered more than once: the model was asked %d times", n)
	}
	if !s.apart {
		wrong = append(wrong, oracle.Order(s.ask, w.board.order())...)
	}
	if counted := w.counted(); s.budget > 0 {
		answered := 0
		for _, id := range s.ask {
			if w.store.cases[id].State == pipeline.CaseAnswered {
				answered++
			}
		}
		if counted < cost*answered || counted > cost*answered+estimate*(s.faults+len(w.model.asked)-answered) {
			complain("%d tokens are counted for %d answers", counted, answered)
		}
	}
	for i := range wrong {
		wrong[i] = when + ": " + wrong[i]
	}
	return append(wrong, w.judgeEdits(s, when)...)
}

// counted is what stands on the counters of people.
func (w *world) counted() (sum int) {
	for _, n := range w.store.quotas {
		sum += int(n)
	}
	return sum
}

// unshown counts the letters about a message's answer.
func (w *world) unshown(id string) int {
	n := 0
	for _, it := range w.repliesDead.items {
		if r, err := chat.DecodeReply(it.d.Body); err == nil && r.MessageID == id {
			n++
		}
	}
	return n
}

// judgeEdits checks that an edited question ends with the answer to its new form,
// unless that failed.
func (w *world) judgeEdits(s *scenario, when string) (wrong []string) {
	if !strings.HasPrefix(s.name, "edit") || w.store.cases["m1"].Reason != "" {
		return nil
	}
	if seen := w.board.visible("m1"); len(seen) == 1 && seen[0] != "final: about edited m1" {
		wrong = append(wrong, fmt.Sprintf("%s: the edited question shows %q", when, seen[0]))
	}
	return wrong
}

// patience is how long any history may take, processes that freeze included: far
// more than one question may block its conversation, far less than an hour.
const patience = 30 * time.Minute

// letters counts the letters about a message, "" for any.
func (w *world) letters(id string) int {
	n := 0
	for _, it := range w.requestsDead.items {
		if m, err := chat.DecodeMessage(it.d.Body); err == nil && (id == "" || m.ID == id) {
			n++
		}
	}
	return n
}
