// Package home tests people's own pages, the home tab of Slack, on both forms.
package home

import (
	"strings"
	"testing"
	"time"

	"parley/pkg/pipeline"
	"parley/pkg/pipelinetest"
	"parley/pkg/slack/slacktest"
	"parley/test/world"
)

// atHome runs test on both forms.
func atHome(t *testing.T, o world.Options, test func(w *world.World)) {
	t.Helper()
	t.Parallel()
	for _, form := range world.Forms {
		t.Run(string(form), func(t *testing.T) {
			t.Parallel()
			mine := o
			mine.Form = form
			world.In(t, mine, test)
		})
	}
}

// shows waits until the home tab of user holds every text.
func shows(w *world.World, user string, texts ...string) string {
	w.Helper()
	var read string
	w.Within(5*time.Minute, "shown at home: "+strings.Join(texts, ", "), func() bool {
		v, _ := w.Slack.Home(user)
		read = v.Text()
		for _, text := range texts {
			if !strings.Contains(read, text) {
				return false
			}
		}
		return true
	})
	return read
}

// A person who opens the home tab sees what they have used today, of how much.
func TestHomeShowsUsage(t *testing.T) {
	o := world.Options{Config: pipeline.WorkerConfig{Profile: pipeline.Profile{Budget: pipeline.Budget{User: 50_000, Workspace: 1_000_000}}}}
	atHome(t, o, func(w *world.World) {
		p := w.Boot(nil)
		defer p.Stop()
		p.Accept(w.Slack.EventHome("U1"))
		shows(w, "U1", "you: 0 of 50,000 (0%)", "everyone: 0 of 1,000,000")
		_, event := w.Ask("C1", "", "U1", "what is a river?")
		p.Accept(event)
		w.Settle(time.Minute)
		p.Accept(w.Slack.EventHome("U1"))
		w.Settle(time.Minute)
		if text := shows(w, "U1", "of 50,000"); strings.Contains(text, "you: 0 of") {
			t.Errorf("nothing was used: %s", text)
		}
		if v, ok := w.Slack.Home("U2"); ok {
			t.Errorf("somebody else's page was published: %s", v.Text())
		}
		if letters := w.Letters(); len(letters) != 0 {
			t.Errorf("%d dead letters", len(letters))
		}
	})
}

// Whatever becomes of a call of views.publish, the page is shown in the end, and
// the newest of several is the one that stands.
func TestHomeSurvivesItsFailures(t *testing.T) {
	for name, fault := range map[string]slacktest.Fault{
		"429": slacktest.RateLimited(30 * time.Second), "5xx": slacktest.FailBefore(), "5xx persisted": slacktest.FailAfter(),
		"lost": slacktest.CutBefore(), "answer lost": slacktest.CutAfter(), "conflict": slacktest.Refused("hash_conflict"),
		"undecodable": slacktest.Undecodable(),
	} {
		t.Run(name, func(t *testing.T) {
			atHome(t, world.Options{}, func(w *world.World) {
				p := w.Boot(nil)
				defer p.Stop()
				p.Accept(w.Slack.EventHome("U1"))
				w.Settle(time.Minute)
				_, event := w.Ask("C1", "", "U1", "what is a river?")
				p.Accept(event)
				w.Settle(time.Minute)
				w.Slack.Inject("views.publish", 1, fault)
				w.Slack.Inject("views.publish", 2, fault)
				p.Accept(w.Slack.EventHome("U1"))
				p.Accept(w.Slack.EventHome("U1"))
				w.Settle(10 * time.Minute)
				if text := shows(w, "U1", "you: "); strings.Contains(text, "you: 0") {
					t.Errorf("an older page stands: %s", text)
				}
				if letters := w.Letters(); len(letters) != 0 {
					t.Errorf("%d dead letters", len(letters))
				}
			})
		})
	}
}

// A page that somebody else has put up meanwhile is not mistaken for one's own.
func TestHomeOverAnothersPage(t *testing.T) {
	atHome(t, world.Options{}, func(w *world.World) {
		p := w.Boot(nil)
		defer p.Stop()
		p.Accept(w.Slack.EventHome("U1"))
		w.Settle(time.Minute)
		w.Slack.PublishAsAnother("U1")
		p.Accept(w.Slack.EventHome("U1"))
		w.Settle(time.Minute)
		shows(w, "U1", "What you have used")
		if n := len(w.Slack.Calls("views.publish")); n != 3 {
			t.Errorf("views.publish was called %d times, want 3: one conflict", n)
		}
	})
}

