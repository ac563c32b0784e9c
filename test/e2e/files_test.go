package e2e

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"parley/pkg/slack/slacktest"
)

// share has Ann mention Parley with files attached.
func (w *world) share(channel, thread, text string, files ...slacktest.File) (slacktest.Message, slacktest.Inbound) {
	var ids []string
	for _, f := range files {
		ids = append(ids, w.slack.AddFile(f).ID)
	}
	m := w.slack.Say(channel, thread, ann, "<@"+slacktest.DefaultBotUser+"> "+text, ids...)
	return m, w.slack.EventMention(m)
}

// fileStore counts the files that are read from Slack, and fails if w.fileFault is
// set.
type fileStore struct {
	w    *world
	next http.RoundTripper
}

func (s fileStore) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasPrefix(r.URL.Path, "/files-pri/") {
		s.w.mu.Lock()
		s.w.fileReads++
		s.w.mu.Unlock()
		if s.w.fileFault != nil {
			return nil, s.w.fileFault
		}
		resp, err := s.next.RoundTrip(r)
		if err == nil {
			resp.Body = metered{resp.Body, s.w}
		}
		return resp, err
	}
	return s.next.RoundTrip(r)
}

// metered counts the bytes that are read of files.
type metered struct {
	io.ReadCloser
	w *world
}

func (m metered) Read(p []byte) (int, error) {
	n, err := m.ReadCloser.Read(p)
	m.w.mu.Lock()
	m.w.fileBytes += n
	m.w.mu.Unlock()
	return n, err
}

// downloads is how many files were read from Slack.
func (w *world) downloads() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.fileReads
}

const budget = "Research gets 12 million.\nThe garden gets 340 euros and a new shed.\n"

// A document is answered from, and still is when it is asked about later, from its
// turn alone: it is not read a second time.
func TestAttachedDocument(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]slacktest.File{
		"text":  {Name: "budget.txt", MIME: "text/plain", Data: []byte(budget)},
		"html":  {Name: "budget.html", MIME: "text/html", Data: []byte("<!doctype html><p>Research gets 12 million.</p><p>The garden gets 340 euros and a new shed.</p>")},
		"lying": {Name: "budget.png", MIME: "image/png", Data: []byte(budget)},
		"stub":  {Name: "budget.md", MIME: "text/markdown", Data: []byte(budget), Stub: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, worldOptions{}, func(w *world) {
				p := w.boot(nil)
				q, event := w.share("C1", "", "how much does research get?", f)
				p.accept(event)
				if texts := w.settled(time.Minute, "C1", q.TS, 1); !strings.Contains(texts[0], "12 million") {
					t.Errorf("answered %q", texts[0])
				}
				reads := w.downloads()
				later, event := w.mention("C1", q.TS, "and what about the garden?")
				p.accept(event)
				if texts := w.settled(time.Minute, "C1", q.TS, 2); !strings.Contains(texts[1], "340 euros") {
					t.Errorf("the follow-up was answered %q", texts[1])
				}
				if w.downloads() != reads {
					t.Error("the file was read again")
				}
				if turn, _ := w.turnOf(later); turn.Attachments != "" {
					t.Errorf("the follow-up remembers a file of its own: %q", turn.Attachments)
				}
				p.stop()
			})
		})
	}
}

// What cannot be read is named, with the reason, and the question is answered from
// what can be.
func TestUnreadableFiles(t *testing.T) {
	t.Parallel()
	good := slacktest.File{Name: "budget.txt", MIME: "text/plain", Data: []byte(budget)}
	for name, c := range map[string]struct {
		file slacktest.File
		why  string
	}{
		"over the limit": {slacktest.File{Name: "big.txt", MIME: "text/plain", Data: []byte(strings.Repeat("x", 4_500_001))}, "larger than 4.5 MB"},
		"sign-in page":   {slacktest.File{Name: "secret.txt", MIME: "text/plain", Data: []byte("x"), Hidden: true}, "no access"},
		"external":       {slacktest.File{Name: "plan.txt", MIME: "text/plain", External: true, URL: "https://drive.example.com/plan"}, "not kept where Parley can read it"},
		"a program":      {slacktest.File{Name: "notes.txt", MIME: "text/plain", Data: []byte("\x7fELF\x02\x01\x01\x00\x00\x00")}, "not one Parley reads"},
		"empty":          {slacktest.File{Name: "nothing.txt", MIME: "text/plain"}, "empty"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, worldOptions{}, func(w *world) {
				p := w.boot(nil)
				q, event := w.share("C1", "", "how much does research get?", c.file, good)
				p.accept(event)
				text := w.settled(time.Minute, "C1", q.TS, 1)[0]
				if !strings.Contains(text, "12 million") || !strings.Contains(text, c.file.Name) || !strings.Contains(text, c.why) {
					t.Errorf("answered %q", text)
				}
				if turn, _ := w.turnOf(q); !strings.Contains(turn.Attachments, c.file.Name) {
					t.Errorf("the turn remembers %q", turn.Attachments)
				}
				p.stop()
			})
		})
	}
}

