package pipelinetest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

// TestCases holds a store to the contract of pipeline.Cases.
func TestCases(t *testing.T, newStores func(t *testing.T) StoresUnderTest, f Features) {
	runStore(t, newStores, f, []storeTest{
		{"a case that is not there", testCaseNone},
		{"a case is read as it was written", testCaseRoundTrip},
		{"a swap needs the revision before", testCaseConflict},
		{"of racing swaps one wins", testCaseRace},
		{"a case's turn is written with it", testCasePut},
		{"a case's turn is dropped with it", testCaseDrop},
		{"one swap moves a turn", testCaseMoveTurn},
		{"a refused swap has no effects", testCaseRefused},
		{"a later stop marker refuses the swap", testCaseStopped},
		{"each write renews a case's life", testCaseRenewed},
	})
}

const messageID = "slack:A012:C345:1712345678.000200"

func (c *storeCase) fullCase() pipeline.Case {
	return pipeline.Case{
		MessageID: messageID, Rev: 1, Nonce: "n1", State: pipeline.CaseWorking,
		Fence: 1712345678901, Owner: "worker-1", LeaseUntil: c.at(55_000_000),
		Tries: 2, Unsettled: 1, FirstClaim: c.at(1), LastClaim: c.at(2),
		Reason: pipeline.ReasonModel, Detail: "model: stream broke off", Buried: true, Told: true,
		Message:  []byte(`{"v":1,"message":{"text":"` + strings.Repeat("问", 15<<10) + `"}}`),
		EditedAt: c.at(3), Turn: c.turn(conversation, 0).TurnKey,
		FinalSeq: 9, FinalKind: chat.Final, UpdatedAt: c.at(4),
		Hold: pipeline.Hold{Day: "20261121", Amount: 12_345, Scopes: []string{"user:slack/A/U", "workspace:slack/A/"}},
	}
}

func (c *storeCase) wantCase(want pipeline.Case) {
	c.Helper()
	if diff := cmp.Diff(want, c.loadCase(want.MessageID), cmpopts.EquateEmpty()); diff != "" {
		c.Errorf("LoadCase (-want +got):\n%s", diff)
	}
}

func testCaseNone(c *storeCase) {
	if k := c.loadCase(messageID); k.Rev != 0 || k.State != pipeline.CasePending {
		c.Errorf("LoadCase = rev %d, state %q; want none", k.Rev, k.State)
	}
}

func testCaseRoundTrip(c *storeCase) {
	k := c.fullCase()
	c.swap(k, pipeline.Effects{})
	c.wantCase(k)
	k = pipeline.Case{MessageID: messageID, Rev: 2, Nonce: "n2"} // fields can be cleared again
	c.swap(k, pipeline.Effects{})
	c.wantCase(k)
}

func testCaseConflict(c *storeCase) {
	refused := func(rev int64) {
		c.Helper()
		k := pipeline.Case{MessageID: messageID, Rev: rev, Nonce: "loser"}
		if err := c.Cases.SwapCase(deadline(c.T), k, pipeline.Effects{}); !errors.Is(err, pipeline.ErrConflict) {
			c.Errorf("SwapCase(rev %d): %v, want ErrConflict", rev, err)
		}
	}
	refused(2)
	k := pipeline.Case{MessageID: messageID, Rev: 1, Nonce: "winner"}
	c.swap(k, pipeline.Effects{})
	refused(1)
	refused(3)
	c.wantCase(k)
	k.Rev = 2
	c.swap(k, pipeline.Effects{})
	refused(2)
	c.wantCase(k)
}

func testCaseRace(c *storeCase) {
	const n = 8
	for rev := int64(1); rev <= 3; rev++ {
		errs := c.race(n, func(ctx context.Context, i int) error {
			k := pipeline.Case{MessageID: messageID, Rev: rev, Tries: i}
			turn := c.turn(conversation, i)
			return c.Cases.SwapCase(ctx, k, pipeline.Effects{Put: &turn})
		})
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			} else if !errors.Is(err, pipeline.ErrConflict) {
				c.Errorf("SwapCase: %v, want ErrConflict", err)
			}
		}
		if won != 1 {
			c.Errorf("rev %d: %d of %d racing swaps won", rev, won, n)
		}
		k := c.loadCase(messageID)
		if k.Rev != rev || !c.hasTurn(c.turn(conversation, k.Tries).TurnKey) {
			c.Errorf("after the race for rev %d: rev %d without the winner's turn", rev, k.Rev)
		}
	}
	if turns := c.recent(conversation, all); len(turns) > 3 {
		c.Errorf("%d turns after 3 swaps: losers left theirs", len(turns))
	}
}

