package home

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
	"parley/pkg/pipelinetest"
	"parley/pkg/slack/slacktest"
	"parley/test/world"
)

// button is what a person can press at home, by its action and, unless empty, its
// value.
func button(w *world.World, user, action, value string) slacktest.Button {
	w.Helper()
	v, _ := w.Slack.Home(user)
	for _, b := range v.Buttons() {
		if b.ActionID == "parley_home_"+action && (value == "" || b.Value == value) {
			return b
		}
	}
	w.Fatalf("there is no %s %s at home:\n%s", action, value, v.Text())
	return slacktest.Button{}
}

// open opens the home tab and waits for it.
func open(w *world.World, p *world.Process, user string) {
	w.Helper()
	p.Accept(w.Slack.EventHome(user))
	w.Settle(time.Minute)
}

// press presses at home and waits.
func press(w *world.World, p *world.Process, user, action, value string) {
	w.Helper()
	p.Accept(w.Slack.EventHomeAction(user, button(w, user, action, value)))
	w.Settle(10 * time.Minute)
}

// ask asks and waits for the answer.
func ask(w *world.World, p *world.Process, channel, user, text string) world.Question {
	w.Helper()
	q, event := w.Ask(channel, "", user, text)
	p.Accept(event)
	w.Settle(10 * time.Minute)
	return q
}

// prompts keeps what the model was asked.
type prompts struct {
	mu   sync.Mutex
	seen []pipeline.Prompt
}

func watch(w *world.World) *prompts {
	p := &prompts{}
	w.Model.Watch(func(prompt pipeline.Prompt, begins bool) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if begins {
			p.seen = append(p.seen, prompt)
		}
	})
	return p
}

func (p *prompts) last() pipeline.Prompt {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen[len(p.seen)-1]
}

// A language that a person chose is that of the page, of Parley's own sentences and
// of answers, wherever they ask, whatever language they write in; nobody else's.
func TestLanguage(t *testing.T) {
	atHome(t, world.Options{}, func(w *world.World) {
		p := w.Boot(nil)
		defer p.Stop()
		asked := watch(w)
		open(w, p, "U1")
		press(w, p, "U1", "language", "zh")
		shows(w, "U1", "已保存", "我的设置")
		ask(w, p, "C1", "U1", "what is a river?")
		if s := asked.last().System; !strings.Contains(s, "Simplified Chinese") {
			t.Errorf("the model was told %q", s)
		}
		q := ask(w, p, "C1", "U1", "help")
		if got := w.Slack.Answers("C1", q.Root); len(got) != 1 || !strings.Contains(got[0].Text(), "有问题尽管问我") {
			t.Errorf("help reads %v", got)
		}
		ask(w, p, "C1", "U2", "what is a river?")
		if s := asked.last().System; strings.Contains(s, "Chinese") {
			t.Errorf("for somebody else the model was told %q", s)
		}
		press(w, p, "U1", "language", "default")
		shows(w, "U1", "Saved", "My settings")
		ask(w, p, "C1", "U1", "and a lake?")
		if s := asked.last().System; strings.Contains(s, "has chosen") {
			t.Errorf("after the default the model was told %q", s)
		}
	})
}

// A model that a person chose answers them, wherever it is offered; a choice that
// is not offered any more is answered by the place's own model.
func TestModelChoice(t *testing.T) {
	profile := pipeline.Profile{Model: "usual-id", Models: []pipeline.Choice{{Name: "Fast", ID: "fast-id"}, {Name: "Thorough", ID: "thorough-id"}}}
	atHome(t, world.Options{Config: pipeline.WorkerConfig{Profile: profile}}, func(w *world.World) {
		p := w.Boot(nil)
		defer p.Stop()
		asked := watch(w)
		ask(w, p, "C1", "U1", "one")
		if m := asked.last().Model; m != "usual-id" {
			t.Errorf("asked %q", m)
		}
		open(w, p, "U1")
		press(w, p, "U1", "model", "Thorough")
		ask(w, p, "C1", "U1", "two")
		if m := asked.last().Model; m != "thorough-id" {
			t.Errorf("asked %q", m)
		}
		w.With(func(b world.Backend) {
			if err := b.People.SaveSettings(w.Context(), pipeline.PersonKey(chat.Slack, slacktest.DefaultAppID, "U1"), pipeline.Settings{Model: "Retired"}); err != nil {
				t.Fatal(err)
			}
		})
		ask(w, p, "C1", "U1", "three")
		if m := asked.last().Model; m != "usual-id" {
			t.Errorf("asked %q", m)
		}
		// What an old page still offers cannot be chosen.
		p.Accept(w.Slack.EventHomeAction("U1", slacktest.Button{Type: "static_select", ActionID: "parley_home_model", Value: "Retired"}))
		shows(w, "U1", "no longer there")
	})
}

// Without a choice of models there is nothing to choose.
func TestNoModelChoice(t *testing.T) {
	atHome(t, world.Options{}, func(w *world.World) {
		p := w.Boot(nil)
		defer p.Stop()
		open(w, p, "U1")
		v, _ := w.Slack.Home("U1")
		if slices.ContainsFunc(v.Buttons(), func(b slacktest.Button) bool { return b.ActionID == "parley_home_model" }) {
			t.Error("a model can be chosen")
		}
	})
}

