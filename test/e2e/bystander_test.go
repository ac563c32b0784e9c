package e2e

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"parley/pkg/chat"
	"parley/pkg/notes"
	"parley/pkg/pipeline"
)

// People say to each other what would be a command to Parley. Where it has no part in
// the thread, or is not to follow up, it says nothing; not even that it may not.
func TestWordsAmongPeople(t *testing.T) {
	t.Parallel()
	words := []string{"approve", "reject", "sources", "来源", "help", "usage", "remember this thread", "forget this thread"}
	for name, opts := range map[string]worldOptions{
		"nothing is remembered": {},
		"threads are remembered": {
			knowledge: notes.New(filepath.Join(t.TempDir(), "notes"), nil),
			config:    pipeline.WorkerConfig{Profile: pipeline.Profile{Approvers: []string{bob}}},
		},
		"never": {config: pipeline.WorkerConfig{Profile: pipeline.Profile{FollowUps: pipeline.FollowNever}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, opts, func(w *world) {
				p := w.boot(nil)
				root, _ := w.say(ann, "C1", "", "Shall we order pizza?")
				said := 0
				if name == "never" {
					root, said = answered(w, p, "tell me about rivers"), 1
				}
				for _, word := range words {
					_, event := w.say(ann, "C1", root.TS, word)
					p.accept(event)
					_, event = w.say(ann, "C1", root.TS, word)
					p.accept(altered(t, event, fromOutside))
				}
				w.within(time.Minute, "quiet", w.quiet)
				w.settled(time.Minute, "C1", root.TS, said)
				if own := w.slack.Ephemeral("C1", ann); len(own) > 0 {
					t.Errorf("Ann alone reads %+v", own)
				}
				p.stop()
			})
		})
	}
}

// What was forgotten is not shown again for a word.
func TestSourcesOfWhatWasForgotten(t *testing.T) {
	t.Parallel()
	const quote = "Five days of annual leave can be carried over."
	docs := found(func(string) ([]pipeline.Passage, error) {
		return []pipeline.Passage{{Text: quote, Citation: chat.Citation{Title: "Handbook", Quote: quote}}}, nil
	})
	inWorld(t, worldOptions{docs: docs}, func(w *world) {
		p := w.boot(nil)
		root, event := w.mention("C1", "", "How many days of annual leave can be carried over?")
		p.accept(event)
		w.settled(time.Minute, "C1", root.TS, 1)
		for i, word := range []string{"sources", "reset", "sources"} {
			_, event := w.mention("C1", root.TS, word)
			p.accept(event)
			texts := w.settled(time.Minute, "C1", root.TS, i+2)
			if shown := strings.Contains(texts[i+1], quote); shown != (i == 0) {
				t.Errorf("%d: %q is answered %q", i, word, texts[i+1])
			}
		}
		p.stop()
	})
}
