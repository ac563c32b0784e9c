package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/pkg/pipeline"
	"parley/pkg/slack/slacktest"
	"parley/test/raced"
)

// setting is a number that the environment may override.
func setting(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	v := os.Getenv(name)
	if v == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(v, 10, 64)
	if err != nil {
		t.Fatalf("%s must be a number", name)
	}
	return n
}

// chaos is a site whose program is killed at random moments.
type chaos struct {
	*site
	rng   *rand.Rand
	mu    sync.Mutex // guards rng, which the network uses too
	asked []*question
}

// question is one that was asked of a program that may have been killed.
type question struct {
	m        slacktest.Message
	place    int // of its answer among those of its thread
	accepted bool
	kills    int // that it may have been under way at
}

// The program, killed with SIGKILL at random moments and started again, answers
// each question exactly once and whole; no stream stays open, no rule of Slack's
// is broken, and what was answered 200 is answered. E2E_KILLS is how often it is
// killed, E2E_SEED makes the moments those of another run.
func TestKillRealBinary(t *testing.T) {
	t.Parallel()
	const sites = 3
	kills := int(setting(t, "E2E_KILLS", raced.Or[uint64](15, 3)))
	seed := setting(t, "E2E_SEED", rand.Uint64())
	t.Logf("E2E_KILLS=%d E2E_SEED=%d", kills, seed)
	for i := range sites {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			c := &chaos{rng: rand.New(rand.NewPCG(seed, uint64(i)))}
			c.site = newSite(t, func() time.Duration { return c.upTo(25 * time.Millisecond) })
			for n := i; n < kills; n += sites {
				c.round()
			}
			c.finish()
		})
	}
}

// upTo is a random duration.
func (c *chaos) upTo(d time.Duration) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Duration(c.rng.Int64N(int64(d)))
}

// round starts the program, asks two questions, one in a thread of its own and one
// in that of an earlier one, and kills the program some time later: often right
// after an event was acknowledged, else while it answers.
func (c *chaos) round() {
	p := c.start()
	c.redeliver(p)
	c.ask(p, "")
	if n := len(c.asked); n > 1 {
		c.ask(p, c.asked[int(c.upTo(time.Duration(n)))].root())
	}
	if c.upTo(4) > 0 {
		<-time.After(c.upTo(900 * time.Millisecond))
	}
	c.patience()
	p.kill()
	for _, q := range c.asked {
		if !c.answered(q) {
			q.kills++
		}
	}
}

func (q *question) root() string {
	if q.m.ThreadTS != "" {
		return q.m.ThreadTS
	}
	return q.m.TS
}

// ask asks a question in a thread; "" begins one.
func (c *chaos) ask(p *program, thread string) {
	m, event := c.mention("C1", thread, fmt.Sprintf("tell me about river %d", len(c.asked)))
	q := &question{m: m}
	for _, other := range c.asked {
		if other.root() == q.root() {
			q.place++
		}
	}
	q.accepted = p.deliver(event)
	c.asked = append(c.asked, q)
}

// redeliver sends what was not acknowledged again, as Slack does.
func (c *chaos) redeliver(p *program) {
	for _, q := range c.asked {
		if !q.accepted {
			q.accepted = p.deliver(c.slack.EventMention(q.m).Retry(1, "http_error"))
		}
	}
}

// patience waits for what was killed twice already: three crashes in a row are the
// end of a question, and that is another test's business.
func (c *chaos) patience() {
	c.eventually(30*time.Second, "answered what was killed twice", func() bool {
		for _, q := range c.asked {
			if q.accepted && q.kills >= pipeline.DefaultPolicy().Crashes-1 && !c.answered(q) {
				return false
			}
		}
		return true
	})
}

// answered reports whether the whole answer to q is shown in its place.
func (c *chaos) answered(q *question) bool {
	stored := c.answer(q.m)
	texts := c.slack.Answers("C1", q.root())
	return stored != "" && len(texts) > q.place && !texts[q.place].Open && texts[q.place].Text() == stored
}

// finish lets the program run to the end, and looks at everything.
func (c *chaos) finish() {
	p := c.start()
	c.redeliver(p)
	c.eventually(time.Minute, "all answered", func() bool {
		for _, q := range c.asked {
			if !c.answered(q) {
				return false
			}
		}
		return c.quiet()
	})
	c.inspect()
	if took, err := p.terminate(); err != nil || took > 5*time.Second {
		c.t.Errorf("the program ended after %v: %v", took, err)
	}
}

// inspect checks that people see one answer to each question and nothing else, and
// that Slack has no reason to complain.
func (c *chaos) inspect() {
	answers := map[string]int{}
	for _, q := range c.asked {
		answers[q.root()]++
	}
	for root, n := range answers {
		if shown := c.slack.Answers("C1", root); len(shown) != n {
			c.t.Errorf("a thread of %d questions shows %d answers", n, len(shown))
		}
	}
	c.conduct()
	if letters := c.letters(); len(letters) > 0 {
		c.t.Errorf("dead letters: %+v", letters)
	}
}

// conduct checks that no stream is open.
func (s *site) conduct() {
	if open := s.slack.OpenStreams(); len(open) > 0 {
		s.t.Errorf("%d streams were left open", len(open))
	}
}

// eventually waits in real time.
func (s *site) eventually(limit time.Duration, what string, ok func() bool) {
	s.t.Helper()
	end := time.After(limit)
	for !ok() {
		select {
		case <-end:
			s.t.Fatalf("after %v: not %s", limit, what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// SIGTERM in the middle of an answer ends the program within five seconds, and the
// next one completes the answer, once.
func TestTerminateRealBinary(t *testing.T) {
	t.Parallel()
	s := newSite(t, func() time.Duration { return 5 * time.Millisecond })
	p := s.start()
	q, event := s.mention("C1", "", "count for me demo:slow 6")
	if !p.deliver(event) {
		t.Fatal("the event was not acknowledged")
	}
	s.eventually(20*time.Second, "streaming", func() bool {
		shown := s.slack.Answers("C1", q.TS)
		return len(shown) == 1 && strings.Contains(shown[0].Text(), "word2")
	})
	took, err := p.terminate()
	if err != nil || took > 5*time.Second {
		t.Errorf("the program ended after %v: %v", took, err)
	}
	p = s.start()
	s.eventually(40*time.Second, "answered", func() bool {
		shown := s.slack.Answers("C1", q.TS)
		return s.quiet() && len(shown) == 1 && !shown[0].Open && s.answer(q) != "" && shown[0].Text() == s.answer(q)
	})
	s.conduct()
	if n := len(s.slack.Calls("chat.postMessage", "chat.startStream")); n != 1 {
		t.Errorf("%d messages were begun", n)
	}
	if _, err := p.terminate(); err != nil {
		t.Error(err)
	}
}
