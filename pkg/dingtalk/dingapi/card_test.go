package dingapi

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley/pkg/chat"
	"parley/pkg/dingtalk"
	"parley/pkg/dingtalk/dingtest"
	"parley/pkg/pipeline"
)

const template = "11111111-2222-3333-4444-555555555555.schema"

// The life of an answer in a card: one card throughout, paced, closed at the end.
func TestCardFills(t *testing.T) {
	for _, where := range []string{group, ""} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, dingtest.Options{}, template)
			defer r.done()
			seen := where
			if where == "" {
				seen = staff
			}
			m := r.ask(dingtest.Inbound{Group: where, Nick: "Li Na"})
			r.must(r.reply(m, chat.Working, ""))
			r.sees(seen, "card open")
			for _, text := range []string{"B", "Be", "Bec"} {
				r.must(r.reply(m, chat.Partial, text))
			}
			r.sees(seen, "card open B")
			time.Sleep(time.Second)
			r.must(r.reply(m, chat.Partial, "Beca\nuse"))
			r.sees(seen, "card open Beca<br> use")
			r.must(r.reply(m, chat.Final, "Because."))
			r.sees(seen, "card final Because.")
			if n := r.dt.Calls(dingtest.CardStream); n != 3 {
				t.Errorf("%d streaming calls, want 3", n)
			}
			if p := r.dt.Posts(seen)[0]; slices.Contains(p.Mentions, staff) != (where == group) {
				t.Errorf("mentions %v", p.Mentions)
			}
		})
	}
}

// A card says what is being done until there is an answer, which holds nothing of it.
func TestCardTellsSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, dingtest.Options{}, template)
		defer r.done()
		m := r.ask(dingtest.Inbound{})
		step := func(title string) {
			working := r.reply(m, chat.Working, "")
			working.Steps = []chat.Step{{ID: "1", Title: "Reading @all.pdf", Done: true}, {ID: "2", Title: title}}
			r.must(working)
		}
		step("Searching the documents")
		r.sees(staff, "card open Searching the documents…")
		step("Thinking") // within the second that one update takes
		r.sees(staff, "card open Searching the documents…")
		time.Sleep(time.Second)
		step("Thinking")
		r.sees(staff, "card open Thinking…")
		r.must(r.reply(m, chat.Final, "Because."))
		r.sees(staff, "card final Because.")
	})
}

// A card is created once, whatever becomes of the call or the process.
func TestCardIsCreatedOnce(t *testing.T) {
	for name, fault := range map[string]dingtest.Fault{
		"cut before": dingtest.FaultCut, "cut after": dingtest.FaultCutDone,
		"504": dingtest.FaultTimeout, "504, done": dingtest.FaultTimeoutDone, "busy": dingtest.FaultBusy,
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, dingtest.Options{}, template)
			defer r.done()
			m := r.ask(dingtest.Inbound{})
			r.dt.Fail(dingtest.CardCreate, 1, fault)
			if err := r.post(r.reply(m, chat.Working, "")); err == nil {
				t.Error("a failed call succeeded")
			}
			r.must(r.reply(m, chat.Final, "Because."))
			r.sees(staff, "card final Because.")
		})
	}
	r := newRig(t, dingtest.Options{}, template)
	m := r.ask(dingtest.Inbound{})
	r.must(r.reply(m, chat.Working, ""))
	r.journal.at = pipeline.Placement{} // the record was lost with the process
	r.must(r.reply(m, chat.Final, "Because."))
	r.sees(staff, "card final Because.")
}

// Each way the last update can fail, and that people see one answer after it.
func TestCardEnds(t *testing.T) {
	const card, below = "card final Because.", "card final The answer is in the next message."
	for name, c := range map[string]struct {
		fault  dingtest.Fault
		always bool
		tries  int
		want   []string
	}{
		"cut before":   {dingtest.FaultCut, false, 2, []string{card}},
		"cut after":    {dingtest.FaultCutDone, false, 2, []string{card}},
		"504, done":    {dingtest.FaultTimeoutDone, false, 2, []string{card}},
		"busy":         {dingtest.FaultBusy, false, 2, []string{card}},
		"unknown once": {dingtest.FaultUnknown, false, 1, []string{card}}, // by its variables
		"always busy":  {dingtest.FaultBusy, true, 2, []string{below, "webhook Because."}},
		"no scope":     {dingtest.FaultScope, true, 1, []string{card}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, dingtest.Options{}, template)
			defer r.done()
			m := r.ask(dingtest.Inbound{})
			r.must(r.reply(m, chat.Working, ""))
			nth := 1
			if c.always {
				nth = 0
			}
			r.dt.Fail(dingtest.CardStream, nth, c.fault)
			final := r.reply(m, chat.Final, "Because.")
			for i := 1; i < c.tries; i++ {
				if r.post(final) == nil {
					t.Fatalf("try %d succeeded", i)
				}
			}
			r.must(final)
			r.sees(staff, c.want...)
			r.must(final)
			r.sees(staff, c.want...)
		})
	}
}

