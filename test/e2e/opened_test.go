package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/pkg/slack/slacktest"
)

// open is what Slack sends when Ann opens the agent, with channel in view if it is
// not empty.
func (w *world) open(event, channel string) slacktest.Inbound {
	e := map[string]any{"type": event, "user": ann, "channel": annDM, "tab": "messages", "event_ts": slackTime(time.Now())}
	if channel != "" {
		e["context"] = inView(channel)
	}
	return w.slack.Event(e)
}

// slackTime is t as Slack writes times.
func slackTime(t time.Time) string { return fmt.Sprintf("%d.%06d", t.Unix(), t.Nanosecond()/1000) }

func inView(channel string) map[string]any {
	return map[string]any{"entities": []any{map[string]any{"type": "slack#/types/channel_id", "value": channel, "team_id": slacktest.DefaultTeam}}}
}

// A person who opens the agent is offered what to ask, about the channel in view if
// there is one. The model is not called. Each form of failure leaves nothing behind.
func TestOpeningSuggests(t *testing.T) {
	t.Parallel()
	for _, fault := range []slacktest.Fault{{}, slacktest.CutBefore(), slacktest.CutAfter()} {
		inWorld(t, worldOptions{}, func(w *world) {
			p := w.boot(nil)
			w.slack.SetChannel(slacktest.Channel{ID: annDM, Type: "im"})
			w.slack.Inject("assistant.threads.setSuggestedPrompts", 1, fault)
			p.accept(w.open("app_home_opened", ""))
			w.within(time.Minute, "quiet", w.quiet)
			time.Sleep(time.Second)
			p.accept(w.open("app_context_changed", "C1"))
			w.within(time.Minute, "four suggestions", func() bool { return w.quiet() && len(w.slack.Prompts(annDM)) == 4 })
			time.Sleep(time.Second)
			p.accept(w.open("app_home_opened", ""))
			w.within(time.Minute, "three suggestions", func() bool { return w.quiet() && len(w.slack.Prompts(annDM)) == 3 })
			if n := w.modelCalls(); n != 0 || len(w.letters()) != 0 {
				t.Errorf("the model was called %d times, %d dead letters", n, len(w.letters()))
			}
			p.stop()
		})
	}
}

// What the person has in view is read for the question, where Parley is a member;
// the session is named after the question.
func TestQuestionAboutWhatIsInView(t *testing.T) {
	t.Parallel()
	for _, member := range []bool{true, false} {
		inWorld(t, worldOptions{}, func(w *world) {
			p := w.boot(nil)
			w.slack.Say("C1", "", bob, "the launch moves to Friday")
			if !member {
				w.slack.SetChannel(slacktest.Channel{ID: "C1", Type: "channel", Refuse: "not_in_channel"})
			}
			q := w.slack.Say(annDM, "", ann, "Summarise what I am looking at")
			p.accept(altered(t, w.slack.EventMessage(q), func(_, event map[string]any) { event["app_context"] = inView("C1") }))
			w.settled(time.Minute, annDM, q.TS, 1)
			read := slices.ContainsFunc(saw(w.lastPrompt(q)), func(s string) bool { return strings.Contains(s, "moves to Friday") })
			if read != member {
				t.Errorf("member %v, read %v", member, read)
			}
			if got := w.slack.Title(annDM, q.TS); got != "Summarise what I am looking at" {
				t.Errorf("the session is called %q", got)
			}
			if got := w.slack.Session(annDM, q.TS); got != "active" {
				t.Errorf("the session is %q", got)
			}
			p.stop()
		})
	}
}
