package slackapi_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
	"parley/pkg/slack/slacktest"
)

const program = "Here:\n\n```go\nif a < b {\n\tx++ // as <!channel> says\n}\n```\n"

// keep has an answer shown as a file, and returns what stands in the thread.
func (w *world) keep(fence int64, text string) (files []slacktest.File) {
	w.Helper()
	w.fence = fence
	r := w.reply(chat.Attached, text)
	r.MessageID += ":file"
	r.Title = "How do I count, in <Go>?"
	w.settle(r)
	return w.filesOf()
}

func (w *world) filesOf() (files []slacktest.File) {
	for _, m := range w.answers() {
		for _, id := range m.Files {
			f, _ := w.s.File(id)
			files = append(files, f)
		}
	}
	return files
}

// wantFile fails unless the thread holds one file of a name and text.
func (w *world) wantKept(name, text string) {
	w.Helper()
	files := w.filesOf()
	if len(files) != 1 || files[0].Name != name || string(files[0].Data) != text {
		w.Errorf("the thread holds %d files, want %s: %+v", len(files), name, files)
	}
	w.wantRules()
}

// An answer is posted once as a file, replaced by that of a newer answer, and taken
// away with it.
func TestAttachment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, slacktest.Options{})
		w.keep(1, program)
		const code = "if a < b {\n\tx++ // as <!channel> says\n}\n"
		w.wantKept("how-do-i-count-in-go.go", code)
		w.keep(1, program)
		w.wantKept("how-do-i-count-in-go.go", code)
		w.keep(2, "| a | b |\n|---|---|\n"+strings.Repeat("| one and | two |\n", 9))
		w.wantKept("how-do-i-count-in-go.csv", "a,b\n"+strings.Repeat("one and,two\n", 9))
		if files := w.keep(3, ""); len(files) > 0 {
			t.Errorf("the thread still holds %+v", files)
		}
		w.keep(4, "")
		w.wantRules()
	})
}

// Whichever call fails however, there is one file in the end.
func TestAttachmentWhenCallsFail(t *testing.T) {
	for _, method := range []string{"files.getUploadURLExternal", "files.completeUploadExternal", "files.info"} {
		for name, fault := range map[string]slacktest.Fault{
			"cut before": slacktest.CutBefore(), "cut after": slacktest.CutAfter(), "failed before": slacktest.FailBefore(),
			"failed after": slacktest.FailAfter(), "throttled": slacktest.RateLimited(5 * time.Second),
		} {
			t.Run(method+" "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, slacktest.Options{})
					if method == "files.info" {
						w.s.Inject("files.completeUploadExternal", 1, slacktest.CutAfter())
					}
					w.s.Inject(method, 1, fault)
					w.keep(1, program)
					w.wantKept("how-do-i-count-in-go.go", "if a < b {\n\tx++ // as <!channel> says\n}\n")
				})
			})
		}
	}
}

// Where the app may not write files, the person is told, alone; and what one person
// alone may read is no file for all.
func TestAttachmentRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, slacktest.Options{})
		w.s.Inject("files.getUploadURLExternal", 1, slacktest.Refused("missing_scope"))
		w.keep(1, program)
		if told := w.s.Ephemeral(room, ann); len(told) != 1 || !strings.Contains(told[0].Text(), "could not post the file") {
			t.Errorf("Ann reads %+v", told)
		}
		r := w.reply(chat.Attached, program)
		r.Route = []byte(`{"app":"A","channel":"` + room + `","response_url":"https://hooks.slack.com/x"}`)
		if _, err := w.poster.Post(t.Context(), pipeline.PostRequest{Reply: r}, w.j); err != nil {
			t.Fatal(err)
		}
		if files := w.filesOf(); len(files) > 0 {
			t.Errorf("the thread holds %+v", files)
		}
		w.wantRules()
	})
}
