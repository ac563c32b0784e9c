package explore

import (
	"flag"
	"maps"
	"os"
	"runtime/debug"
	"testing"

	"parley/test/raced"
)

var (
	deviations = flag.Int("explore.deviations", 1, "run all histories with so many deviations from the default schedule, 1 or 2")
	most       = flag.Int("explore.pairs", 200, "try two deviations where one alone makes no more histories than this")
	randoms    = flag.Int("explore.random", raced.Or(300, 20), "random histories to run for each scenario")
	firstSeed  = flag.Uint64("explore.seed", 1, "seed of the first random history")
)

func TestMain(m *testing.M) {
	flag.Parse()
	debug.SetGCPercent(400) // worlds are small and soon gone
	os.Exit(m.Run())
}

// TestAllSmallHistories runs every history within the given number of deviations.
func TestAllSmallHistories(t *testing.T) {
	if raced.On {
		t.Skip("these are the same with the race detector; the random ones are a sample")
	}
	for i := range scenarios {
		s := &scenarios[i]
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			x := &explorer{T: t, s: s}
			x.visit(nil, 0, 1)
			singles := x.count
			if *deviations > 1 && singles <= *most {
				x.count = 0
				x.visit(nil, 0, 2)
			}
			t.Logf("%d histories", x.count)
		})
	}
}

// explorer goes through the histories of one scenario.
type explorer struct {
	*testing.T
	s     *scenario
	count int
}

// visit runs the history that at leads to and, deviating up to more times after
// step from, all that follow from it.
func (x *explorer) visit(at map[int]int, from, more int) {
	c := &script{at: at}
	faults := min(len(at)+more, x.s.faults)
	wrong, _ := run(x.T, x.s, c, faults)
	x.count++
	if wrong != nil {
		report(x.T, x.s, at, faults)
		return
	}
	if more == 0 {
		return
	}
	for step := from; step < len(c.options); step++ {
		for o := 1; o < c.options[step] && !x.Failed(); o++ {
			next := map[int]int{step: o}
			maps.Copy(next, at)
			x.visit(next, step+1, more-1)
		}
	}
}

// TestRandomHistories draws histories from seeds.
func TestRandomHistories(t *testing.T) {
	for i := range scenarios {
		s := &scenarios[i]
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			for seed := *firstSeed; seed < *firstSeed+uint64(*randoms); seed++ {
				d := newDice(seed, s)
				if wrong, _ := run(t, s, d, s.faults); wrong == nil {
					continue
				}
				t.Logf("seed %d; again: go test ./test/explore -run '%s' -explore.random 1 -explore.seed %d", seed, t.Name(), seed)
				report(t, s, d.taken, s.faults)
				return
			}
			t.Logf("%d histories, seeds %d to %d", *randoms, *firstSeed, *firstSeed+uint64(*randoms)-1)
		})
	}
}
