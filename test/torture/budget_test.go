package torture

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
	"parley/pkg/pipelinetest"
	"parley/pkg/slack/slacktest"
	"parley/test/raced"
	"parley/test/world"
)

const ann = "U0ANN00001"

// budgeted is a world in which one question may cost a little over 100 tokens.
func budgeted(b pipeline.Budget) world.Options {
	return world.Options{
		Slack:  slacktest.Options{PerMinute: generous, PostBurst: 1000},
		Config: pipeline.WorkerConfig{MaxTokens: 100, Profile: pipeline.Profile{System: "Be brief.", Budget: b}},
	}
}

// counted is what stands on a person's counter today.
func counted(w *world.World, user string) (used int64) {
	w.With(func(b world.Backend) {
		scope := "user:" + chat.Conversation{Platform: chat.Slack, Tenant: slacktest.DefaultAppID, Channel: user}.Key()
		var err error
		used, _, err = b.Quotas.Reserve(w.Context(), scope, time.Now().UTC().Format("20060102"), 1, 0)
		if err != nil {
			w.Fatal(err)
		}
	})
	return used
}

// usage is what the answers to all questions cost by the model's account.
func usage(w *world.World) (sum int64) {
	for _, q := range w.Questions() {
		sum += int64(w.Fact(q, nil).Turn.Usage.Total())
	}
	return sum
}

// However many questions are asked at once, a budget is not passed; whoever is over
// it is told so, and no operator has a letter about it. What was not used is given
// back to the last token.
func TestBudgetIsNeverPassed(t *testing.T) {
	const limit = 400
	eachForm(t, budgeted(pipeline.Budget{User: limit}), func(w *world.World) {
		p := w.Boot(nil)
		var asked []world.Question
		for i := range 12 {
			q, event := w.Ask("C1", "", ann, fmt.Sprintf("question %d", i))
			p.Accept(event)
			asked = append(asked, q)
		}
		bob, event := w.Ask("C1", "", "U0BOB00001", "mine is another budget")
		p.Accept(event)
		w.Settle(time.Hour)
		w.Judge("at the end")
		w.Answered("at the end", bob)
		refused := 0
		for _, q := range asked {
			f := w.Fact(q, nil)
			if f.Case.Reason == pipeline.ReasonBudget {
				refused++
				if text := f.Visible[0]; !strings.Contains(text, "budget") || strings.Contains(text, "Retry") {
					w.Errorf("over budget the person reads %q", text)
				}
			}
		}
		if refused == 0 || refused == len(asked) {
			w.Errorf("%d of %d questions were over budget", refused, len(asked))
		}
		if n := w.Letters(); len(n) != 0 {
			w.Errorf("letters about budgets: %+v", n)
		}
		spent := usage(w) - int64(w.Fact(bob, nil).Turn.Usage.Total())
		if got := counted(w, ann); got != spent || got > limit {
			w.Errorf("counted %d of %d, and the answers cost %d", got, limit, spent)
		}
		p.Stop()
	})
}

// Wherever the process dies, the question is answered within a budget that has room
// for one question and one more, and what is left counted is between what was used
// and one estimate above it; exactly what was used, if the process died once the
// reservation was noted.
func TestBudgetSurvivesCrashes(t *testing.T) {
	const limit, estimate = 230, 115
	ask := func(w *world.World, faults *pipelinetest.Faults, noted bool) {
		p := w.Boot(faults)
		q, event := w.Ask("C1", "", ann, "hello")
		p.Accept(event)
		select {
		case <-faults.Died():
			p.Kill()
			p = w.Boot(nil)
		case <-time.After(10 * time.Minute):
		}
		w.Settle(time.Hour)
		w.Answered("after the crash", q)
		spent, got := usage(w), counted(w, ann)
		if got < spent || got > spent+estimate || noted && got != spent {
			w.Errorf("counted %d, used %d", got, spent)
		}
		p.Stop()
	}
	var points []pipelinetest.Point
	world.In(t, budgeted(pipeline.Budget{User: limit}), func(w *world.World) {
		faults := pipelinetest.NewFaults()
		ask(w, faults, true)
		points = faults.Calls()
	})
	for i, at := range points {
		if !strings.HasPrefix(at.Method, "quotas.") && !strings.HasPrefix(at.Method, "cases.") && !strings.HasPrefix(at.Method, "model.") {
			continue
		}
		if i%raced.Or(1, 5) > 0 {
			continue
		}
		for _, mode := range pipelinetest.Modes {
			t.Run(fmt.Sprintf("%s %s", mode, at), func(t *testing.T) {
				world.In(t, budgeted(pipeline.Budget{User: limit}), func(w *world.World) {
					faults := pipelinetest.NewFaults()
					faults.Plan(at, mode)
					ask(w, faults, strings.HasPrefix(at.Method, "model."))
				})
			})
		}
	}
}

// Attempts that fail cost what was sent and said, and a question deleted while it
// is answered does not keep its reservation.
func TestBudgetOfWhatCameToNothing(t *testing.T) {
	eachForm(t, budgeted(pipeline.Budget{User: 1000}), func(w *world.World) {
		p := w.Boot(nil)
		w.Model.Fail(func(pipeline.Prompt) error { return pipeline.Permanent(pipeline.ReasonModel, errors.New("down")) })
		_, event := w.Ask("C1", "", ann, "never begun")
		p.Accept(event)
		w.Settle(time.Hour)
		if got := counted(w, ann); got != 0 {
			w.Errorf("a call that was refused counts %d", got)
		}
		w.Model.Fail(nil)
		q, event := w.Ask("C1", "", ann, "demo:slow 60")
		p.Accept(event)
		time.Sleep(10 * time.Second)
		if got := counted(w, ann); got < 100 {
			w.Errorf("while it is answered %d are counted", got)
		}
		p.Accept(w.Slack.EventDeleted(q.Message))
		w.Settle(time.Hour)
		if got := counted(w, ann); got <= 0 || got >= 100 {
			w.Errorf("after it was deleted %d are counted", got)
		}
		p.Stop()
	})
}

