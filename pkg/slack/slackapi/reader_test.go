package slackapi_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
	slackin "parley/pkg/slack"
	"parley/pkg/slack/slacktest"
)

// message is the question m as the pipeline carries it.
func question(m slacktest.Message) chat.Message {
	r := asked(m)
	return chat.Message{ID: r.MessageID, Kind: chat.KindAsk, Conversation: r.Conversation, Route: r.Route, SentAt: slackin.TimeOf(m.TS)}
}

func TestThreadReadsWhatCameBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := slacktest.New(slacktest.Options{PageSize: 3})
		tick := func() { time.Sleep(time.Second) }
		f := s.AddFile(slacktest.File{Name: "q3.pdf", MIME: "application/pdf", Data: []byte("%PDF")})
		root := s.Say(room, "", ann, "Shall we &lt;ship&gt; <https://x.example|it>?", f.ID)
		tick()
		s.Say(room, "", ann, "elsewhere")
		for i := range 6 {
			tick()
			s.Say(room, root.TS, "U0BOB00001", fmt.Sprintf("reply %d", i))
		}
		tick()
		s.SayAsBot(room, root.TS, "a bot with <@U0ANN00001>", true)
		tick()
		own := s.SayAsParley(room, root.TS, "said by me", nil)
		tick()
		gone := s.Say(room, root.TS, ann, "deleted")
		s.Remove(room, gone.TS)
		q := s.Say(room, root.TS, ann, "summarise this")
		tick()
		s.Say(room, root.TS, ann, "said afterwards")
		r := newClient(t, s, s.Transport()).Reader()
		read := func(max int) (texts []string) {
			got, err := r.Thread(t.Context(), question(q), max)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range got {
				texts = append(texts, m.Text)
				if m.Own != (m.ID == slackin.MessageID(slacktest.DefaultAppID, room, own.TS)) {
					t.Errorf("own is %v of %q", m.Own, m.Text)
				}
			}
			return texts
		}
		want := []string{"Shall we <ship> it (https://x.example)?", "reply 0", "reply 1", "reply 2", "reply 3", "reply 4", "reply 5",
			"a bot with @U0ANN00001", "said by me"}
		if diff := cmp.Diff(want, read(50)); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if diff := cmp.Diff(want[7:], read(2)); diff != "" {
			t.Errorf("the newest two: -want +got:\n%s", diff)
		}
		all, err := r.Thread(t.Context(), question(q), 50)
		if err != nil || len(all[0].Files) != 1 || all[0].Files[0].URL != f.URL || all[0].Files[0].Name != "q3.pdf" || all[0].Author.ID != ann {
			t.Errorf("the first is %+v, %v", all[0], err)
		}
		if top, err := r.Thread(t.Context(), question(root), 50); err != nil || len(top) != 0 {
			t.Errorf("before a question that begins a thread: %v, %v", top, err)
		}
	})
}

func TestThreadOfAHistoryAppWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := slacktest.New(slacktest.Options{PerMinute: map[string]int{"conversations.replies": 1}})
		root := s.Say(room, "", ann, "root")
		q := s.Say(room, root.TS, ann, "q")
		r := newClient(t, s, s.Transport()).Reader()
		if _, err := r.Thread(t.Context(), question(q), 5); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			time.Sleep(time.Second)
			if _, err := r.Thread(t.Context(), question(q), 5); !pipeline.Classify(err).Throttled {
				t.Fatalf("got %v", err)
			}
		}
		if n := len(s.Calls("conversations.replies")); n != 2 || len(s.Violations()) != 0 {
			t.Errorf("%d calls, violations %q", n, s.Violations())
		}
	})
}

// watch records where the token was sent.
type watch struct {
	next http.RoundTripper
	seen []string
}

func (w *watch) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Header.Get("Authorization") != "" {
		w.seen = append(w.seen, r.URL.Host)
	}
	return w.next.RoundTrip(r)
}