// An update that is made again counts once: its guid is the same.
func TestUpdateIsIdempotent(t *testing.T) {
	r := newRig(t, dingtest.Options{}, template)
	defer r.done()
	m := r.ask(dingtest.Inbound{})
	r.dt.Fail(dingtest.CardStream, 1, dingtest.FaultTimeoutDone)
	final := r.reply(m, chat.Final, "Because.")
	if r.post(final) == nil {
		t.Fatal("a failed call succeeded")
	}
	r.must(final)
	if c, ok := r.dt.Card(outTrackID(m.ID, 0)); !ok || c.Updates != 1 {
		t.Errorf("%d updates, want 1", c.Updates)
	}
}

// An update that may still arrive must not overtake the end.
func TestLatePartial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, dingtest.Options{}, template)
		defer r.done()
		m := r.ask(dingtest.Inbound{})
		r.must(r.reply(m, chat.Working, ""))
		r.dt.Fail(dingtest.CardStream, 1, dingtest.FaultCutDone)
		if r.post(r.reply(m, chat.Partial, "Be")) == nil {
			t.Fatal("a cut call succeeded")
		}
		final := r.reply(m, chat.Final, "Because.")
		e := pipeline.Classify(r.post(final))
		if !e.Throttled || e.After <= 0 || e.After > landing {
			t.Fatalf("%+v, want to wait for up to %v", e, landing)
		}
		time.Sleep(e.After)
		r.must(final)
		r.sees(staff, "card final Because.")
	})
}

func TestPartialFailuresHarmNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, dingtest.Options{}, template)
		defer r.done()
		m := r.ask(dingtest.Inbound{})
		r.must(r.reply(m, chat.Working, ""))
		for _, f := range []dingtest.Fault{dingtest.FaultUnknown, dingtest.FaultBusy, dingtest.FaultQPS, dingtest.FaultQuota} {
			r.dt.Fail(dingtest.CardStream, 1, f)
			if r.post(r.reply(m, chat.Partial, "Be")) == nil {
				t.Error("a failed call succeeded")
			}
			time.Sleep(2 * time.Second)
		}
		time.Sleep(landing)
		r.must(r.reply(m, chat.Final, "Because."))
		r.sees(staff, "card final Because.")
	})
}

// A card that was created but delivered to nobody is no answer.
func TestUndeliveredCard(t *testing.T) {
	r := newRig(t, dingtest.Options{}, template)
	defer r.done()
	m := r.ask(dingtest.Inbound{MsgID: "m1", Group: group})
	r.dt.Undeliver(1)
	if r.post(r.reply(m, chat.Working, "")) == nil {
		t.Error("an undelivered card succeeded")
	}
	r.must(r.reply(m, chat.Working, "The model is busy."))
	r.must(r.reply(m, chat.Partial, "Be"))
	r.must(r.reply(m, chat.Final, "Because."))
	r.sees(group, "webhook @manager4821 Because.")
	if got := r.dt.Reactions("m1"); len(got) != 0 {
		t.Errorf("reactions %v remain", got)
	}
}

// A replay turns the apology itself into the answer, also where the platform no
// longer streams into a card that failed.
func TestReplayTurnsTheApologyIntoTheAnswer(t *testing.T) {
	long := strings.Repeat("A paragraph.\n\n", 100)
	for _, c := range []struct {
		seal   bool
		answer string
		want   []string
	}{
		{false, "Because.", []string{"card final Because."}},
		{true, "Because.", []string{"card final Because."}},
		{true, long, []string{"card final The answer is in the next message.", "webhook " + strings.Join(strings.Fields(long), " ")}},
	} {
		r := newRig(t, dingtest.Options{SealFinal: c.seal}, template)
		m := r.ask(dingtest.Inbound{})
		r.must(r.reply(m, chat.Working, ""))
		failed := r.reply(m, chat.Failed, "Sorry.")
		failed.Reason = "model"
		r.must(failed)
		r.sees(staff, "card failed Sorry.")
		card := r.dt.Posts(staff)[0]
		v, err := dingtalk.DecodeCardValue(card.Params[dingtalk.VarValue])
		if err != nil || v.Fence != 1 || v.Reason != "model" || v.Subject != m.ID || v.Asker != m.Author.ID || v.Conversation != m.Conversation {
			t.Errorf("the retry button holds %+v, %v", v, err)
		}
		working := r.reply(m, chat.Working, "")
		working.Fence = 2
		_ = r.post(working) // a sealed card cannot be opened again
		answer := r.reply(m, chat.Final, c.answer)
		answer.Fence = 2
		r.must(answer)
		r.sees(staff, c.want...)
		r.done()
	}
}