// A refusal for good is no letter: the next opening makes the page anew.
func TestHomeSwitchedOff(t *testing.T) {
	atHome(t, world.Options{Slack: slacktest.Options{NoHome: true}}, func(w *world.World) {
		p := w.Boot(nil)
		defer p.Stop()
		p.Accept(w.Slack.EventHome("U1"))
		w.Settle(time.Minute)
		if n, letters := len(w.Slack.Calls("views.publish")), w.Letters(); n != 1 || len(letters) != 0 {
			t.Errorf("%d calls, %d dead letters", n, len(letters))
		}
	})
}

// What cannot be read is said to be missing.
func TestHomeSaysWhatIsMissing(t *testing.T) {
	atHome(t, world.Options{}, func(w *world.World) {
		faults := pipelinetest.NewFaults()
		faults.Decide(func(p pipelinetest.Point) (pipelinetest.Mode, time.Duration) {
			if p.Method == "quotas.Reserve" {
				return pipelinetest.Clean, 0
			}
			return "", 0
		})
		p := w.Boot(faults)
		defer p.Stop()
		p.Accept(w.Slack.EventHome("U1"))
		shows(w, "U1", "could not be read", "Ask me anything")
	})
}

// People of another organisation are told so, and nothing is read for them.
func TestHomeOfAStranger(t *testing.T) {
	for _, allowed := range []bool{false, true} {
		atHomeOnce := world.Options{Config: pipeline.WorkerConfig{Profile: pipeline.Profile{External: allowed}}}
		t.Run(map[bool]string{false: "refused", true: "allowed"}[allowed], func(t *testing.T) {
			atHome(t, atHomeOnce, func(w *world.World) {
				p := w.Boot(nil)
				defer p.Stop()
				p.Accept(w.Slack.EventHomeFrom("U1", "T0ELSEWHERE"))
				text := shows(w, "U1", "Parley")
				if refused := strings.Contains(text, "only answer people of the organisation"); refused == allowed || strings.Contains(text, "used") != allowed {
					t.Errorf("shown: %s", text)
				}
			})
		})
	}
}

// Slack's own refusal to show the page to somebody is final.
func TestHomeSlackRefusesAStranger(t *testing.T) {
	atHome(t, world.Options{}, func(w *world.World) {
		w.Slack.SetPerson(slacktest.Person{ID: "U1", Team: "T0ELSEWHERE"})
		p := w.Boot(nil)
		defer p.Stop()
		p.Accept(w.Slack.EventHome("U1"))
		w.Settle(time.Minute)
		if _, ok := w.Slack.Home("U1"); ok || len(w.Letters()) != 0 {
			t.Errorf("published %v, %d dead letters", ok, len(w.Letters()))
		}
	})
}

// Many openings at once are answered with few calls, and the last one stands.
func TestHomeOpeningsCoalesce(t *testing.T) {
	atHome(t, world.Options{}, func(w *world.World) {
		w.Slack.Inject("views.publish", 1, slacktest.RateLimited(20*time.Second))
		p := w.Boot(nil)
		defer p.Stop()
		for range 20 {
			p.Accept(w.Slack.EventHome("U1"))
		}
		w.Settle(5 * time.Minute)
		shows(w, "U1", "you: 0")
		if n := len(w.Slack.Calls("views.publish")); n > 12 {
			t.Errorf("20 openings made %d calls", n)
		}
	})
}

// A page that cannot be shown for a long time is given up without a letter; the
// next opening shows it.
func TestHomeAfterAnOutage(t *testing.T) {
	atHome(t, world.Options{}, func(w *world.World) {
		p := w.Boot(nil)
		defer p.Stop()
		const outage = 200
		for n := range outage {
			w.Slack.Inject("views.publish", n+1, slacktest.FailBefore())
		}
		p.Accept(w.Slack.EventHome("U1"))
		w.Settle(time.Hour)
		if letters := w.Letters(); len(letters) != 0 {
			t.Errorf("%d dead letters", len(letters))
		}
		if tried := len(w.Slack.Calls("views.publish")); tried < 3 || tried == outage {
			t.Errorf("tried %d times", tried)
		}
		w.Slack.Heal()
		p.Accept(w.Slack.EventHome("U1"))
		shows(w, "U1", "you: 0")
	})
}
