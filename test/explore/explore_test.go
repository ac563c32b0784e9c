package explore

import (
	"flag"
	"math/rand/v2"
	"testing"
)

var (
	deviations = flag.Int("explore.deviations", 1, "run all histories with so many deviations from the default schedule")
	randoms    = flag.Int("explore.random", 300, "random histories to run for each scenario")
	firstSeed  = flag.Uint64("explore.seed", 1, "seed of the first random history")
)

// TestAllSmallHistories runs every history within the given number of deviations.
func TestAllSmallHistories(t *testing.T) {
	for i := range scenarios {
		s := &scenarios[i]
		t.Run(s.name, func(t *testing.T) {
			count := 0
			// Deviations are tried at every step of the history they lead to.
			var visit func(at map[int]int, from, used int)
			visit = func(at map[int]int, from, used int) {
				c := &script{at: at}
				wrong, _ := run(t, s, c, min(*deviations, s.faults))
				count++
				if wrong != nil {
					report(t, s, at, min(*deviations, s.faults), wrong)
					return
				}
				if used == *deviations {
					return
				}
				for step := from; step < len(c.options); step++ {
					for o := 1; o < c.options[step] && !t.Failed(); o++ {
						next := map[int]int{step: o}
						for k, v := range at {
							next[k] = v
						}
						visit(next, step+1, used+1)
					}
				}
			}
			visit(nil, 0, 0)
			t.Logf("%d histories", count)
		})
	}
}

// TestRandomHistories draws histories from seeds.
func TestRandomHistories(t *testing.T) {
	for i := range scenarios {
		s := &scenarios[i]
		t.Run(s.name, func(t *testing.T) {
			for seed := *firstSeed; seed < *firstSeed+uint64(*randoms); seed++ {
				d := &dice{rand: rand.New(rand.NewPCG(seed, uint64(i))), taken: map[int]int{}}
				wrong, _ := run(t, s, d, s.faults)
				if wrong == nil {
					continue
				}
				t.Logf("seed %d", seed)
				report(t, s, shrink(t, s, d.taken), s.faults, wrong)
				return
			}
		})
	}
}
