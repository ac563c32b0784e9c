package e2e

import (
	"strings"
	"testing"
	"time"

	"parley/pkg/chat"
	"parley/pkg/notes"
	"parley/pkg/pipeline"
	"parley/pkg/profiles"
	"parley/pkg/slack/slacktest"
)

// Two channels with profiles of their own, and how the second one changes.
const (
	twoProfiles = `
profiles:
  - name: terraform
    match: { slack: { channels: [C0TERRA] } }
    system: You know our Terraform modules.
    model: vendor.big
    models: [{ name: Fast, id: vendor.fast }]
    knowledge: { docs: modules }
    follow_ups: anyone
    budget: { user: 2000 }
    approvers: [` + bob + `]
  - name: people
    match: { slack: { channels: [C0PEOPLE] } }
    system: 你负责人事。
    knowledge: { docs: handbook }
    language: zh
    follow_ups: never
`
	changedProfile = "    model: vendor.small\n    budget: { user: 10 }\n"
)

var folders = map[string]map[string]string{
	"modules":  {"vpc.md": "# VPC\n\nThe vpc module takes a cidr_block.\n"},
	"handbook": {"leave.md": "# Leave\n\nEverybody has 25 days of leave.\n"},
}

// inProfiles runs test in a world with the two profiles. close ends what a file has
// opened; the last process must have ended.
func inProfiles(t *testing.T, test func(w *world, live *profiles.Live)) {
	var w *world
	var opened []func() error
	live := profiles.NewLive(profiles.Deployment{Open: func(k profiles.Knowledge) (pipeline.Retriever, error) {
		x := documents(w.t, folders[k.Docs])
		opened = append(opened, x.Close)
		return x, nil
	}})
	opts := worldOptions{
		profiles: live, knowledge: notes.New(t.TempDir(), nil),
		config: pipeline.WorkerConfig{MaxTokens: 100, Profile: pipeline.Profile{System: "Be kind."}},
	}
	inWorld(t, opts, func(in *world) {
		w = in
		if err := live.Replace("profiles.yaml", []byte(twoProfiles)); err != nil {
			t.Fatal(err)
		}
		test(w, live)
		for _, close := range opened {
			if err := close(); err != nil {
				t.Error(err)
			}
		}
	})
}

// asked has Ann ask in a channel and returns the question with its answer.
func (w *world) asked(p *process, channel, text string) (slacktest.Message, string) {
	w.t.Helper()
	q, event := w.mention(channel, "", text)
	p.accept(event)
	return q, w.settled(time.Minute, channel, q.TS, 1)[0]
}

// Each channel has its own prompt, model, knowledge, choices and name, and a place
// without a profile what is deployed. Memory stays the conversation's.
func TestProfiles(t *testing.T) {
	t.Parallel()
	inProfiles(t, func(w *world, _ *profiles.Live) {
		p := w.boot(nil)
		for channel, want := range map[string]struct{ question, name, system, model, found, choice string }{
			"C0TERRA":  {"what does the vpc module take?", "terraform", "You know our Terraform modules.", "vendor.big", "cidr_block", "Try Fast"},
			"C0PEOPLE": {"how many days of leave?", "people", "你负责人事。", "", "25 days", ""},
			"C0OTHER":  {"how many days of leave?", "", "Be kind.", "", "", ""},
		} {
			q, _ := w.asked(p, channel, want.question)
			prompt := w.lastPrompt(q)
			if !strings.HasPrefix(prompt.System, want.system) || prompt.Model != want.model {
				t.Errorf("%s: the model %q was told %q", channel, prompt.Model, prompt.System)
			}
			var found []string
			for _, passage := range prompt.Passages {
				found = append(found, passage.Text)
			}
			if all := strings.Join(found, " "); !strings.Contains(all, want.found) || want.found == "" && all != "" {
				t.Errorf("%s: it was looked up in %q", channel, all)
			}
			var offered []string
			for _, b := range w.slack.Answers(channel, q.TS)[0].Buttons() {
				if strings.HasPrefix(b.Text, "Try ") {
					offered = append(offered, b.Text)
				}
			}
			if strings.Join(offered, " ") != want.choice {
				t.Errorf("%s: offered are %q", channel, offered)
			}
			if turn, ok := w.turnOf(q); !ok || turn.Profile != want.name {
				t.Errorf("%s: the turn is kept under %q", channel, turn.Profile)
			}
		}
		p.stop()
	})
}

// A choice is the profile's own: the same button elsewhere has the profile's model
// answer.
func TestProfileChoices(t *testing.T) {
	t.Parallel()
	inProfiles(t, func(w *world, live *profiles.Live) {
		p := w.boot(nil)
		q, _ := w.asked(p, "C0TERRA", "what is a vpc?")
		p.accept(w.press("C0TERRA", q.TS, "parley_model_0", ann))
		w.within(time.Minute, "asked again", func() bool { return w.modelCalls() == 2 })
		w.settled(time.Minute, "C0TERRA", q.TS, 1)
		if got := w.lastPrompt(q).Model; got != "vendor.fast" {
			t.Errorf("the model %q answered", got)
		}
		pressed := w.press("C0TERRA", q.TS, "parley_model_0", ann)
		if err := live.Replace("profiles.yaml", []byte(strings.Replace(twoProfiles, "name: Fast, id: vendor.fast", "name: Slow, id: vendor.slow", 1))); err != nil {
			t.Fatal(err)
		}
		p.accept(pressed)
		w.within(time.Minute, "asked again", func() bool { return w.modelCalls() == 3 })
		w.settled(time.Minute, "C0TERRA", q.TS, 1)
		if got := w.lastPrompt(q).Model; got != "vendor.big" {
			t.Errorf("a choice that is gone had the model %q answer", got)
		}
		p.stop()
	})
}

