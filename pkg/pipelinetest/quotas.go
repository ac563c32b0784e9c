package pipelinetest

import (
	"math"
	"sync"
	"testing"

	"parley/pkg/pipeline"
)

// TestQuotas holds a store to the contract of pipeline.Quotas.
func TestQuotas(t *testing.T, newQuotas func(t *testing.T) pipeline.Quotas, f Features) {
	tests := []struct {
		name string
		run  func(*quotaCase)
	}{
		{"what fits is added", testQuotaFits},
		{"what does not fit adds nothing", testQuotaFull},
		{"scopes and days count apart", testQuotaApart},
		{"settling corrects either way", testQuotaSettle},
		{"concurrent reservations never pass the limit", testQuotaRace},
		{"counters hold large numbers", testQuotaLarge},
	}
	for _, test := range tests {
		f.run(t, test.name, func(t *testing.T) { test.run(&quotaCase{t, newQuotas(t)}) })
	}
}

type quotaCase struct {
	*testing.T
	quotas pipeline.Quotas
}

const day = "20261121"

// reserve asks for amount and checks the answer.
func (c *quotaCase) reserve(scope, day string, amount, limit, wantUsed int64, wantOK bool) {
	c.Helper()
	used, ok, err := c.quotas.Reserve(deadline(c.T), scope, day, amount, limit)
	if err != nil {
		c.Fatalf("Reserve(%s, %s, %d of %d): %v", scope, day, amount, limit, err)
	}
	if used != wantUsed || ok != wantOK {
		c.Errorf("Reserve(%s, %s, %d of %d) = %d, %v; want %d, %v", scope, day, amount, limit, used, ok, wantUsed, wantOK)
	}
}

func (c *quotaCase) settle(scope string, delta int64) {
	c.Helper()
	if err := c.quotas.Settle(deadline(c.T), scope, day, delta); err != nil {
		c.Fatalf("Settle(%s, %d): %v", scope, delta, err)
	}
}

func testQuotaFits(c *quotaCase) {
	c.reserve("U1", day, 40, 100, 40, true)
	c.reserve("U1", day, 60, 100, 100, true)
}

func testQuotaFull(c *quotaCase) {
	c.reserve("U1", day, 101, 100, 0, false)
	c.reserve("U1", day, 90, 100, 90, true)
	c.reserve("U1", day, 11, 100, 90, false)
	c.reserve("U1", day, 500, 100, 90, false)
	c.reserve("U1", day, 10, 100, 100, true)
	c.reserve("U1", day, 1, 50, 100, false) // the limit was lowered
	c.reserve("U1", day, 5, 200, 105, true)
}

func testQuotaApart(c *quotaCase) {
	c.reserve("U1", day, 10, 10, 10, true)
	c.reserve("U2", day, 10, 10, 10, true)
	c.reserve("U1", "20261122", 10, 10, 10, true)
	c.reserve("U1", day, 1, 10, 10, false)
}

func testQuotaSettle(c *quotaCase) {
	c.reserve("U1", day, 80, 100, 80, true)
	c.settle("U1", -50)
	c.reserve("U1", day, 70, 100, 100, true)
	c.settle("U1", 30) // what was used was used
	c.reserve("U1", day, 1, 100, 130, false)
	c.settle("U2", 7) // also where nothing was reserved
	c.reserve("U2", day, 1, 100, 8, true)
}

func testQuotaRace(c *quotaCase) {
	const asking, limit = 20, 12
	var wg sync.WaitGroup
	var mu sync.Mutex
	granted := 0
	for range asking {
		wg.Go(func() {
			_, ok, err := c.quotas.Reserve(deadline(c.T), "U1", day, 1, limit)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				c.Errorf("Reserve: %v", err)
			}
			if ok {
				granted++
			}
		})
	}
	wg.Wait()
	if granted != limit {
		c.Errorf("%d reservations were granted, want %d", granted, limit)
	}
	c.reserve("U1", day, 1, limit, limit, false)
}

func testQuotaLarge(c *quotaCase) {
	const half = math.MaxInt64 / 2
	c.reserve("U1", day, half, math.MaxInt64, half, true)
	c.reserve("U1", day, half, math.MaxInt64, 2*half, true)
	c.reserve("U1", day, 2, math.MaxInt64, 2*half, false)
}
