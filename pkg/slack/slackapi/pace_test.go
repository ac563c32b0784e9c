package slackapi_test

import (
	"fmt"
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
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, slacktest.Options{})
		text := story(80)
		var all sync.WaitGroup
		worlds := make([]*world, 40)
		j := &lockedJournal{until: map[string]time.Time{}}
		for i := range worlds {
			channel := fmt.Sprintf("C0ROOM%04d", i%8)
			o := w.another(w.s.Say(channel, "", ann, "busy?"))
			worlds[i] = o
			all.Go(func() { runAnswer(t, o, j, text) })
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
		if starts := len(w.s.Calls("chat.startStream")); starts < 10 || starts > 15 {
			t.Errorf("%d streams were begun in a minute, want up to 15", starts)
		}
	})
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
	journal
	mu    sync.Mutex
	until map[string]time.Time
}

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

func TestThrottledCallsAreNotMadeEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, method := range []string{"chat.postMessage", "chat.update", "chat.stopStream", "chat.appendStream", "chat.delete", "conversations.replies"} {
			w := newWorld(t, slacktest.Options{})
			w.s.Inject(method, 1, slacktest.RateLimited(20*time.Second))
			text := story(40)
			w.show(chat.Partial, text[:300])
			if method == "conversations.replies" {
				w.s.Inject("chat.startStream", 1, slacktest.CutAfter())
			}
			began := time.Now()
			for n := 300; n < 700; n += 100 {
				time.Sleep(time.Second)
				w.show(chat.Partial, text[:n])
			}
			switch method {
			case "chat.update", "chat.postMessage", "chat.delete", "conversations.replies":
				w.show(chat.Final, text)
				w.fence++
				w.show(chat.Final, "Instead of it.")
				w.fence++
			}
			w.show(chat.Final, text)
			if method == "chat.delete" {
				w.fence++
				w.show(chat.Withdrawn, "")
				if n := len(w.answers()); n != 0 {
					t.Errorf("%d messages are left", n)
				}
				w.wantRules()
				continue
			}
			w.wantOne(text)
			if method == "chat.stopStream" && time.Since(began) < 20*time.Second {
				t.Errorf("%s: done after %v", method, time.Since(began))
			}
		}
	})
}