// A person's conversations are listed with links, the newest first; one that they
// forget is not read with the next question, and not listed.
func TestForget(t *testing.T) {
	atHome(t, world.Options{}, func(w *world.World) {
		p := w.Boot(nil)
		defer p.Stop()
		asked := watch(w)
		first := ask(w, p, "C1", "U1", "what is a <river>?")
		ask(w, p, "D0ANN00001", "U1", "what is a lake?")
		ask(w, p, "C1", "U2", "somebody else's secret")
		open(w, p, "U1")
		text := shows(w, "U1", "what is a &lt;river&gt;?", "what is a lake?", "remembered questions: 1",
			"slack.com/archives/C1/p"+strings.ReplaceAll(first.Root, ".", ""))
		if strings.Index(text, "lake") > strings.Index(text, "river") || strings.Contains(text, "secret") {
			t.Errorf("listed:\n%s", text)
		}
		press(w, p, "U1", "forget", first.Conversation().Key())
		if text = shows(w, "U1", "I have forgotten", "lake"); strings.Contains(text, "river") {
			t.Errorf("still listed:\n%s", text)
		}
		_, event := w.Ask("C1", first.Root, "U1", "and where does it end?")
		p.Accept(event)
		w.Settle(time.Minute)
		if h := asked.last().History; len(h) != 0 {
			t.Errorf("the model was shown %+v", h)
		}
		// Pressed again on the old page, or for somebody else's, it does nothing.
		open(w, p, "U2")
		for _, key := range []string{"", "nonsense", chat.Conversation{Platform: chat.Slack, Tenant: slacktest.DefaultAppID, Channel: "C9", Thread: "1.000001"}.Key()} {
			p.Accept(w.Slack.EventHomeAction("U2", slacktest.Button{Type: "button", ActionID: "parley_home_forget", Value: key}))
			shows(w, "U2", "no longer there")
		}
	})
}

// A store that fails for a while delays a press and does not lose it; one that
// fails for longer leaves the rest of the page.
func TestPressSurvivesTheStore(t *testing.T) {
	for _, mode := range []pipelinetest.Mode{pipelinetest.Clean, pipelinetest.Persisted, pipelinetest.DieBefore, pipelinetest.DieAfter} {
		for _, method := range []string{"people.SaveSettings", "people.Settings", "people.Asked", "memory.Recent", "replies.Send", "deliveries.SwapDelivery", "slack.views.publish"} {
			t.Run(string(mode)+" "+method, func(t *testing.T) {
				atHome(t, world.Options{Forgetful: true}, func(w *world.World) {
					p := w.Boot(nil)
					ask(w, p, "C1", "U1", "what is a river?")
					open(w, p, "U1")
					b := button(w, "U1", "language", "zh")
					p.Stop()
					faults := pipelinetest.NewFaults()
					faults.Plan(pipelinetest.Point{Method: method, N: 1}, mode)
					p = w.Boot(faults)
					p.Accept(w.Slack.EventHomeAction("U1", b))
					select {
					case <-faults.Died():
						p.Kill()
						p = w.Boot(nil)
					case <-time.After(3 * time.Minute):
					}
					w.Settle(10 * time.Minute)
					shows(w, "U1", "我的设置")
					faults.MustHit(t)
					p.Stop()
				})
			})
		}
	}
}

// down makes every call of some methods fail.
func down(methods ...string) *pipelinetest.Faults {
	f := pipelinetest.NewFaults()
	f.Decide(func(p pipelinetest.Point) (pipelinetest.Mode, time.Duration) {
		if slices.Contains(methods, p.Method) {
			return pipelinetest.Clean, 0
		}
		return "", 0
	})
	return f
}

// The page has a place for each part that cannot be read, and shows the others.
func TestHomeWithoutAStore(t *testing.T) {
	for method, shown := range map[string]string{"people.Settings": "you: ", "people.Asked": "you: ", "memory.Markers": "you: ", "quotas.Reserve": "My settings"} {
		t.Run(method, func(t *testing.T) {
			atHome(t, world.Options{}, func(w *world.World) {
				p := w.Boot(nil)
				ask(w, p, "C1", "U1", "what is a river?")
				p.Stop()
				p = w.Boot(down(method))
				defer p.Stop()
				p.Accept(w.Slack.EventHome("U1"))
				text := shows(w, "U1", "could not be read just now", shown)
				if n := strings.Count(text, "could not be read"); n != 1 {
					t.Errorf("%d parts are missing:\n%s", n, text)
				}
			})
		})
	}
}

// A choice that a place's own profile does not offer is not taken there: its own
// model answers.
func TestProfileWinsOverAChoice(t *testing.T) {
	offered := []pipeline.Choice{{Name: "Thorough", ID: "thorough-id"}}
	o := world.Options{Config: pipeline.WorkerConfig{Profile: pipeline.Profile{Model: "usual-id", Models: offered}}, Profiles: strict{}}
	atHome(t, o, func(w *world.World) {
		p := w.Boot(nil)
		defer p.Stop()
		asked := watch(w)
		open(w, p, "U1")
		press(w, p, "U1", "model", "Thorough")
		ask(w, p, "C0FREE", "U1", "one")
		if m := asked.last().Model; m != "thorough-id" {
			t.Errorf("elsewhere asked %q", m)
		}
		ask(w, p, "C0STRICT", "U1", "two")
		if m := asked.last().Model; m != "strict-id" {
			t.Errorf("in the channel with a profile asked %q", m)
		}
	})
}

// strict has one channel with a model of its own and no choices.
type strict struct{}

func (strict) Profile(base pipeline.Profile, m chat.Message) pipeline.Profile {
	if m.Conversation.Channel == "C0STRICT" {
		base.Name, base.Model, base.Models = "strict", "strict-id", nil
	}
	return base
}
