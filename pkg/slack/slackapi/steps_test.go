package slackapi_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley/pkg/chat"
	"parley/pkg/slack/slacktest"
)

// Steps as an attempt publishes them.
var (
	searching = []chat.Step{{ID: "1", Title: "Reading q3.pdf", Done: true}, {ID: "2", Title: "Searching the documents"}}
	thinking  = []chat.Step{{ID: "1", Title: "Reading q3.pdf", Done: true}, {ID: "2", Title: "Found in Handbook", Done: true}, {ID: "3", Title: "Thinking"}}
)

// step posts what is being done, as a responder does that may drop it.
func (w *world) step(kind chat.ReplyKind, text string, steps []chat.Step) {
	w.Helper()
	r := w.reply(kind, text)
	r.Steps = steps
	if err := w.post(r, false); err != nil {
		w.Logf("%s was dropped: %v", kind, err)
	}
	time.Sleep(time.Second)
}

// thought are the steps once the model answers.
func thought() []chat.Step {
	done := slices.Clone(thinking)
	done[2].Done = true
	return done
}

// The work is shown as tasks of the stream that the answer is written into, and is
// no part of its text; at the end every task is done.
func TestStepsAreTasks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, slacktest.Options{})
		text := story(20)
		w.show(chat.Working, "")
		w.step(chat.Working, "", searching)
		got := w.answers()
		want := []slacktest.Task{{ID: "1", Title: "Reading q3.pdf", Status: "complete"}, {ID: "2", Title: "Searching the documents", Status: "in_progress"}}
		if len(got) != 1 || !got[0].Open || got[0].Text() != "" || !slices.Equal(got[0].Tasks, want) || got[0].Plan != "Working on it" {
			t.Fatalf("while it searches the thread shows %+v", got)
		}
		w.step(chat.Working, "", thinking)
		w.step(chat.Partial, text[:200], thinking) // Thinking has just ended, and nobody has said so yet
		if got := w.answers()[0]; len(got.Tasks) != 3 || got.Tasks[1].Title != "Found in Handbook" || !strings.HasPrefix(text, got.Text()) || got.Text() == "" {
			t.Fatalf("while it writes the thread shows %+v", got)
		}
		w.show(chat.Final, text)
		w.wantOne(text)
		m := w.answers()[0]
		if !strings.HasPrefix(m.Markdown, text) || len(m.Markdown) != len(text) || m.Edits != 0 {
			t.Errorf("the answer reads %q after %d edits", m.Markdown, m.Edits)
		}
		if m.Plan != "3 steps" || len(m.Tasks) != 3 {
			t.Errorf("it is folded away as %q, %+v", m.Plan, m.Tasks)
		}
		for _, c := range w.s.Calls("chat.startStream") {
			if c.Args["task_display_mode"] != "plan" {
				t.Errorf("tasks are displayed as %q", c.Args["task_display_mode"])
			}
		}
	})
}

// Whichever stream call fails however, the answer stands once, exactly, and nothing
// is shown as going on.
func TestStepsWhenCallsFail(t *testing.T) {
	faults := map[string]slacktest.Fault{
		"cut before": slacktest.CutBefore(), "cut after": slacktest.CutAfter(), "failed before": slacktest.FailBefore(),
		"failed after": slacktest.FailAfter(), "undecodable": slacktest.Undecodable(), "throttled": slacktest.RateLimited(5 * time.Second),
		"no chunks": slacktest.Refused("invalid_chunks"),
	}
	for method, last := range map[string]int{"chat.startStream": 1, "chat.appendStream": 3, "chat.stopStream": 1} {
		for n := 1; n <= last; n++ {
			for name, fault := range faults {
				t.Run(method+" "+name, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						w := newWorld(t, slacktest.Options{})
						w.s.Inject(method, n, fault)
						text := story(20)
						w.step(chat.Working, "", searching)
						w.step(chat.Working, "", thinking)
						w.step(chat.Partial, text[:100], thought())
						w.step(chat.Partial, text[:300], thought())
						time.Sleep(15 * time.Second) // whatever was cut has landed
						w.show(chat.Final, text)
						w.wantOne(text)
					})
				})
			}
		}
	}
}

// An answer that ends before its first word takes the tasks away with it.
func TestStepsOfNoAnswer(t *testing.T) {
	for kind, says := range map[chat.ReplyKind]string{chat.Failed: "Sorry.", chat.Stopped: "Stopped."} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, slacktest.Options{})
			w.step(chat.Working, "", searching)
			text := says
			if kind == chat.Stopped {
				text = ""
			}
			w.show(kind, text)
			w.wantOne(says)
		})
	}
}

// Where there is no stream the working sign says what is being done, and where
// there is no sign a message does.
func TestStepsWithoutAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, slacktest.Options{NoStreams: true})
		w.show(chat.Working, "")
		w.step(chat.Working, "", searching)
		if got := w.s.Status(room, w.thread()); got != "is at work: Searching the documents…" {
			t.Errorf("the sign says %q", got)
		}
		if got := w.answers(); len(got) > 0 {
			t.Errorf("the thread shows %+v", got)
		}
		w.show(chat.Final, "The answer.")
		w.wantOne("The answer.")
	})
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, slacktest.Options{NoStreams: true, PlainApp: true})
		w.step(chat.Working, "", searching)
		if got := w.answers(); len(got) != 1 || got[0].Text() != "Searching the documents…" {
			t.Errorf("the thread shows %+v", got)
		}
		w.show(chat.Final, "The answer.")
		w.wantOne("The answer.")
	})
}
