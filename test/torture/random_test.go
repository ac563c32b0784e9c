package torture

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"parley/pkg/demo"
	"parley/pkg/pipeline"
	"parley/pkg/slack/slacktest"
	"parley/test/raced"
	"parley/test/world"
)

var (
	histories = flag.Int("torture.random", raced.Or(10, 3), "random histories to play in each form")
	firstSeed = flag.Uint64("torture.seed", 1, "seed of the first random history")
)

// Random histories: people ask, edit, delete, stop, press and ask again while calls
// fail, last, take effect unseen, and processes die; then all is well, letters are
// replayed, and everybody has one answer.
func TestRandomHistories(t *testing.T) {
	for _, form := range world.Forms {
		for seed := *firstSeed; seed < *firstSeed+uint64(*histories); seed++ {
			t.Run(fmt.Sprintf("%s/seed %d", form, seed), func(t *testing.T) { play(t, form, seed) })
			if t.Failed() {
				t.Fatalf("again: go test ./test/torture -run 'TestRandomHistories/%s' -torture.random 1 -torture.seed %d", form, seed)
			}
		}
	}
}

func play(t *testing.T, form world.Form, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	o := world.Options{
		Form: form, Workers: 2 + r.IntN(8), Forgetful: true,
		Slack:  slacktest.Options{NoStreams: r.IntN(4) == 0, PlainApp: r.IntN(4) == 0},
		Config: pipeline.WorkerConfig{Seats: pipeline.Seats{User: r.IntN(3)}, Profile: pipeline.Profile{Budget: pipeline.Budget{User: int64(r.IntN(2)) * 1_000_000}}},
	}
	world.In(t, o, func(w *world.World) {
		cure := &demo.Model{Pace: 20 * time.Millisecond}
		w.Model.Use(cure)
		s := &story{World: w, rand: r, chaos: &chaos{seed: seed, left: 6}}
		s.boot(false)
		for range 3 + r.IntN(15) {
			s.unkind()
			if len(w.Questions()) == 0 || r.IntN(2) == 0 {
				s.ask()
			} else {
				s.act()
			}
			time.Sleep(time.Duration(r.IntN(8000)) * time.Millisecond)
			s.revive()
		}
		for range 60 { // it goes on a while
			time.Sleep(10 * time.Second)
			s.revive()
		}
		s.process.Stop()
		s.boot(true)
		w.Settle(3 * time.Hour)
		w.Judge("when all was well again")
		cure.Cure()
		w.ReplayAll()
		w.Settle(3 * time.Hour)
		w.Judge("after the replay")
		for _, q := range w.Questions() {
			if f := w.Fact(q, nil); f.Case.State == pipeline.CaseDead {
				w.Errorf("after the replay %s is %s %s: %s", q.ID, f.Case.State, f.Case.Reason, strings.Join(f.Visible, "|"))
			}
		}
		calls := w.Model.Calls("")
		w.ReplayAll()
		w.Settle(time.Hour)
		if w.Model.Calls("") != calls {
			w.Error("a second replay asked the model again")
		}
		s.process.Stop()
	})
}

// unkind makes one of Slack's next calls go wrong. A call takes effect at most two
// seconds after its caller gave up on it: that is how long posters wait before they
// look whether it did.
func (s *story) unkind() {
	faults := []slacktest.Fault{
		slacktest.CutBefore(), slacktest.CutAfter(), slacktest.FailBefore(), slacktest.FailAfter(),
		slacktest.RateLimited(time.Duration(1+s.rand.IntN(30)) * time.Second), slacktest.Late(time.Duration(s.rand.IntN(2000)) * time.Millisecond),
		slacktest.Undecodable(),
	}
	s.Slack.Inject("*", 1+s.rand.IntN(12), faults[s.rand.IntN(len(faults))])
}
