package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"parley/pkg/demo"
	"parley/pkg/pipeline"
	"parley/pkg/slack/slacktest"
)

const brokeEachTime = "something broke each time"

// supervisor starts the process anew whenever it dies, as systemd does.
type supervisor struct {
	w     *world
	lives chan *process // the one that is alive
	stop  chan struct{}
	done  chan struct{}
}

// supervise keeps a process running until end. pause is what a restart takes.
func (w *world) supervise(pause time.Duration) *supervisor {
	s := &supervisor{w: w, lives: make(chan *process, 1), stop: make(chan struct{}), done: make(chan struct{})}
	s.lives <- w.boot(nil)
	go func() {
		defer close(s.done)
		for {
			p := <-s.lives
			s.lives <- p
			select {
			case <-s.stop:
				p.stop()
				return
			case <-p.faults.Died():
			}
			<-s.lives
			p.kill()
			time.Sleep(pause)
			s.lives <- w.boot(nil)
		}
	}()
	return s
}

// end stops the process that is alive.
func (s *supervisor) end() {
	close(s.stop)
	<-s.done
}

// crash kills the process that is alive.
func (s *supervisor) crash() {
	p := <-s.lives
	p.faults.Kill()
	s.lives <- p
}

// accept delivers an event until it is acknowledged, as Slack does.
func (s *supervisor) accept(in slacktest.Inbound) {
	for {
		p := <-s.lives
		status := p.deliver(in)
		s.lives <- p
		if status == http.StatusOK {
			return
		}
		time.Sleep(time.Second)
	}
}

// crashing is a world whose model kills the process on demo:crash until it is cured.
func crashing(t *testing.T, test func(w *world, s *supervisor, model *demo.Model)) {
	t.Parallel()
	model := &demo.Model{Pace: 20 * time.Millisecond}
	inWorld(t, worldOptions{model: model}, func(w *world) {
		s := w.supervise(5 * time.Second)
		model.Crash = s.crash
		test(w, s, model)
		s.end()
	})
}

// A question that kills the process whenever it is tried ends in an apology. The
// next question of its thread and those of other conversations are answered,
// though they were under way each time the process died.
func TestCrashLoopEndsInAnApology(t *testing.T) {
	crashing(t, func(w *world, s *supervisor, _ *demo.Model) {
		bystander, event := w.mentionBy(bob, "C2", "", "tell me about hills demo:slow 20")
		s.accept(event)
		time.Sleep(2 * time.Second)
		deadly, event := w.mention("C1", "", "demo:crash")
		s.accept(event)
		next, event := w.mention("C1", deadly.TS, "and rivers?")
		s.accept(event)
		other, event := w.mentionBy(bob, "C1", "", "what about lakes?")
		s.accept(event)

		asked := time.Now()
		texts := w.settled(4*time.Minute, "C1", deadly.TS, 2)
		t.Logf("the thread was settled after %v", time.Since(asked))
		if !strings.Contains(texts[0], brokeEachTime) {
			t.Errorf("no apology: %q", texts[0])
		}
		if stored := w.answer(next); stored == "" || !strings.Contains(texts[1], stored) {
			t.Errorf("the next question shows %q, stored %q", texts[1], stored)
		}
		for _, q := range []slacktest.Message{bystander, other} {
			texts := w.settled(time.Minute, q.Channel, q.TS, 1)
			if stored := w.answer(q); stored == "" || !strings.Contains(texts[0], stored) {
				t.Errorf("%q shows %q, stored %q", q.Fallback, texts[0], stored)
			}
		}
		letters := w.letters()
		if len(letters) != 1 || letters[0].Reason != string(pipeline.ReasonCrash) || letters[0].MessageID != messageID(deadly) || !letters[0].Told {
			t.Errorf("dead letters: %+v", letters)
		}
		if n := len(w.callsFor(deadly)); n > pipeline.DefaultPolicy().Crashes {
			t.Errorf("the deadly question was tried %d times", n)
		}
	})
}

// A replay after the cure turns the apology into the answer, in the same message,
// however soon after the burial it comes.
func TestReplayTurnsTheApologyIntoTheAnswer(t *testing.T) {
	t.Parallel()
	for name, wait := range map[string]time.Duration{"after 3 s": 3 * time.Second, "after an hour": time.Hour} {
		t.Run(name, func(t *testing.T) {
			crashing(t, func(w *world, s *supervisor, model *demo.Model) {
				q, event := w.mention("C1", "", "demo:crash")
				s.accept(event)
				w.settled(4*time.Minute, "C1", q.TS, 1)
				apology := w.slack.Answers("C1", q.TS)[0]
				model.Cure()
				time.Sleep(wait)
				for range 2 { // also when an operator does it twice
					for _, l := range w.letters() {
						w.replay(l)
					}
				}
				texts := w.settled(time.Minute, "C1", q.TS, 1)
				shown := w.slack.Answers("C1", q.TS)[0]
				if stored := w.answer(q); stored == "" || !strings.Contains(texts[0], stored) || strings.Contains(texts[0], brokeEachTime) {
					t.Errorf("shown %q, stored %q", texts[0], stored)
				}
				if shown.TS != apology.TS {
					t.Error("the answer is another message than the apology")
				}
				if left := w.letters(); len(left) > 0 {
					t.Errorf("%d letters are left", len(left))
				}
			})
		})
	}
}
