package home

import (
	"errors"
	"strings"
	"testing"
	"time"

	"parley/pkg/pipeline"
	"parley/pkg/slack/slacktest"
	"parley/test/world"
)

var errBroken = errors.New("the model is broken")

// failing asks n questions that fail for good.
func failing(w *world.World, p *world.Process, n int) (asked []world.Question) {
	w.Model.Fail(func(pipeline.Prompt) error { return pipeline.Permanent(pipeline.ReasonModel, errBroken) })
	for i := range n {
		asked = append(asked, ask(w, p, "C0"+string(rune('A'+i)), "U1", "what is a river?"))
	}
	w.Model.Fail(nil)
	if got := len(w.Letters()); got != n {
		w.Fatalf("%d dead letters, want %d", got, n)
	}
	return asked
}

var administered = world.Options{Admins: []string{"U0ADMIN"}}

// An admin sees queues, dead letters and health, and retries a letter: its apology
// becomes the answer, and the page shows what is left.
func TestAdminRetries(t *testing.T) {
	atHome(t, administered, func(w *world.World) {
		p := w.Boot(nil)
		defer p.Stop()
		asked := failing(w, p, 2)
		open(w, p, "U0ADMIN")
		ref := w.Letters()[0].Ref
		shows(w, "U0ADMIN", "For administrators", "requests: 0 waiting, 0 in work, 2 dead", "model in requests", ref, "Version 1.2.3", "The model: model, ")
		press(w, p, "U0ADMIN", "replay", w.Letters()[0].ID)
		shows(w, "U0ADMIN", "Sent back: 1.")
		w.Answered("after a retry", asked[0])
		if n := len(w.Letters()); n != 1 {
			t.Errorf("%d dead letters are left", n)
		}
		w.Judge("after a retry")
	})
}

// "Retry all" sends all of them back, and pressing it twice answers nothing twice.
func TestAdminRetriesAll(t *testing.T) {
	atHome(t, administered, func(w *world.World) {
		p := w.Boot(nil)
		defer p.Stop()
		asked := failing(w, p, 3)
		open(w, p, "U0ADMIN")
		b := button(w, "U0ADMIN", "replay_all", "")
		first, second := w.Slack.EventHomeAction("U0ADMIN", b), w.Slack.EventHomeAction("U0ADMIN", b)
		p.Accept(first)
		p.Accept(second)
		p.Accept(first.Retry(1, "http_timeout"))
		w.Settle(10 * time.Minute)
		w.Answered("after retrying all", asked...)
		for _, q := range asked {
			if n := w.Model.Calls(q.ID); n != 2 {
				t.Errorf("the model was called %d times for %s", n, q.ID)
			}
		}
		open(w, p, "U0ADMIN")
		shows(w, "U0ADMIN", "No dead letters")
		w.Judge("after retrying all")
	})
}

// Whoever is not named is shown nothing of it, and a forged press does nothing: not
// a member's, not a guest's, not that of somebody from elsewhere with an admin's id.
func TestOnlyAdminsAdminister(t *testing.T) {
	o := administered
	o.Config.Profile.External = true // so that people from elsewhere have a page at all
	atHome(t, o, func(w *world.World) {
		p := w.Boot(nil)
		defer p.Stop()
		failing(w, p, 1)
		letter := w.Letters()[0]
		open(w, p, "U1")
		v, _ := w.Slack.Home("U1")
		for _, secret := range []string{"administrators", letter.Ref, "dead"} {
			if strings.Contains(v.Text(), secret) {
				t.Errorf("a member sees %q:\n%s", secret, v.Text())
			}
		}
		for _, b := range []slacktest.Button{
			{Type: "button", ActionID: "parley_home_replay", Value: letter.ID},
			{Type: "button", ActionID: "parley_home_replay_all", Value: "all"},
		} {
			p.Accept(w.Slack.EventHomeAction("U1", b))
			w.Settle(time.Minute)
			shows(w, "U1", "Only the people named in ADMINS")
		}
		open(w, p, "U0ADMIN") // the tab that the forged press comes from
		w.Slack.SetPerson(slacktest.Person{ID: "U0ADMIN", Team: "T0ELSEWHERE"})
		p.Accept(w.Slack.EventHomeAction("U0ADMIN", slacktest.Button{Type: "button", ActionID: "parley_home_replay", Value: letter.ID}))
		w.Settle(time.Minute)
		p.Accept(w.Slack.EventHomeFrom("U0ADMIN", "T0ELSEWHERE"))
		w.Settle(time.Minute)
		if len(w.Letters()) != 1 || w.Model.Calls("") != 1 {
			t.Errorf("%d letters, %d calls of the model", len(w.Letters()), w.Model.Calls(""))
		}
	})
}

// More letters than a page has room for stay inside Slack's limits, and the page
// says that there are more.
func TestManyLetters(t *testing.T) {
	o := administered
	o.Slack = slacktest.Options{PostBurst: 1000}
	atHome(t, o, func(w *world.World) {
		p := w.Boot(nil)
		defer p.Stop()
		failing(w, p, 14)
		for i := range 12 {
			ask(w, p, "C1"+string(rune('A'+i)), "U0ADMIN", strings.Repeat("a long <question> & more ", 40))
		}
		open(w, p, "U0ADMIN")
		shows(w, "U0ADMIN", "There are more than these", "14 dead", "a long &lt;question&gt; &amp; more")
	})
}

// Trouble with the model shows, with the pause that the model asked for.
func TestTrouble(t *testing.T) {
	atHome(t, administered, func(w *world.World) {
		p := w.Boot(nil)
		defer p.Stop()
		open(w, p, "U0ADMIN")
		shows(w, "U0ADMIN", "no trouble known")
		calls := 0
		w.Model.Fail(func(pipeline.Prompt) error {
			if calls++; calls == 1 {
				return pipeline.Throttled(pipeline.ReasonThrottled, 50*time.Second, errBroken)
			}
			return nil
		})
		_, event := w.Ask("C1", "", "U1", "what is a river?")
		p.Accept(event)
		w.Within(time.Minute, "asked", func() bool { return w.Model.Calls("") == 1 })
		time.Sleep(time.Second)
		p.Accept(w.Slack.EventHome("U0ADMIN"))
		shows(w, "U0ADMIN", "The model: throttled, 0 min ago", "a pause that still lasts")
		w.Settle(10 * time.Minute)
	})
}