// A question deleted after its process died, and before it was tried again, does not
// keep its reservation either. On AWS there is a minute for that.
func TestBudgetOfTheDead(t *testing.T) {
	o := budgeted(pipeline.Budget{User: 1000})
	o.Form = world.AWS
	world.In(t, o, func(w *world.World) {
		faults := pipelinetest.NewFaults()
		faults.Plan(pipelinetest.Point{Method: "model.delta", N: 1}, pipelinetest.DieBefore)
		p := w.Boot(faults)
		q, event := w.Ask("C1", "", ann, "hello")
		p.Accept(event)
		time.Sleep(10 * time.Second)
		if got := counted(w, ann); got < 100 {
			w.Errorf("after the crash %d are counted", got)
		}
		p.Accept(w.Slack.EventDeleted(q.Message))
		w.Settle(time.Hour)
		if got := counted(w, ann); got != 0 {
			w.Errorf("after it was deleted %d are counted", got)
		}
		p.Stop()
	})
}

// From 80 % on a line under the answer says so, which is not part of the answer.
func TestBudgetWarns(t *testing.T) {
	const limit = 300
	o := budgeted(pipeline.Budget{Channel: limit})
	o.Config.MaxTokens = 10
	eachForm(t, o, func(w *world.World) {
		p := w.Boot(nil)
		warned := 0
		for i := range 40 {
			q, event := w.Ask("C1", "", ann, fmt.Sprintf("question %d", i))
			p.Accept(event)
			w.Settle(time.Hour)
			f := w.Fact(q, nil)
			if f.Case.State != pipeline.CaseAnswered {
				break
			}
			line, percent := "", usage(w)*100/limit
			if percent >= 80 {
				line = fmt.Sprintf("This channel has used %d%% of its budget for today.", percent)
				warned++
			}
			if text := f.Visible[0]; !strings.Contains(text, line) || line == "" && strings.Contains(text, "budget") {
				w.Errorf("at %d%% the answer reads %q", percent, text)
			}
			if strings.Contains(f.Turn.Answer, "budget") {
				w.Errorf("the line is remembered as part of the answer: %q", f.Turn.Answer)
			}
		}
		if warned == 0 {
			w.Error("nobody was warned")
		}
		w.Judge("at the end")
		p.Stop()
	})
}

// People can ask what they have used, in their language.
func TestUsageIsTold(t *testing.T) {
	eachForm(t, budgeted(pipeline.Budget{User: 2000}), func(w *world.World) {
		p := w.Boot(nil)
		_, event := w.Ask("C1", "", ann, "hello")
		p.Accept(event)
		w.Settle(time.Hour)
		used := counted(w, ann)
		for word, want := range map[string]string{
			"usage": fmt.Sprintf("you: %d of 2,000 (%d%%)", used, used*100/2000),
			"用量":    fmt.Sprintf("您：%d / 2,000（%d%%）", used, used*100/2000),
		} {
			m := w.Slack.Say("C1", "", ann, "<@"+slacktest.DefaultBotUser+"> "+word)
			p.Accept(w.Slack.EventMention(m))
			w.Settle(time.Hour)
			said := w.Slack.Answers("C1", m.TS)
			if used == 0 || len(said) != 1 || !strings.Contains(said[0].Text(), want) {
				w.Errorf("%s: %d answers, %+v; want %q", word, len(said), said, want)
			}
		}
		p.Accept(w.Slack.EventSlash("/parley", "usage", "C1", ann))
		w.Settle(time.Hour)
		if said := w.Slack.Ephemeral("C1", ann); len(said) != 1 || !strings.Contains(said[0].Text(), "of 2,000") {
			w.Errorf("/parley usage: %+v", said)
		}
		p.Stop()
	})
}

// meter keeps what was measured.
type meter struct {
	mu  sync.Mutex
	sum map[string]float64
}

func (m *meter) Measure(name string, value float64, _ ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sum[name] += value
}

// With a price table budgets may be money, and the estimate of cost is measured.
func TestBudgetInMoney(t *testing.T) {
	cents := func(_ string, u chat.Usage) (float64, bool) { return float64(u.Input+5*u.Output) / 1e4, true }
	m := &meter{sum: map[string]float64{}}
	o := budgeted(pipeline.Budget{User: 100_000, Money: true}) // ten cents: two questions at most
	o.Price, o.Metrics = cents, m
	world.In(t, o, func(w *world.World) {
		p := w.Boot(nil)
		for i := range 6 {
			_, event := w.Ask("C1", "", ann, fmt.Sprintf("question %d", i))
			p.Accept(event)
			w.Settle(time.Hour)
		}
		w.Judge("at the end")
		sum := 0.0
		refused := 0
		for _, q := range w.Questions() {
			f := w.Fact(q, nil)
			cost, _ := cents("", f.Turn.Usage)
			sum += cost
			if f.Case.Reason == pipeline.ReasonBudget {
				refused++
			}
		}
		if got := float64(counted(w, ann)) / 1e6; got < sum || got > sum+1e-5*6 || refused == 0 || refused == 6 {
			w.Errorf("counted %.4f, cost %.4f, refused %d", got, sum, refused)
		}
		if got := m.sum[pipeline.MetricCost]; got < sum-1e-9 || got > sum+1e-9 {
			w.Errorf("measured %.4f, cost %.4f", got, sum)
		}
		p.Stop()
	})
}
