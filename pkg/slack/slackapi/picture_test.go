package slackapi_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
	"parley/pkg/slack/blockpicture"
	"parley/pkg/slack/slacktest"
)

const pictures = "../../../docs/pictures/slack"

// scenes are what people see, each of one question. Their blocks are kept as golden
// files, and drawn for the documentation.
var scenes = map[string]struct {
	asked string
	play  func(w *world)
}{
	"answer": {"<@Parley> which rivers flow through Basel?", func(w *world) {
		w.settle(w.reply(chat.Final, "Three rivers meet in Basel:\n\n| River | Comes from | Length |\n|---|---|---|\n| Rhine | the Alps | 1,233 km |\n"+
			"| Birs | the Jura | 75 km |\n| Wiese | the Black Forest | 55 km |\n\nThe **Rhine** is the only one that ships use."))
	}},
	"sources": {"<@Parley> how many days of leave do I have?", func(w *world) {
		r := w.reply(chat.Final, "You have **25 days** a year [1], and five more from the age of fifty [2].")
		r.Citations = []chat.Citation{
			{Number: 1, Title: "Handbook", Heading: "Annual leave", URL: "https://wiki.example/handbook#leave", Page: 12},
			{Number: 2, Title: "Works agreement 2026", URL: "https://wiki.example/agreement"},
		}
		w.settle(r)
	}},
	"working": {"<@Parley> draft the release note", func(w *world) { w.show(chat.Working, "") }},
	"steps": {"<@Parley> what does q3.pdf say about Basel?", func(w *world) {
		w.step(chat.Working, "", searching)
		w.step(chat.Partial, "According to the report, the work in Basel is ahead of plan. ", append(searching[:1:1], chat.Step{ID: "2", Title: "Found in Handbook", Done: true}, chat.Step{ID: "3", Title: "Thinking"}))
	}},
	"folded": {"<@Parley> what does q3.pdf say about Basel?", func(w *world) {
		w.step(chat.Working, "", thought())
		w.settle(w.reply(chat.Final, "According to the report, Basel is **ahead of plan** by two weeks."))
	}},
	"apology": {"<@Parley> compare the two offers", func(w *world) {
		r := w.reply(chat.Failed, "")
		r.Reason = string(pipeline.ReasonThrottled)
		w.settle(r)
	}},
	"reasons": {"", func(w *world) {
		press := w.s.Say(room, w.thread(), ann, "")
		r := w.reply(chat.Rated, "What was wrong with the answer? It helps whoever looks after me to improve.")
		r.MessageID += ":feedback:" + press.TS
		r.Rating = &chat.Rating{Subject: w.ask.MessageID, Fence: 1}
		w.settle(r)
	}},
	"approval": {"<@Parley> remember this thread", func(w *world) {
		r := w.reply(chat.Final, "This is what I would remember of this thread. It can be found by everyone once somebody who may approve presses **Approve** or says **approve**.\n\n"+
			"## How do we roll back a release?\n\nRun `make rollback` on the release host, then tell #releases.")
		r.Proposal = true
		w.settle(r)
	}},
}

// TestPictures holds the messages to their golden blocks, and the pictures in the
// documentation to those.
func TestPictures(t *testing.T) {
	for name, scene := range scenes {
		t.Run(name, func(t *testing.T) {
			var shown blockpicture.Scene
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, slacktest.Options{})
				scene.play(w)
				shown = w.scene(strings.ReplaceAll(scene.asked, "<@Parley>", "@Parley"))
			})
			data, err := json.MarshalIndent(shown, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			wantFile(t, filepath.Join("testdata", "blocks", name+".json"), append(data, '\n'))
			picture, err := blockpicture.SVG(shown)
			if err != nil {
				t.Fatal(err)
			}
			wantFile(t, filepath.Join(pictures, name+".svg"), picture)
		})
	}
}

// The Home tab is drawn from its own golden file.
func TestPictureOfHome(t *testing.T) {
	data, err := os.ReadFile("testdata/blocks/home.json")
	if err != nil {
		t.Fatal(err)
	}
	shown := blockpicture.Scene{Home: true}
	if err := json.Unmarshal(data, &shown); err != nil {
		t.Fatal(err)
	}
	picture, err := blockpicture.SVG(shown)
	if err != nil {
		t.Fatal(err)
	}
	wantFile(t, filepath.Join(pictures, "home.svg"), picture)
}

// Every picture is of a scene, and every scene is in the documentation.
func TestPicturesAreShown(t *testing.T) {
	page, err := os.ReadFile("../../../docs/slack.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(slices.Collect(maps.Keys(scenes)), "home") {
		if !bytes.Contains(page, []byte("(pictures/slack/"+name+".svg)")) {
			t.Errorf("docs/slack.md does not show %s", name)
		}
	}
	for pattern, end := range map[string]string{pictures + "/*": ".svg", "testdata/blocks/*": ".json"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			name := strings.TrimSuffix(filepath.Base(file), end)
			if _, ok := scenes[name]; !ok && !strings.HasPrefix(name, "home") {
				t.Errorf("%s is of no scene", file)
			}
		}
	}
}

// wantFile holds a file to what is rendered today.
func wantFile(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s is not what is rendered today; see make pictures (-want +got):\n%s", file, diff)
	}
}

// scene is what the person who asked sees at the end.
func (w *world) scene(asked string) blockpicture.Scene {
	w.Helper()
	s := blockpicture.Scene{Asked: asked, Status: w.s.Status(room, w.thread())}
	all := w.answers()
	if whispers := w.s.Ephemeral(room, ann); len(whispers) > 0 {
		all, s.OnlyYou = whispers, true
	}
	if len(all) > 1 {
		w.Fatalf("%d messages", len(all))
	}
	for _, m := range all {
		s.Writing = m.Open
		data, err := json.Marshal(blocksOf(w.T, m))
		if err != nil {
			w.Fatal(err)
		}
		s.Blocks = data
	}
	return s
}

// blocksOf is m as blocks, which of a stream are what Slack makes of its chunks.
func blocksOf(t *testing.T, m slacktest.Message) []any {
	t.Helper()
	type object = map[string]any
	var blocks, tail []any
	var tasks []any
	for _, task := range m.Tasks {
		tasks = append(tasks, object{"type": "task_card", "task_id": task.ID, "title": task.Title, "status": task.Status})
	}
	if tasks != nil {
		blocks = append(blocks, object{"type": "plan", "title": m.Plan, "tasks": tasks})
	}
	if m.Markdown != "" {
		blocks = append(blocks, object{"type": "markdown", "text": m.Markdown})
	}
	if len(m.Blocks) > 0 {
		if err := json.Unmarshal(m.Blocks, &tail); err != nil {
			t.Fatal(err)
		}
	}
	return append(blocks, tail...)
}
