package e2e

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley/pkg/chat"
	"parley/pkg/demo"
	"parley/pkg/dingtalk"
	"parley/pkg/dingtalk/dingapi"
	"parley/pkg/dingtalk/dingtest"
	"parley/pkg/extract"
	"parley/pkg/notes"
	"parley/pkg/pipeline"
	"parley/pkg/sqlitestore"
)

// dingWorld is an organisation in DingTalk and a process that answers in it.
type dingWorld struct {
	*world // for its waiting
	ding   *dingtest.Server
	system *pipeline.System
	dir    string // of what is remembered
}

func inDingWorld(t *testing.T, test func(w *dingWorld)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		w := &dingWorld{world: &world{t: t, path: filepath.Join(dir, "parley.db")}, ding: dingtest.New(dingtest.Options{}), dir: filepath.Join(dir, "remembered")}
		log := slog.New(slog.NewTextHandler(&w.log, nil))
		store, err := sqlitestore.Open(t.Context(), w.path, sqlitestore.Options{Serve: true, Logger: log})
		if err != nil {
			t.Fatal(err)
		}
		w.store = store
		secret := func(context.Context) (string, error) { return w.ding.Secret, nil }
		api, err := dingapi.New(dingapi.Config{ClientID: w.ding.ClientID, Secret: secret, HTTPClient: &http.Client{Transport: w.ding.Transport()}, Log: log})
		if err != nil {
			t.Fatal(err)
		}
		channel := func(name string) pipeline.Channel {
			return pipeline.Channel{Queue: store.Queue(name), Letters: store.DeadLetterOutbox(name)}
		}
		parser := dingtalk.NewParser(dingtalk.Config{Secrets: func() []string { return []string{w.ding.Secret} }, PersonalGroups: true})
		w.system = &pipeline.System{
			Requests: channel(sqlitestore.Requests), Control: channel(sqlitestore.Control), Replies: channel(sqlitestore.Replies),
			Cases: store, Memory: store, Deliveries: store, Model: &demo.Model{}, Extract: extract.Text, Log: log,
			Parsers: map[string]pipeline.Parser{dingtalk.MessagesPath: parser},
			Posters: map[chat.Platform]pipeline.Poster{chat.DingTalk: dingapi.NewPoster(api)},
			Readers: map[chat.Platform]pipeline.Reader{chat.DingTalk: dingapi.NewReader(api)}, Knowledge: notes.New(w.dir, nil),
			Config: pipeline.WorkerConfig{Profile: pipeline.Profile{Approvers: []string{"chief01"}}},
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.system.Run(ctx) }()
		test(w)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
		for _, v := range w.ding.Violations() {
			t.Errorf("a rule of DingTalk's was broken: %v", v)
		}
	})
}

// says delivers what a person says, and returns what is answered there.
func (w *dingWorld) says(in dingtest.Inbound) string {
	w.t.Helper()
	where := in.Group
	if where == "" {
		where = in.Staff
	}
	before := len(w.ding.Posts(where))
	answer := w.system.Ingress().Handle(w.t.Context(), pipeline.Request{
		Method: http.MethodPost, Path: dingtalk.MessagesPath, Header: w.ding.Headers(), Body: w.ding.Said(in),
	})
	if answer.Status != http.StatusOK {
		w.t.Fatalf("the message was answered %d", answer.Status)
	}
	w.within(time.Minute, "answered", func() bool { return w.quiet() && len(w.ding.Posts(where)) > before })
	posts := w.ding.Posts(where)
	return posts[len(posts)-1].Text
}

// kept is all that is remembered.
func (w *dingWorld) kept() string {
	w.t.Helper()
	names, err := filepath.Glob(filepath.Join(w.dir, "*.md"))
	if err != nil {
		w.t.Fatal(err)
	}
	var all strings.Builder
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			w.t.Fatal(err)
		}
		all.Write(data)
	}
	return all.String()
}

// In a group, where each person has a conversation of their own, what one asked to be
// remembered is approved, and later forgotten, by another who may.
func TestDingTalkRemembers(t *testing.T) {
	t.Parallel()
	inDingWorld(t, func(w *dingWorld) {
		const group = "cidGroup=="
		say := func(staff, text string) string {
			return w.says(dingtest.Inbound{Text: text, Group: group, Staff: staff})
		}
		say("staff01", "签名密钥怎么轮换，联系 ops@example.com 吗")
		draft := say("staff01", "记住这个讨论")
		if !strings.Contains(draft, "签名密钥怎么轮换") || strings.Contains(draft, "ops@example.com") {
			t.Errorf("the draft is %q", draft)
		}
		if said := say("staff01", "批准"); w.kept() != "" || !strings.Contains(said, "批准人") && !strings.Contains(said, "审批") {
			t.Errorf("kept %q without an approver, who was told %q", w.kept(), said)
		}
		if said := say("chief01", "批准"); !strings.Contains(w.kept(), "签名密钥怎么轮换") {
			t.Errorf("not kept; the approver was told %q", said)
		}
		if say("staff01", "忘记这个讨论"); w.kept() == "" {
			t.Error("forgotten by somebody who may not")
		}
		if said := say("chief01", "忘记这个讨论"); w.kept() != "" {
			t.Errorf("not forgotten; the approver was told %q", said)
		}
	})
}

// A document sent to the robot can be asked about, whatever it is called.
func TestDingTalkDocuments(t *testing.T) {
	t.Parallel()
	const said = "The garden gets 340 euros and a new shed."
	for name, data := range map[string][]byte{"budget.docx": wordOf(t, said), "budget.pdf": pdfOf(said), "budget.txt": []byte(said)} {
		inDingWorld(t, func(w *dingWorld) {
			w.ding.AddFile("code-1", data)
			first := w.says(dingtest.Inbound{Staff: "staff01", Fields: map[string]any{
				"msgtype": "file", "text": nil, "content": map[string]any{"downloadCode": "code-1", "fileName": name},
			}})
			if strings.Contains(first, "could not") {
				t.Errorf("%s was answered %q", name, first)
			}
			if answer := w.says(dingtest.Inbound{Staff: "staff01", Text: "how much does the garden get?"}); !strings.Contains(answer, "340 euros") {
				t.Errorf("asked about %s: %q", name, answer)
			}
		})
	}
}

// wordOf is a Word document of one paragraph.
func wordOf(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, content := range map[string]string{
		"[Content_Types].xml": `<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>`,
		"word/document.xml": `<?xml version="1.0"?><w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body><w:p><w:r><w:t>` +
			text + `</w:t></w:r></w:p></w:body></w:document>`,
	} {
		f, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// pdfOf is a PDF of one page that says text.
func pdfOf(text string) []byte {
	var b bytes.Buffer
	var at []int
	object := func(body string) {
		at = append(at, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", len(at), body)
	}
	content := "BT /F1 12 Tf 72 720 Td (" + text + ") Tj ET"
	b.WriteString("%PDF-1.4\n")
	object("<< /Type /Catalog /Pages 2 0 R >>")
	object("<< /Type /Pages /Kids [3 0 R] /Count 1 >>")
	object("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>")
	object(fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", len(content), content))
	object("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>")
	table := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(at)+1)
	for _, offset := range at {
		fmt.Fprintf(&b, "%010d 00000 n \n", offset)
	}
	fmt.Fprintf(&b, "trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(at)+1, table)
	return b.Bytes()
}