func testCasePut(c *storeCase) {
	turn := c.turn(conversation, 1)
	k := pipeline.Case{MessageID: turn.MessageID, Rev: 1, State: pipeline.CaseAnswered, Turn: turn.TurnKey}
	c.swap(k, pipeline.Effects{Put: &turn, UnlessStopped: &turn.TurnKey})
	c.wantCase(k)
	c.wantRecent(all, 1)
}

func testCaseDrop(c *storeCase) {
	turn := c.turn(conversation, 1)
	c.put(turn, c.turn(conversation, 2))
	k := pipeline.Case{MessageID: turn.MessageID, Rev: 2, State: pipeline.CaseCancelled}
	c.swap(k, pipeline.Effects{Drop: &turn.TurnKey})
	c.wantRecent(all, 2)
	k.Rev = 3
	c.swap(k, pipeline.Effects{Drop: &turn.TurnKey}) // gone already: no error
	c.wantCase(k)
}

func testCaseMoveTurn(c *storeCase) {
	from, to := c.turn(conversation, 1), c.turn(conversation, 5)
	to.MessageID = from.MessageID
	c.put(from)
	k := pipeline.Case{MessageID: from.MessageID, Rev: 2, State: pipeline.CaseAnswered, Turn: to.TurnKey}
	c.swap(k, pipeline.Effects{Put: &to, Drop: &from.TurnKey})
	if c.hasTurn(from.TurnKey) || !c.hasTurn(to.TurnKey) {
		c.Error("the turn was not moved")
	}
}

func testCaseRefused(c *storeCase) {
	kept, lost := c.turn(conversation, 1), c.turn(conversation, 2)
	c.put(kept)
	k := pipeline.Case{MessageID: kept.MessageID, Rev: 1}
	err := c.Cases.SwapCase(deadline(c.T), k, pipeline.Effects{Put: &lost, Drop: &kept.TurnKey})
	if !errors.Is(err, pipeline.ErrConflict) {
		c.Fatalf("SwapCase: %v, want ErrConflict", err)
	}
	c.wantRecent(all, 1)
}

func testCaseStopped(c *storeCase) {
	turn := c.turn(conversation, 5)
	k := pipeline.Case{MessageID: turn.MessageID, Rev: 1, State: pipeline.CaseAnswered}
	with := pipeline.Effects{Put: &turn, UnlessStopped: &turn.TurnKey}

	c.mark(conversation, pipeline.Markers{StopBefore: c.at(6)})
	if err := c.Cases.SwapCase(deadline(c.T), k, with); !errors.Is(err, pipeline.ErrStopped) {
		c.Fatalf("SwapCase after a later stop: %v, want ErrStopped", err)
	}
	if c.hasTurn(turn.TurnKey) || c.loadCase(turn.MessageID).Rev != 0 {
		c.Error("a stopped swap left something behind")
	}

	stopped := turn.TurnKey
	stopped.Conversation += "x" // of another conversation, and of the same moment
	c.mark(stopped.Conversation, pipeline.Markers{StopBefore: turn.SentAt, ResetBefore: c.at(9)})
	with.UnlessStopped = &stopped
	c.swap(k, with)
	c.wantRecent(all, 5)

	k.Rev, with.UnlessStopped = 2, nil // stops do not concern a swap that does not ask
	c.swap(k, with)
}

func testCaseRenewed(c *storeCase) {
	if !c.f.LongWaits {
		c.Skip("needs days")
	}
	k := pipeline.Case{MessageID: messageID, Rev: 1, State: pipeline.CaseWorking}
	c.swap(k, pipeline.Effects{})
	c.Clock.advance(29 * 24 * time.Hour)
	k.Rev = 2
	c.swap(k, pipeline.Effects{})
	c.Clock.advance(29 * 24 * time.Hour)
	c.wantCase(k)
}
