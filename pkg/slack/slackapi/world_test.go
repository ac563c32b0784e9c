package slackapi_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
	"parley/pkg/slack/slackapi"
	"parley/pkg/slack/slacktest"
)

// world is a workspace, a process that posts in it, and a question.
type world struct {
	*testing.T
	s      *slacktest.Server
	client *slackapi.Client
	poster pipeline.Poster
	ask    chat.Reply
	j      *journal
	at     pipeline.Placement
	seq    int
	fence  int64
}

func newWorld(t *testing.T, opt slacktest.Options) *world {
	s := slacktest.New(opt)
	w := &world{T: t, s: s, fence: 1}
	w.client = newClient(t, s, s.Transport())
	w.poster = w.client.Poster()
	w.j = &journal{owners: map[string]string{}, until: map[string]time.Time{}}
	w.ask = asked(s.Say(room, "", ann, "what is new?"))
	return w
}

// another is a second question in the same workspace, asked of the same process.
func (w *world) another(m slacktest.Message) *world {
	o := *w
	o.ask, o.at, o.seq = asked(m), pipeline.Placement{}, 0
	o.j = &journal{owners: w.j.owners, until: w.j.until}
	return &o
}

func (w *world) thread() string { return w.ask.Conversation.Thread }

func (w *world) reply(kind chat.ReplyKind, text string) chat.Reply {
	w.seq++
	r := w.ask
	r.Kind, r.Markdown, r.Seq, r.Fence = kind, text, w.seq, w.fence
	return r
}

// post posts r once, as a responder does.
func (w *world) post(r chat.Reply, redelivered bool) error {
	at, err := w.poster.Post(w.Context(), pipeline.PostRequest{Reply: r, At: w.at, Redelivered: redelivered}, w.j)
	w.at = at
	for _, p := range at.Posts {
		w.j.owners[p.ID] = r.MessageID
	}
	return err
}

// show posts a snapshot; what is not terminal may fail.
func (w *world) show(kind chat.ReplyKind, text string) {
	w.Helper()
	if kind.Terminal() {
		w.settle(w.reply(kind, text))
		return
	}
	if err := w.post(w.reply(kind, text), false); err != nil {
		w.Logf("%s was dropped: %v", kind, err)
	}
}

// settle posts a terminal snapshot until it is shown.
func (w *world) settle(r chat.Reply) {
	w.Helper()
	for n := range 20 {
		err := w.post(r, n > 0)
		if err == nil {
			return
		}
		e := pipeline.Classify(err)
		if e.Permanent {
			w.Fatalf("%s: %v", r.Kind, err)
		}
		time.Sleep(max(e.After, time.Second))
	}
	w.Fatalf("%s is never shown", r.Kind)
}

// answers are the app's messages in the thread.
func (w *world) answers() []slacktest.Message { return w.s.Answers(room, w.thread()) }

// wantOne fails unless the thread holds one answer, closed, that reads text.
func (w *world) wantOne(text string) {
	w.Helper()
	got := w.answers()
	if len(got) != 1 || got[0].Open || !strings.HasPrefix(got[0].Text(), text) {
		w.Errorf("the thread shows %d messages, want one of %q:", len(got), text)
		for _, m := range got {
			w.Logf("open=%v %q", m.Open, m.Text())
		}
	}
	w.wantRules()
}

// wantRules fails if a rule of Slack's was broken or something is left open.
func (w *world) wantRules() {
	w.Helper()
	if v := w.s.Violations(); len(v) > 0 {
		w.Errorf("violations: %q", v)
	}
	for _, m := range w.s.Unfinished() {
		w.Errorf("a message shows work as going on: %+v", m.Tasks)
	}
	if open := w.s.OpenStreams(); len(open) > 0 {
		w.Errorf("%d streams are open", len(open))
	}
	for _, m := range w.s.Messages(room) {
		if m.BotID == slacktest.DefaultBotID && (len(m.Pings()) > 0 || m.Unfurls && !m.Streamed) {
			w.Errorf("message %q pings %q, unfurls %v", m.Text(), m.Pings(), m.Unfurls)
		}
	}
}

// journal is a delivery record in memory.
type journal struct {
	saved  []pipeline.Placement
	owners map[string]string
	until  map[string]time.Time
	fail   error
	claims map[string]bool // posts that a checkpoint is refused for
}

func (j *journal) Checkpoint(_ context.Context, at pipeline.Placement) error {
	if j.fail != nil {
		return j.fail
	}
	for _, p := range at.Posts {
		if j.claims[p.ID] {
			return pipeline.Transient(pipeline.ReasonStore, errors.Join(errors.New("record delivery"), pipeline.ErrClaimed))
		}
	}
	j.saved = append(j.saved, at)
	return nil
}

func (j *journal) Owner(_ context.Context, id string) (string, error) { return j.owners[id], nil }
func (j *journal) NotBefore(method string) time.Time                  { return j.until[method] }
func (j *journal) Throttle(method string, until time.Time)            { j.until[method] = until }