// A file may be larger than its event says: what is read of it ends at the limit, and
// the others are answered from.
func TestFileLiesAboutItsSize(t *testing.T) {
	t.Parallel()
	inWorld(t, worldOptions{}, func(w *world) {
		p := w.boot(nil)
		liar := slacktest.File{Name: "small.txt", MIME: "text/plain", Data: []byte(strings.Repeat("x", 30<<20)), Claims: 100}
		q, event := w.share("C1", "", "how much does research get?", liar, slacktest.File{Name: "budget.txt", MIME: "text/plain", Data: []byte(budget)})
		p.accept(event)
		text := w.settled(time.Minute, "C1", q.TS, 1)[0]
		if !strings.Contains(text, "12 million") || !strings.Contains(text, "small.txt") || !strings.Contains(text, "larger than 4.5 MB") {
			t.Errorf("answered %q", text)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.fileReads != 2 || w.fileBytes > 5<<20 {
			t.Errorf("%d bytes were read of %d files", w.fileBytes, w.fileReads)
		}
		p.stop()
	})
}

// Of many files the first five are read, and the rest are named.
func TestTooManyFiles(t *testing.T) {
	t.Parallel()
	inWorld(t, worldOptions{}, func(w *world) {
		p := w.boot(nil)
		var files []slacktest.File
		for i := range 7 {
			files = append(files, slacktest.File{Name: fmt.Sprintf("f%d.txt", i), MIME: "text/plain", Data: fmt.Appendf(nil, "item %d costs %d crowns", i, i*11)})
		}
		q, event := w.share("C1", "", "what do items cost?", files...)
		p.accept(event)
		text := w.settled(time.Minute, "C1", q.TS, 1)[0]
		if !strings.Contains(text, "f5.txt") || !strings.Contains(text, "f6.txt") || strings.Contains(text, "could not read f4") {
			t.Errorf("answered %q", text)
		}
		if n := w.downloads(); n != 5 {
			t.Errorf("%d files were read", n)
		}
		p.stop()
	})
}

// A document longer than there is room for is cut, also in what is remembered, and
// the conversation before it is not forgotten.
func TestLongDocumentIsCut(t *testing.T) {
	t.Parallel()
	inWorld(t, worldOptions{}, func(w *world) {
		p := w.boot(nil)
		q, event := w.mention("C1", "", "my name is Ada")
		p.accept(event)
		w.settled(time.Minute, "C1", q.TS, 1)
		long := budget + strings.Repeat("Nothing of interest stands in this line of the document.\n", 20_000)
		doc, event := w.share("C1", q.TS, "how much does research get?", slacktest.File{Name: "long.txt", MIME: "text/plain", Data: []byte(long)})
		p.accept(event)
		w.settled(time.Minute, "C1", q.TS, 2)
		prompt := w.lastPrompt(doc)
		if n := len(prompt.Attachments[0].Text); n > 90_000 || n < 70_000 {
			t.Errorf("%d bytes of the document were shown", n)
		}
		if turn, _ := w.turnOf(doc); len(turn.Attachments) > 90_000 {
			t.Errorf("%d bytes are remembered", len(turn.Attachments))
		}
		_, event = w.mention("C1", q.TS, "what is my name?")
		p.accept(event)
		if texts := w.settled(time.Minute, "C1", q.TS, 3); !strings.Contains(texts[2], "Ada") {
			t.Errorf("the document pushed the name out: %q", texts[2])
		}
		p.stop()
	})
}

// A download that breaks is no reason to leave the question unanswered.
func TestFailedDownload(t *testing.T) {
	t.Parallel()
	inWorld(t, worldOptions{}, func(w *world) {
		w.fileFault = errors.New("connection reset")
		p := w.boot(nil)
		q, event := w.share("C1", "", "what does it say?", slacktest.File{Name: "a.txt", MIME: "text/plain", Data: []byte("it says hello")})
		p.accept(event)
		if text := w.settled(time.Minute, "C1", q.TS, 1)[0]; !strings.Contains(text, "a.txt: it could not be downloaded") {
			t.Errorf("answered %q", text)
		}
		p.stop()
	})
}
