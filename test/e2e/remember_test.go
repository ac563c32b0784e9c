package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"parley/pkg/docindex"
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

// What was remembered answers the next one who asks, and the source is the thread.
func TestRememberedIsFound(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var docs *docindex.Index
	opts := worldOptions{
		knowledge: notes.New(filepath.Join(dir, "remembered"), nil), docs: late(func() pipeline.Retriever { return docs }),
		config: pipeline.WorkerConfig{Profile: pipeline.Profile{Approvers: []string{bob}}, RememberDays: 1},
	}
	inWorld(t, opts, func(w *world) {
		var err error
		if docs, err = docindex.Open(w.t.Context(), docindex.Config{Dir: dir, File: filepath.Join(w.t.TempDir(), "index.db")}); err != nil {
			t.Fatal(err)
		}
		defer docs.Close()
		p := w.boot(nil)
		root := w.slack.Say("C1", "", ann, "How do we rotate the signing key?")
		w.slack.Say("C1", root.TS, bob, "Run rotate.sh every quarter.")
		_, event := w.mention("C1", root.TS, "remember this thread")
		p.accept(event)
		w.settled(time.Minute, "C1", root.TS, 1)
		p.accept(w.press("C1", root.TS, slack.ActionApprove, bob))
		w.within(time.Minute, "settled", w.quiet)

		ask := func() string {
			if _, err := docs.Refresh(w.t.Context()); err != nil {
				t.Fatal(err)
			}
			q, event := w.mention("C1", "", "how is the signing key rotated?")
			p.accept(event)
			w.settled(time.Minute, "C1", q.TS, 1)
			turn, _ := w.turnOf(q)
			var all strings.Builder
			for _, c := range turn.Citations {
				all.WriteString(c.Title + " " + c.URL + "\n")
			}
			return turn.Answer + "\n" + all.String()
		}
		link := "https://acme.slack.com/archives/C1/p" + strings.ReplaceAll(root.TS, ".", "")
		if said := ask(); !strings.Contains(said, "[1]") || !strings.Contains(said, link) {
			t.Errorf("the next one was told %q", said)
		}
		if n, err := opts.knowledge.(*notes.Folder).Expire(w.t.Context(), time.Now().Add(24*time.Hour)); n != 1 || err != nil {
			t.Errorf("%d notes expired, %v", n, err)
		}
		if said := ask(); strings.Contains(said, link) {
			t.Errorf("after its time: %q", said)
		}
		p.stop()
	})
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