// Whose follow-ups are answered, in which language Parley speaks, and who may have
// what is remembered forgotten, is the profile's to say.
func TestProfilePolicies(t *testing.T) {
	t.Parallel()
	inProfiles(t, func(w *world, _ *profiles.Live) {
		p := w.boot(nil)
		terra, _ := w.asked(p, "C0TERRA", "what is a vpc?")
		people, _ := w.asked(p, "C0PEOPLE", "how much leave do I have?")
		_, event := w.say(bob, "C0TERRA", terra.TS, "and how big is it?")
		p.accept(event)
		w.settled(time.Minute, "C0TERRA", terra.TS, 2)
		_, event = w.say(ann, "C0PEOPLE", people.TS, "and next year?")
		p.accept(event)
		<-time.After(10 * time.Second)
		w.settled(time.Minute, "C0PEOPLE", people.TS, 1)

		for channel, word := range map[string]string{"C0TERRA": "Ask me anything", "C0PEOPLE": "问"} {
			if _, help := w.asked(p, channel, ""); !strings.Contains(help, word) {
				t.Errorf("%s: help is %q", channel, help)
			}
		}
		for channel, want := range map[string]string{"C0TERRA": "is removed", "C0PEOPLE": "没有指定审批人"} {
			q, event := w.mentionBy(bob, channel, "", "forget this thread")
			p.accept(event)
			if said := w.settled(time.Minute, channel, q.TS, 1)[0]; !strings.Contains(said, want) {
				t.Errorf("%s: forget is answered %q", channel, said)
			}
		}
		p.stop()
	})
}

// A change is in force for the next question, with the budget that it brings: its
// counters begin at nothing, and another profile's stay as they were. A change with
// a mistake is refused.
func TestProfilesChange(t *testing.T) {
	t.Parallel()
	inProfiles(t, func(w *world, live *profiles.Live) {
		p := w.boot(nil)
		w.asked(p, "C0PEOPLE", "how much leave do I have?")
		w.asked(p, "C0TERRA", "what is a vpc?")
		_, before := w.asked(p, "C0TERRA", "usage")
		if !strings.Contains(before, "of 2,000") {
			t.Errorf("usage is %q", before)
		}
		if err := live.Replace("profiles.yaml", []byte(twoProfiles+"    modell: x\n")); err == nil {
			t.Error("a file with a mistake was taken")
		}
		q, _ := w.asked(p, "C0PEOPLE", "how much leave is left?")
		if model := w.lastPrompt(q).Model; model != "" {
			t.Errorf("the model %q of a refused file answered", model)
		}
		if err := live.Replace("profiles.yaml", []byte(twoProfiles+changedProfile)); err != nil {
			t.Fatal(err)
		}
		if _, said := w.asked(p, "C0PEOPLE", "how much leave is left now?"); !strings.Contains(said, "今天的额度已用完") {
			t.Errorf("over the new budget: %q", said)
		}
		if _, said := w.asked(p, "C0PEOPLE", "usage"); !strings.Contains(said, "0 / 10（0%）") {
			t.Errorf("usage under the new budget is %q", said)
		}
		if _, after := w.asked(p, "C0TERRA", "usage"); after != before {
			t.Errorf("usage of the other profile was %q and is %q", before, after)
		}
		p.stop()
	})
}

// What was reserved is given back where it was reserved, whatever the budget is by
// then.
func TestProfileChangesWhileAnswering(t *testing.T) {
	t.Parallel()
	inProfiles(t, func(w *world, live *profiles.Live) {
		p := w.boot(nil)
		q, event := w.mention("C0TERRA", "", "demo:slow what is a vpc?")
		p.accept(event)
		w.within(time.Minute, "asked", func() bool { return w.modelCalls() == 1 })
		other := strings.Replace(twoProfiles, "budget: { user: 2000 }", "budget: { user: 3000, channel: 3000 }", 1)
		if err := live.Replace("profiles.yaml", []byte(other)); err != nil {
			t.Fatal(err)
		}
		w.settled(5*time.Minute, "C0TERRA", q.TS, 1)
		turn, _ := w.turnOf(q)
		for last, want := range map[string]int64{"user:" + ann: int64(turn.Usage.Total()), "channel:C0TERRA": 0} {
			kind, id, _ := strings.Cut(last, ":")
			scope := "profile:terraform:" + kind + ":" + chat.Conversation{Platform: chat.Slack, Tenant: slacktest.DefaultAppID, Channel: id}.Key()
			used, _, err := w.store.Reserve(w.t.Context(), scope, time.Now().UTC().Format("20060102"), 1, 0)
			if err != nil || used != want {
				t.Errorf("%s counts %d for an answer of %d: %v", scope, used, turn.Usage.Total(), err)
			}
		}
		p.stop()
	})
}
