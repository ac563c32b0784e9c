package e2e

import (
	"context"
	"iter"
	"strings"
	"testing"
	"time"

	"parley/pkg/pipeline"
	"parley/pkg/slack"
	"parley/pkg/slack/slacktest"
)

// coder answers with a program.
type coder struct{}

const listing = "package main\n\nfunc main() {\n" // and what follows

func (coder) Stream(_ context.Context, p pipeline.Prompt) iter.Seq2[pipeline.Delta, error] {
	return func(yield func(pipeline.Delta, error) bool) {
		text := "Yes."
		if strings.Contains(p.Question, "program") {
			text = "```go\n" + listing + strings.Repeat("\tx++\n", 20) + "}\n```"
		}
		_ = yield(pipeline.Delta{Text: text}, nil) && yield(pipeline.Delta{Stop: pipeline.StopEnd, Model: "coder"}, nil)
	}
}

// Long code can be had as a file, once however often it is asked for and by whom,
// and goes with its question; a short answer offers no file.
func TestAnswerAsAFile(t *testing.T) {
	t.Parallel()
	inWorld(t, worldOptions{model: coder{}}, func(w *world) {
		p := w.boot(nil)
		short := answered(w, p, "is it so?")
		for _, b := range w.slack.Answers("C1", short.TS)[0].Buttons() {
			if b.ActionID == slack.ActionFile {
				t.Error("a short answer offers a file")
			}
		}
		q := answered(w, p, "write a program")
		files := func() (files []slacktest.File) {
			w.within(time.Minute, "quiet", w.quiet)
			for _, m := range w.slack.Answers("C1", q.TS) {
				for _, id := range m.Files {
					f, _ := w.slack.File(id)
					files = append(files, f)
				}
			}
			return files
		}
		press := w.press("C1", q.TS, slack.ActionFile, bob)
		p.accept(press)
		p.accept(press.Retry(1, "http_timeout"))
		p.accept(w.press("C1", q.TS, slack.ActionFile, ann))
		got := files()
		if len(got) != 1 || !strings.HasPrefix(string(got[0].Data), listing) || got[0].Name != "write-a-program.go" {
			t.Fatalf("the thread holds %+v", got)
		}
		p.accept(w.slack.EventDeleted(q))
		if got := files(); len(got) > 0 {
			t.Errorf("the question is gone, and its file is there: %+v", got)
		}
		p.stop()
	})
}
