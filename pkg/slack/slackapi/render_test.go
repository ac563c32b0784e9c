package slackapi_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
	"parley/pkg/slack/slacktest"
)

var update = flag.Bool("update", false, "rewrite golden files")

var cited = []chat.Citation{
	{Number: 1, Title: "Handbook <draft>", URL: "https://docs.example/a?b=1&c=2|3", Page: 4, Heading: "Leave"},
	{Number: 2, Title: "Memo | 2026", URL: "s3://bucket/memo.pdf"},
	{Number: 3, URL: "https://docs.example/x y"},
	{Number: 4, Title: "<!channel> @here", URL: "javascript:alert(1)"},
}

// Each file of testdata/calls holds the calls that show one snapshot.
func TestCallsGolden(t *testing.T) {
	for name, script := range map[string]func(w *world){
		"final": func(w *world) {
			r := w.reply(chat.Final, "# Title\n\nAn *answer* [1] with `code` & <b>.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n")
			r.Citations = cited
			w.settle(r)
		},
		"streamed": func(w *world) {
			w.show(chat.Partial, story(3))
			r := w.reply(chat.Final, story(3)+" Really.")
			r.Citations = cited[:1]
			w.settle(r)
		},
		"failed": func(w *world) {
			r := w.reply(chat.Failed, "")
			r.Reason = string(pipeline.ReasonModel)
			w.settle(r)
		},
		"refused": func(w *world) {
			r := w.reply(chat.Failed, "")
			r.Reason, r.Language = string(pipeline.ReasonRefused), "zh"
			w.settle(r)
		},
		"stopped":               func(w *world) { w.show(chat.Stopped, "As far as I came") },
		"stopped in code":       func(w *world) { w.show(chat.Stopped, "Look:\n\n```go\nfunc main() {") },
		"stopped before a word": func(w *world) { w.show(chat.Stopped, "") },
		"notice":                func(w *world) { w.show(chat.Notice, "- **reset** forgets") },
		"working":               func(w *world) { w.show(chat.Working, "The model is busy.") },
		"withdrawn":             func(w *world) { w.show(chat.Final, "x"); w.fence++; w.show(chat.Withdrawn, "") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, slacktest.Options{})
				script(w)
				w.wantRules()
				var got bytes.Buffer
				for _, c := range w.s.Calls() {
					got.WriteString(c.Method + "\n")
					enc := json.NewEncoder(&got)
					enc.SetEscapeHTML(false)
					enc.SetIndent("", "  ")
					if err := enc.Encode(readable(c.Args)); err != nil {
						t.Fatal(err)
					}
				}
				golden(t, filepath.Join("testdata", "calls", strings.ReplaceAll(name, " ", "-")+".txt"), got.Bytes())
			})
		})
	}
}

// readable opens the JSON inside arguments.
func readable(args map[string]string) map[string]any {
	out := map[string]any{}
	for k, v := range args {
		var inner any
		if (v[:min(1, len(v))] == "[" || v[:min(1, len(v))] == "{") && json.Unmarshal([]byte(v), &inner) == nil {
			out[k] = inner
			continue
		}
		out[k] = v
	}
	return out
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// However long and whatever it is made of, each message is one Slack takes, and
// code and tables stay whole.
func TestLongAnswersAreTaken(t *testing.T) {
	for name, block := range map[string]string{
		"prose":   strings.Repeat("Alpha \"beta\" gamma\\delta. ", 40) + "\n\n",
		"lines":   strings.Repeat("- \"a\"\n", 60) + "\n",
		"chinese": strings.Repeat("第一句话在这里，第二句话也在。", 60) + "\n\n",
		"emoji":   strings.Repeat("👍🏽🙂 ", 200) + "\n\n",
		"code":    "```go\n" + strings.Repeat("\tfmt.Println(\"<!channel> <@U123>\")\n", 30) + "```\n\n",
		"table":   "| Name | Value |\n|---|---|\n" + strings.Repeat("| a \"quoted\" value | another |\n", 40) + "\n",
		"control": strings.Repeat("a\x00b\x1b[31m\u2028c ", 200) + "\n\n",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for _, streamed := range []bool{false, true} {
					w := newWorld(t, slacktest.Options{PostBurst: 50})
					text := strings.Repeat(block, 35<<10/len(block))
					if streamed {
						for n := 200; n < len(text); n += 4000 {
							w.show(chat.Partial, strings.ToValidUTF8(text[:n], ""))
							time.Sleep(time.Second)
						}
					}
					r := w.reply(chat.Final, text)
					for range 12 {
						r.Citations = append(r.Citations, chat.Citation{Number: 1, Title: strings.Repeat("A long title \"quoted\" ", 12), URL: "https://docs.example/" + strings.Repeat("x", 90)})
					}
					w.settle(r)
					w.wantRules()
					got := w.answers()
					if len(got) < 2 || len(got) > 6 {
						t.Errorf("%d bytes are shown in %d messages", len(text), len(got))
					}
					for i, m := range got {
						if n := strings.Count(m.Text(), "\n```") + strings.Count(m.Text()[:3], "```"); n%2 != 0 {
							t.Errorf("message %d has %d fences", i, n)
						}
						if (len(m.Buttons()) > 0) != (i == len(got)-1) {
							t.Errorf("message %d has buttons %v", i, m.Buttons())
						}
					}
				}
			})
		})
	}
}

