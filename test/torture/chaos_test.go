package torture

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"time"

	"parley/pkg/pipeline"
	"parley/pkg/pipelinetest"
	"parley/pkg/slack/slacktest"
	"parley/test/world"
)

// chaos decides what becomes of a process's calls. A call's fate depends on the
// seed, the life and the call, not on the order in which goroutines happen to run.
type chaos struct {
	seed uint64
	life int
	left int // deaths that may still come
}

// decide is for pipelinetest.Faults.
func (c *chaos) decide(at pipelinetest.Point) (pipelinetest.Mode, time.Duration) {
	h := fnv.New64a()
	fmt.Fprint(h, c.seed, c.life, at)
	r := rand.New(rand.NewPCG(h.Sum64(), c.seed))
	if strings.HasSuffix(at.Method, ".Receive") {
		return "", 0 // an idle poll is no event
	}
	switch n := r.IntN(1000); {
	case n < 15:
		return pipelinetest.Clean, 0
	case n < 30:
		return pipelinetest.Persisted, 0
	case n < 45:
		return "", time.Duration(r.IntN(12_000)) * time.Millisecond
	case n < 50 && c.left > 0:
		c.left--
		return []pipelinetest.Mode{pipelinetest.DieBefore, pipelinetest.DieAfter}[r.IntN(2)], 0
	}
	return "", 0
}

// story is one random history under way.
type story struct {
	*world.World
	rand    *rand.Rand
	chaos   *chaos
	process *world.Process
	events  []slacktest.Inbound // accepted, for redeliveries
	roots   []world.Question
}

// boot starts a process in chaos, or a calm one.
func (s *story) boot(calm bool) {
	faults := pipelinetest.NewFaults()
	if !calm {
		s.chaos.life++
		faults.Decide(s.chaos.decide)
	}
	s.process = s.Boot(faults)
}

// revive starts a new process where the old one has died.
func (s *story) revive() {
	select {
	case <-s.process.Faults.Died():
		s.process.Kill()
		time.Sleep(time.Duration(s.rand.IntN(5000)) * time.Millisecond)
		s.boot(false)
	default:
	}
}

// deliver sends an event until it is acknowledged, as Slack does.
func (s *story) deliver(in slacktest.Inbound) {
	for range 20 {
		s.revive()
		if s.process.Deliver(in) == 200 {
			s.events = append(s.events, in)
			return
		}
		time.Sleep(5 * time.Second)
		in = again(in).Retry(1, "http_error")
	}
	s.Fatal("an event was never acknowledged")
}

// again is the event signed anew, as a redelivery is.
func again(in slacktest.Inbound) slacktest.Inbound {
	h := slacktest.Sign(slacktest.DefaultSecret, in.Body, time.Now())
	h.Set("Content-Type", in.Header.Get("Content-Type"))
	in.Header = h
	return in
}

var people = []string{"U0ANN00001", "U0BOB00001", "U0CEM00001"}

var topics = []string{
	"hello", "my name is Ada", "demo:slow 5", "demo:flaky 1", "demo:flaky 3", "demo:throttle 1", "demo:throttle 4", "demo:cut 1",
	"demo:table", "demo:fail", "demo:deny", "tell me about rivers",
}

// ask has somebody ask something, in a new thread or an old one.
func (s *story) ask() {
	who, what := people[s.rand.IntN(len(people))], topics[s.rand.IntN(len(topics))]
	channel, root := fmt.Sprintf("C%d", s.rand.IntN(3)), ""
	if len(s.roots) > 0 && s.rand.IntN(2) == 0 {
		r := s.roots[s.rand.IntN(len(s.roots))]
		channel, root = r.Message.Channel, r.Root
	}
	q, event := s.Ask(channel, root, who, what)
	if root == "" {
		s.roots = append(s.roots, q)
	}
	s.deliver(event)
}

// act does one of the other things that happen.
func (s *story) act() {
	asked := s.Questions()
	q := asked[s.rand.IntN(len(asked))]
	switch s.rand.IntN(9) {
	case 0:
		s.deliver(again(s.events[s.rand.IntN(len(s.events))]))
	case 1:
		if q.Root != q.Message.TS { // without its root a thread takes no answers
			s.deliver(s.Slack.EventDeleted(q.Message))
		}
	case 2:
		s.deliver(s.Slack.EventChanged(q.Message, "<@"+slacktest.DefaultBotUser+"> edited "+topics[s.rand.IntN(len(topics))]))
	case 3:
		m := s.Slack.Say(q.Message.Channel, q.Root, q.Message.User, "<@"+slacktest.DefaultBotUser+"> stop")
		s.deliver(s.Slack.EventMention(m))
	case 4:
		m := s.Slack.Say(q.Message.Channel, q.Root, q.Message.User, "<@"+slacktest.DefaultBotUser+"> reset")
		s.deliver(s.Slack.EventMention(m))
	case 5, 6:
		s.press(q)
	case 7:
		s.process.Kill()
		s.boot(false)
	case 8:
		s.replay()
	}
}

// press presses a button under one of the thread's answers.
func (s *story) press(q world.Question) {
	for _, m := range s.Slack.Answers(q.Message.Channel, q.Root) {
		for _, b := range m.Buttons() {
			if strings.HasSuffix(b.ActionID, "retry") || strings.HasSuffix(b.ActionID, "regenerate") {
				s.deliver(s.Slack.EventAction(m, b, q.Message.User))
				return
			}
		}
	}
}

// replay replays a few letters, whatever else goes on.
func (s *story) replay() {
	s.Operator(func(o *pipeline.Operator) {
		letters, _, err := o.List(s.Context(), pipeline.Filter{})
		if err != nil {
			s.Fatal(err)
		}
		for _, l := range letters {
			if s.rand.IntN(2) == 0 {
				if _, err := o.Replay(s.Context(), l, 0); err != nil {
					s.Logf("replay: %v", err) // the letter stays
				}
			}
		}
	})
}
