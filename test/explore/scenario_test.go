package explore

import (
	"context"
	"slices"
	"time"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
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
	faults int     // failures and deaths allowed in a random history
	expire [2]bool // cases, deliveries: gone before the letters are replayed
	budget int64   // of the one who asks
	seats  int     // of the one who asks
	apart  bool    // each question is a conversation of its own
}

// event is something that happens once, at a moment the scheduler picks.
type event struct {
	name string
	do   func(w *world)
}

// gesture is what a person does about a question, after event seconds of theirs.
func gesture(kind chat.Kind, subject string) event {
	return event{string(kind) + " " + subject, func(w *world) {
		w.gestures++
		m := w.message(kind, subject+":"+string(kind), 500+w.gestures)
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

// early shows messages again before their time: questions even while they are being
// answered, which the case's fence must bear; replies once nobody works on them,
// because an edit has no fence. That no two responders have one conversation is the
// queue's promise, whose visibility outlasts the responder's function threefold.
var early = event{"EARLY", func(w *world) {
	for _, it := range w.requests.items {
		it.hidden = time.Time{}
	}
	for _, it := range w.replies.items {
		if !slices.ContainsFunc(w.live(), func(h *handling) bool { return slices.Contains(h.items, it) }) {
			it.hidden = time.Time{}
		}
	}
}}

var (
	redrive = event{"redrive", func(w *world) { w.redrive() }}
	replay  = event{"replay", func(w *world) { w.replayAll() }}
	poison  = event{"poison", func(w *world) { w.model.poisoned = true }}
	// moved gives up on what is queued, as SQS does after too many receives: the
	// letters have no token, and nobody was told.
	moved = event{"MOVED", func(w *world) { w.moveAll() }}
	// backup is what the records are restored to before the letters are replayed.
	backup = event{"backup", func(w *world) { w.backup = w.store.clone() }}
	back   = event{"CLOCK BACK", func(w *world) { w.skew -= time.Hour }}
	ahead  = event{"CLOCK AHEAD", func(w *world) { w.skew += time.Hour }}
)

var scenarios = []scenario{
	{name: "one question", ask: []string{"m1"}, events: []event{redeliver, early}, faults: 4},
	{name: "two questions", ask: []string{"m1", "m2"}, events: []event{early, early}, faults: 5},
	{name: "poison", poison: true, ask: []string{"m1", "m2"}, events: []event{redeliver, replay}, faults: 4},
	{name: "console", poison: true, ask: []string{"m1"}, events: []event{redrive, redrive}},
	{name: "console under faults", poison: true, ask: []string{"m1"}, events: []event{redrive, redrive}, faults: 3},
	{name: "moved by the queue", ask: []string{"m1"}, events: []event{moved}, faults: 3},
	{name: "stop", ask: []string{"m1"}, events: []event{gesture(chat.KindStop, "m1")}, faults: 3},
	{name: "edit", ask: []string{"m1"}, events: []event{gesture(chat.KindEdited, "m1")}, faults: 3},
	{name: "edit fails", ask: []string{"m1"}, events: []event{poison, gesture(chat.KindEdited, "m1")}, faults: 3},
	{name: "edit of poison", poison: true, ask: []string{"m1"}, events: []event{gesture(chat.KindEdited, "m1")}, faults: 3},
	{name: "delete", ask: []string{"m1"}, events: []event{gesture(chat.KindDeleted, "m1"), redeliver}, faults: 3},
	{name: "reset", ask: []string{"m1", "m2"}, events: []event{gesture(chat.KindReset, "r")}, faults: 3},
	{name: "retry twice", poison: true, ask: []string{"m1"}, events: []event{gesture(chat.KindRetry, "m1"), replay, replay}, faults: 3},
	{name: "regenerate", ask: []string{"m1"}, events: []event{gesture(chat.KindRegenerate, "m1"), redeliver}, faults: 3},
	{name: "regenerate fails", ask: []string{"m1"}, events: []event{poison, gesture(chat.KindRegenerate, "m1"), replay}, faults: 3},
	{name: "regenerate and stop", ask: []string{"m1"}, events: []event{gesture(chat.KindRegenerate, "m1"), gesture(chat.KindStop, "m1")}, faults: 2},
	{name: "regenerate and delete", ask: []string{"m1"}, events: []event{gesture(chat.KindRegenerate, "m1"), gesture(chat.KindDeleted, "m1")}, faults: 2},
	{name: "clock jumps", ask: []string{"m1", "m2"}, events: []event{ahead, back, back}, faults: 3},
	{name: "poison and clock jumps", poison: true, ask: []string{"m1"}, events: []event{back, ahead, replay}, faults: 2},
	{name: "case expired", poison: true, ask: []string{"m1"}, expire: [2]bool{true, false}, faults: 2},
	{name: "delivery expired", poison: true, ask: []string{"m1"}, expire: [2]bool{false, true}, faults: 2},
	{name: "both expired", poison: true, ask: []string{"m1"}, expire: [2]bool{true, true}, faults: 2},
	{name: "budget", budget: 2 * estimate, ask: []string{"m1", "m2"}, events: []event{redeliver}, faults: 3},
	{name: "budget and delete", budget: 3 * estimate, ask: []string{"m1"}, events: []event{gesture(chat.KindDeleted, "m1")}, faults: 2},
	{name: "budget and regenerate", budget: 2 * estimate, ask: []string{"m1"}, events: []event{gesture(chat.KindRegenerate, "m1"), redeliver}, faults: 2},
	{name: "in line", seats: 1, apart: true, ask: []string{"m1", "m2"}, events: []event{early}, faults: 3},
	{name: "records restored", poison: true, ask: []string{"m1"}, events: []event{backup, replay}, faults: 2},
}
