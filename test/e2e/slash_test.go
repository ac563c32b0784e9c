package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"parley/pkg/demo"
	"parley/pkg/pipelinetest"
	"parley/pkg/slack"
	"parley/pkg/slack/slacktest"
)

// slash has Ann use the slash command in C1, and returns what Slack is answered.
func (w *world) slash(p *process, text string) (told string) {
	w.t.Helper()
	status, body := p.request(w.slack.EventSlash("/parley", text, "C1", ann))
	if status != http.StatusOK {
		w.t.Fatalf("the command was answered %d", status)
	}
	return body
}

// whispered waits until nothing is queued and Ann alone sees n messages, and
// returns their texts.
func (w *world) whispered(n int) []string {
	w.t.Helper()
	var texts []string
	w.within(time.Minute, "whispered", func() bool {
		if texts = nil; !w.quiet() {
			return false
		}
		for _, m := range w.slack.Ephemeral("C1", ann) {
			texts = append(texts, m.Text())
		}
		return len(texts) == n
	})
	for _, m := range w.slack.Messages("C1") {
		if m.To == "" {
			w.t.Errorf("the channel sees %q", m.Text())
		}
	}
	return texts
}

// A slash command is answered at once and in private, through its response_url:
// a question, help, and a reset that forgets.
func TestSlashCommand(t *testing.T) {
	t.Parallel()
	inWorld(t, worldOptions{}, func(w *world) {
		p := w.boot(nil)
		w.slack.SetChannel(slacktest.Channel{ID: "C1", Refuse: "not_in_channel"}) // a response_url works all the same
		if told := w.slash(p, "my name is Ada"); !strings.Contains(told, "Working on it") || !strings.Contains(told, "ephemeral") {
			t.Errorf("Slack was answered %q", told)
		}
		w.whispered(1)
		w.slash(p, "ask what is my name?")
		if texts := w.whispered(2); !strings.Contains(texts[1], "Ada") {
			t.Errorf("it forgot: %q", texts[1])
		}
		w.slash(p, "help")
		if texts := w.whispered(3); !strings.Contains(texts[2], "Ask me anything") {
			t.Errorf("help is %q", texts[2])
		}
		w.slash(p, "reset")
		w.whispered(4)
		w.slash(p, "what is my name?")
		if texts := w.whispered(5); strings.Contains(texts[4], "Ada") {
			t.Errorf("it remembers: %q", texts[4])
		}
		p.stop()
	})
}

// Where the response_url fails, the answer still comes, once. A post of unknown
// outcome may be repeated, because it replaces what it left.
func TestSlashCommandWhoseAnswerFails(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]slacktest.Fault{
		"before": slacktest.FailBefore(), "after": slacktest.FailAfter(),
		"cut before": slacktest.CutBefore(), "cut after": slacktest.CutAfter(),
		"throttled": slacktest.RateLimited(20 * time.Second), "late": slacktest.Late(5 * time.Second),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, worldOptions{}, func(w *world) {
				p := w.boot(nil)
				w.slack.Inject("response_url", 1, fault)
				w.slash(p, "tell me about rivers")
				if texts := w.whispered(1); !strings.Contains(texts[0], "rivers") {
					t.Errorf("shown %q", texts[0])
				}
				if n := w.modelCalls(); n != 1 {
					t.Errorf("the model was called %d times", n)
				}
				p.stop()
			})
		})
	}
}

// An answer that comes after the response_url has expired is shown to the person
// alone by other means.
func TestSlashCommandThatOutlivesItsURL(t *testing.T) {
	t.Parallel()
	inWorld(t, worldOptions{}, func(w *world) {
		faults := pipelinetest.NewFaults()
		faults.Plan(pipelinetest.Point{Method: "cases.SwapCase", N: 1}, pipelinetest.DieBefore)
		w.slack.SetChannel(slacktest.Channel{ID: "C1"})
		p := w.boot(faults)
		w.slash(p, "tell me about rivers")
		<-faults.Died()
		p.kill()
		time.Sleep(40 * time.Minute)
		p = w.boot(nil)
		if texts := w.whispered(1); !strings.Contains(texts[0], "rivers") {
			t.Errorf("shown %q", texts[0])
		}
		p.stop()
	})
}

// A failure is told in private, with a button that turns it into the answer.
func TestSlashCommandThatFails(t *testing.T) {
	t.Parallel()
	model := &demo.Model{Pace: 20 * time.Millisecond}
	inWorld(t, worldOptions{model: model}, func(w *world) {
		p := w.boot(nil)
		w.slash(p, "tell me about rivers demo:fail")
		if texts := w.whispered(1); !strings.Contains(texts[0], "the model failed") {
			t.Errorf("shown %q", texts[0])
		}
		model.Cure()
		apology := w.slack.Ephemeral("C1", ann)[0]
		for _, b := range apology.Buttons() {
			if b.ActionID == slack.ActionRetry {
				p.accept(w.slack.EventAction(apology, b, ann))
			}
		}
		if texts := w.whispered(1); !strings.Contains(texts[0], "rivers") {
			t.Errorf("after the retry: %q", texts[0])
		}
		p.stop()
	})
}