func TestLongAnswerTakesMoreCards(t *testing.T) {
	r := newRig(t, dingtest.Options{}, template)
	defer r.done()
	m := r.ask(dingtest.Inbound{Group: group})
	r.must(r.reply(m, chat.Final, strings.Repeat("A paragraph.\n\n", 600)))
	posts := r.dt.Posts(group)
	if len(posts) < 2 {
		t.Fatalf("%d cards", len(posts))
	}
	for i, p := range posts {
		if p.Via != "card" || p.State != dingtest.CardFinal || (len(p.Mentions) > 0) != (i == 0) {
			t.Errorf("part %d: %s %s, mentions %v", i, p.Via, p.State, p.Mentions)
		}
	}
	if got := strings.Count(strings.Join(texts(posts), ""), "A paragraph."); got != 600 {
		t.Errorf("%d of 600 paragraphs arrived", got)
	}
	again := r.reply(m, chat.Final, "Short.")
	again.Fence = 2
	r.must(again)
	r.sees(group, "card final Short.")
}

func TestWithdrawnCard(t *testing.T) {
	for _, recall := range []bool{true, false} {
		r := newRig(t, dingtest.Options{}, template)
		m := r.ask(dingtest.Inbound{})
		r.must(r.reply(m, chat.Final, "Because."))
		if recall {
			r.must(r.reply(m, chat.Withdrawn, ""))
			r.sees(staff)
		} else {
			r.dt.Fail(dingtest.DirectRecall, 1, dingtest.FaultUnknown)
			r.must(r.reply(m, chat.Withdrawn, ""))
			r.sees(staff, "card final This question was withdrawn.")
		}
		r.done()
	}
}

// Buttons on the card lead back to the question.
func TestCardButtons(t *testing.T) {
	r := newRig(t, dingtest.Options{}, template)
	defer r.done()
	m := r.ask(dingtest.Inbound{Group: group})
	r.must(r.reply(m, chat.Final, "Because."))
	p := dingtalk.NewParser(dingtalk.Config{})
	parsed, err := p.Card(r.dt.Press(outTrackID(m.ID, 0), "other", "up"), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	got := parsed.Messages[0]
	if got.Kind != chat.KindFeedback || got.Subject != m.ID || got.Conversation != m.Conversation || got.Author.ID != "other" {
		t.Errorf("%+v", got)
	}
}

func TestRegisterCardCallback(t *testing.T) {
	r := newRig(t, dingtest.Options{}, template)
	if err := r.c.RegisterCardCallback(t.Context(), "https://parley.example/dingtalk/cards"); err != nil {
		t.Fatal(err)
	}
	if got := r.dt.CardCallbackURL("parley-" + r.dt.ClientID); got != "https://parley.example/dingtalk/cards" {
		t.Errorf("registered %q", got)
	}
}

func TestManyCardsStayBelowTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, dingtest.Options{QPS: 20}, template)
		defer r.done()
		at := make([]pipeline.Placement, 15)
		ms := make([]chat.Message, 15)
		for i := range ms {
			ms[i] = r.ask(dingtest.Inbound{Staff: "u" + string(rune('a'+i))})
			r.journal.at = pipeline.Placement{}
			r.must(r.reply(ms[i], chat.Working, ""))
			at[i] = r.journal.at
			time.Sleep(100 * time.Millisecond)
		}
		for round := range 20 {
			for i := range ms {
				r.journal.at = at[i]
				r.must(r.reply(ms[i], chat.Partial, strings.Repeat("x", round+1)))
				at[i] = r.journal.at
			}
			time.Sleep(250 * time.Millisecond)
		}
		if n := r.dt.Calls(dingtest.CardStream); n < 30 || n > 60 {
			t.Errorf("%d updates in five seconds, want at most ten a second", n)
		}
	})
}
