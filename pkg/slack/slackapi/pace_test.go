package slackapi_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
	"parley/pkg/slack/slacktest"
)

// Forty questions at once in one workspace, each answered with a partial a
// second: nobody is refused twice, nothing is called too early, all are answered.
func TestBusyWorkspaceStaysWithinItsLimits(t *testing.T) {
	for _, opt := range []slacktest.Options{{}, {NoStreams: true}} {
		synctest.Test(t, func(t *testing.T) { busyWorkspace(t, opt) })
	}
}

func busyWorkspace(t *testing.T, opt slacktest.Options) {
	w := newWorld(t, opt)
	text := story(80)
	var all sync.WaitGroup
	worlds := make([]*world, 40)
	j := &lockedJournal{until: map[string]time.Time{}}
	for i := range worlds {
		o := w.another(w.s.Say(fmt.Sprintf("C0ROOM%04d", i%8), "", ann, "busy?"))
		worlds[i] = o
		all.Go(func() { runAnswer(t, o, j, text) })
	}
	time.Sleep(18 * time.Second) // all are being written
	atMost := func(method string, least, most int) {
		t.Helper()
		if n := len(w.s.Calls(method)); n < least || n > most {
			t.Errorf("%d calls of %s in 18 s, want %d to %d", n, method, least, most)
		}
	}
	if opt.NoStreams {
		atMost("chat.update", 10, 14)
	} else {
		atMost("chat.startStream", 15, 15)
		atMost("chat.appendStream", 30, 38)
	}
	all.Wait()
	for _, o := range worlds {
		got := o.s.Answers(o.ask.Conversation.Channel, o.thread())
		if len(got) != 1 || got[0].Open || got[0].Text()[:len(text)] != text {
			t.Errorf("an answer is shown in %d messages", len(got))
		}
	}
	if v := w.s.Violations(); len(v) != 0 {
		t.Errorf("%d violations, such as %q", len(v), v[0])
	}
}

func runAnswer(t *testing.T, o *world, j pipeline.Journal, text string) {
	post := func(r chat.Reply, again bool) error {
		at, err := o.poster.Post(t.Context(), pipeline.PostRequest{Reply: r, At: o.at, Redelivered: again}, j)
		o.at = at
		return err
	}
	_ = post(o.reply(chat.Working, ""), false)
	for n := 1; n < 20; n++ {
		_ = post(o.reply(chat.Partial, text[:len(text)*n/20]), false)
		time.Sleep(time.Second)
	}
	r := o.reply(chat.Final, text)
	for n := range 60 {
		err := post(r, n > 0)
		if err == nil {
			return
		}
		e := pipeline.Classify(err)
		if e.Permanent {
			t.Error(err)
			return
		}
		time.Sleep(max(e.After, time.Second))
	}
	t.Error("an answer was never shown")
}

// lockedJournal is the paces that the answers of one process share.
type lockedJournal struct {
	mu    sync.Mutex
	until map[string]time.Time
}

func (*lockedJournal) Checkpoint(context.Context, pipeline.Placement) error { return nil }
func (*lockedJournal) Owner(context.Context, string) (string, error)        { return "", nil }

func (j *lockedJournal) NotBefore(m string) time.Time {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.until[m]
}

func (j *lockedJournal) Throttle(m string, until time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if until.After(j.until[m]) {
		j.until[m] = until
	}
}

// A refusal is remembered, for other answers too: before its time has come the
// method is not called at all.
func TestThrottledCallsAreNotMadeEarly(t *testing.T) {
	for method, lead := range map[string]func(w *world){
		"chat.postMessage": func(*world) {},
		"chat.update":      func(w *world) { w.show(chat.Notice, "Before."); w.fence++ },
		"chat.stopStream":  func(w *world) { w.show(chat.Partial, story(40)[:300]) },
		"chat.delete":      func(w *world) { w.show(chat.Notice, strings.Repeat("Long. ", 3000)); w.fence++ },
		"conversations.replies": func(w *world) {
			w.s.Inject("chat.postMessage", 1, slacktest.CutAfter())
			_ = w.post(w.reply(chat.Final, "Lost."), false)
			time.Sleep(15 * time.Second)
		},
	} {
		t.Run(method, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, slacktest.Options{})
				lead(w)
				w.s.Inject(method, 1, slacktest.RateLimited(20*time.Second))
				r := w.reply(chat.Final, story(40))
				for n := range 3 {
					err := w.post(r, n > 0)
					e := pipeline.Classify(err)
					if want := time.Duration(20-n) * time.Second; !e.Throttled || e.After != want {
						t.Fatalf("attempt %d: got %v after %v, want a wait of %v", n, err, e.After, want)
					}
					time.Sleep(time.Second)
				}
				calls := len(w.s.Calls(method))
				w.settle(r)
				if n := len(w.s.Calls(method)); n <= calls {
					t.Errorf("%s was called %d times, then %d", method, calls, n)
				}
				w.wantOne(story(40))
			})
		})
	}
}

func TestThrottledPartialIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, slacktest.Options{})
		text := story(40)
		w.show(chat.Partial, text[:100])
		w.s.Inject("chat.appendStream", 1, slacktest.RateLimited(20*time.Second))
		for n := 200; n < 900; n += 100 {
			time.Sleep(2 * time.Second)
			w.show(chat.Partial, text[:n])
		}
		if n := len(w.s.Calls("chat.appendStream")); n != 1 {
			t.Errorf("%d appends, want the one that was refused", n)
		}
		time.Sleep(20 * time.Second)
		w.show(chat.Partial, text[:900])
		if got := w.answers()[0].Text(); len(got) < 800 {
			t.Errorf("the next append did not catch up: %d of 900", len(got))
		}
		w.show(chat.Final, text)
		w.wantOne(text)
	})
}