// A text that just fits leaves no room for its sources: they move with its end
// into a second message.
func TestSourcesFindRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, slacktest.Options{})
		r := w.reply(chat.Final, strings.Repeat("- \"a\"\n", 1350)) // 12,150 characters of JSON
		for range 20 {
			r.Citations = append(r.Citations, chat.Citation{Number: 1, Title: strings.Repeat("A title ", 20)})
		}
		w.settle(r)
		w.wantRules()
		got := w.answers()
		if len(got) != 2 || len(got[1].Buttons()) == 0 || !strings.Contains(got[1].Text(), "*Sources*") {
			t.Errorf("%d messages", len(got))
		}
	})
}

func TestStreamedLongAnswerKeepsItsFirstMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, slacktest.Options{})
		text := strings.Repeat("Alpha beta gamma delta epsilon. ", 50)
		text = strings.Repeat(text+"\n\n", 14)
		for n := 300; n < len(text); n += 700 {
			w.show(chat.Partial, text[:n])
			time.Sleep(time.Second)
		}
		w.show(chat.Final, text)
		w.wantRules()
		got := w.answers()
		if strings.Count(got[0].Text()+got[1].Text()+got[2].Text(), "Alpha") != 14*50 || len(got) != 3 {
			t.Errorf("%d messages", len(got))
		}
	})
}

// A model can write what it likes, in whatever pieces it comes: nobody is pinged.
func TestNothingPings(t *testing.T) {
	evil := "Hi <!channel> <!here|here> <@U0BOB00001> <#C0ROOM0001|x> <!subteam^S012|@t> @everyone `<!channel>`\n\n```\n<!here>\n```\n&lt;!channel&gt; done."
	synctest.Test(t, func(t *testing.T) {
		for _, opt := range []slacktest.Options{{}, {NoStreams: true}} {
			w := newWorld(t, opt)
			for n := range evil {
				w.show(chat.Partial, evil[:n])
				time.Sleep(800 * time.Millisecond)
			}
			r := w.reply(chat.Final, evil)
			r.Citations = cited
			w.settle(r)
			w.wantRules()
			if got := w.answers()[0].Text(); strings.ReplaceAll(got[:len(evil)], "\u2060", "")[:20] != evil[:20] {
				t.Errorf("it reads %q", got)
			}
		}
	})
}

// Slack may refuse the buttons of tomorrow: rather an answer without them.
func TestRefusedBlocksAreLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, method := range []string{"chat.postMessage", "chat.update", "chat.stopStream"} {
			w := newWorld(t, slacktest.Options{})
			switch method {
			case "chat.update":
				w.show(chat.Notice, "Before.")
				w.fence++
			case "chat.stopStream":
				w.show(chat.Partial, story(20)[:100])
			}
			w.s.Inject(method, 1, slacktest.Refused("invalid_blocks"))
			w.show(chat.Final, story(20))
			w.wantOne(story(20))
		}
	})
}
