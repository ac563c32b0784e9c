package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"parley/pkg/notes"
	"parley/pkg/pipeline"
	"parley/pkg/slack"
	"parley/pkg/slack/slacktest"
)

// discussed is a world with a discussion that ended with a decision, in which Bob
// may approve what is remembered.
func discussed(t *testing.T, test func(w *world, p *process, root slacktest.Message, kept func() string)) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "notes")
	opts := worldOptions{knowledge: notes.New(dir, nil), config: pipeline.WorkerConfig{Profile: pipeline.Profile{Approvers: []string{bob}}}}
	inWorld(t, opts, func(w *world) {
		p := w.boot(nil)
		root := w.slack.Say("C1", "", ann, "How do we rotate the signing key?")
		w.slack.Say("C1", root.TS, bob, "Run rotate.sh, the old password: hunter22 is void then. Mail ops@example.com about it.")
		w.slack.Say("C1", root.TS, ann, "Agreed, rotate.sh it is, every quarter.")
		test(w, p, root, func() string {
			var all strings.Builder
			names, err := filepath.Glob(filepath.Join(dir, "*.md"))
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range names {
				data, err := os.ReadFile(name)
				if err != nil {
					t.Fatal(err)
				}
				all.Write(data)
			}
			return all.String()
		})
		p.stop()
	})
}

func TestRememberedOnceApproved(t *testing.T) {
	for _, how := range []string{"words", "shortcut"} {
		t.Run(how, func(t *testing.T) {
			discussed(t, func(w *world, p *process, root slacktest.Message, kept func() string) {
				event := w.slack.EventShortcut(root, slack.CallbackRemember, ann)
				if how == "words" {
					_, event = w.mention("C1", root.TS, "remember this thread")
				}
				p.accept(event)
				p.accept(event)
				draft := w.settled(time.Minute, "C1", root.TS, 1)[0]
				if !strings.Contains(draft, "How do we rotate the signing key?") || !strings.Contains(draft, "rotate.sh") {
					t.Errorf("the draft is %q", draft)
				}
				for _, secret := range []string{"hunter22", "ops@example.com"} {
					if strings.Contains(draft, secret) {
						t.Errorf("the draft holds %q: %q", secret, draft)
					}
				}
				if n := w.modelCalls(); n != 1 {
					t.Errorf("the model was called %d times", n)
				}
				p.accept(w.press("C1", root.TS, slack.ActionApprove, ann))
				w.within(time.Minute, "settled", w.quiet)
				if kept() != "" {
					t.Fatalf("kept without an approver: %q", kept())
				}
				approve, reject := w.press("C1", root.TS, slack.ActionApprove, bob), w.press("C1", root.TS, slack.ActionReject, bob)
				p.accept(approve)
				p.accept(approve)
				w.within(time.Minute, "settled", w.quiet)
				note := kept()
				link := "https://acme.slack.com/archives/C1/p" + strings.ReplaceAll(root.TS, ".", "")
				if !strings.Contains(note, "rotate.sh") || !strings.Contains(note, link) || strings.Contains(note, "hunter22") {
					t.Errorf("kept %q", note)
				}
				p.accept(reject)
				w.within(time.Minute, "settled", w.quiet)
				if kept() != note {
					t.Error("a later decision undid the first")
				}
				shown := w.slack.Answers("C1", root.TS)[0]
				if len(shown.Buttons()) > 0 && shown.Buttons()[0].ActionID == slack.ActionApprove || !strings.Contains(shown.Text(), "Approved by") {
					t.Errorf("the draft still asks: %q", shown.Text())
				}
				_, event = w.mentionBy(bob, "C1", root.TS, "forget this thread")
				p.accept(event)
				w.within(time.Minute, "settled", w.quiet)
				if kept() != "" {
					t.Error("not forgotten")
				}
				p.accept(approve) // Slack delivers the press once more
				w.within(time.Minute, "settled", w.quiet)
				if kept() != "" {
					t.Error("a redelivery brought back what was forgotten")
				}
			})
		})
	}
}

func TestRejectedIsNotRemembered(t *testing.T) {
	discussed(t, func(w *world, p *process, root slacktest.Message, kept func() string) {
		_, event := w.mention("C1", root.TS, "remember this thread")
		p.accept(event)
		w.settled(time.Minute, "C1", root.TS, 1)
		approve := w.press("C1", root.TS, slack.ActionApprove, bob)
		_, event = w.mentionBy(bob, "C1", root.TS, "reject")
		p.accept(event)
		w.within(time.Minute, "settled", w.quiet)
		p.accept(approve)
		w.within(time.Minute, "settled", w.quiet)
		if kept() != "" {
			t.Errorf("kept %q", kept())
		}
	})
}

// Where threads cannot be remembered, Parley says why, and asks no model.
func TestRememberingIsOff(t *testing.T) {
	t.Parallel()
	for want, opts := range map[string]worldOptions{
		"no knowledge base": {config: pipeline.WorkerConfig{Profile: pipeline.Profile{Approvers: []string{bob}}}},
		"nobody is named":   {knowledge: notes.New("unused", nil)},
	} {
		inWorld(t, opts, func(w *world) {
			p := w.boot(nil)
			root := w.slack.Say("C1", "", ann, "What now?")
			for i, words := range []string{"remember this thread", "forget this thread"} {
				_, event := w.mention("C1", root.TS, words)
				p.accept(event)
				if texts := w.settled(time.Minute, "C1", root.TS, i+1); !strings.Contains(texts[i], want) {
					t.Errorf("%s was answered %q, want %q", words, texts[i], want)
				}
			}
			if w.modelCalls() > 0 {
				t.Error("the model was asked")
			}
			p.stop()
		})
	}
}