func TestFilesAreOpened(t *testing.T) {
	s := slacktest.New(slacktest.Options{})
	w := &watch{next: s.Transport()}
	r := newClient(t, s, w).Reader()
	hosted := s.AddFile(slacktest.File{Name: "q3.txt", MIME: "text/plain", Data: []byte("numbers")})
	page := s.AddFile(slacktest.File{Name: "p.html", MIME: "text/html", Data: []byte("<p>")})
	hidden := s.AddFile(slacktest.File{Name: "h.txt", MIME: "text/plain", Hidden: true})
	external := s.AddFile(slacktest.File{Name: "e.txt", External: true, URL: "https://drive.example/e.txt"})
	for _, tc := range []struct {
		name string
		file chat.File
		want string
		err  pipeline.Error
	}{
		{"hosted", chat.File{ID: hosted.ID, URL: hosted.URL, MIMEType: "text/plain"}, "numbers", pipeline.Error{}},
		{"only its id is known", chat.File{ID: hosted.ID}, "numbers", pipeline.Error{}},
		{"a page is no sign-in page", chat.File{ID: page.ID, URL: page.URL, MIMEType: "text/html"}, "<p>", pipeline.Error{}},
		{"no right to it", chat.File{ID: hidden.ID, URL: hidden.URL}, "", pipeline.Error{Reason: pipeline.ReasonConfig, Permanent: true}},
		{"a page where there should be none", chat.File{ID: page.ID, URL: page.URL, MIMEType: "text/plain"}, "", pipeline.Error{Reason: pipeline.ReasonConfig, Permanent: true}},
		{"external", chat.File{ID: external.ID}, "", pipeline.Error{Reason: pipeline.ReasonChat, Permanent: true}},
		{"a foreign address", chat.File{ID: "F1", URL: "https://evil.example/files-pri/x"}, "", pipeline.Error{Reason: pipeline.ReasonChat, Permanent: true}},
		{"in the clear", chat.File{ID: "F1", URL: "http://files.slack.com/files-pri/x"}, "", pipeline.Error{Reason: pipeline.ReasonChat, Permanent: true}},
		{"a look-alike", chat.File{ID: "F1", URL: "https://files.slack.com.evil.example/x"}, "", pipeline.Error{Reason: pipeline.ReasonChat, Permanent: true}},
		{"not there", chat.File{ID: "F0NONE"}, "", pipeline.Error{Reason: pipeline.ReasonChat, Permanent: true}},
		{"gone", chat.File{ID: "F1", URL: "https://files.slack.com/files-pri/T1-F0NONE/x"}, "", pipeline.Error{Reason: pipeline.ReasonChat, Permanent: true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			body, err := r.Open(t.Context(), chat.Message{}, tc.file)
			if tc.err.Permanent {
				e := *pipeline.Classify(err)
				if e.Err = nil; err == nil || e != tc.err {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer body.Close()
			if data, err := io.ReadAll(body); string(data) != tc.want || err != nil {
				t.Errorf("read %q, %v", data, err)
			}
		})
	}
	for _, host := range w.seen {
		if host != "files.slack.com" {
			t.Errorf("the token was sent to %s", host)
		}
	}
}

// redirects answers every request by sending it elsewhere.
type redirects struct{ to string }

func (r redirects) RoundTrip(req *http.Request) (*http.Response, error) {
	if !strings.HasPrefix(req.URL.Host, "files.") {
		return nil, errors.New("followed to " + req.URL.Host)
	}
	return &http.Response{StatusCode: http.StatusFound, Header: http.Header{"Location": {r.to}}, Body: http.NoBody, Request: req}, nil
}

func TestFilesAreNotFollowedAway(t *testing.T) {
	s := slacktest.New(slacktest.Options{})
	r := newClient(t, s, redirects{"https://evil.example/x"}).Reader()
	_, err := r.Open(t.Context(), chat.Message{}, chat.File{URL: "https://files.slack.com/files-pri/T1-F1/x"})
	if err == nil || strings.Contains(err.Error(), "followed") {
		t.Errorf("got %v", err)
	}
}
