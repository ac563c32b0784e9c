package pipeline

import (
	"testing"
	"time"

	"parley/pkg/chat"
)

func claimAt(now time.Time, owner string, token *chat.Token) claim {
	m := chat.Message{ID: "m", Kind: chat.KindAsk, Token: token}
	return claim{message: m, encoded: []byte("question"), owner: owner, now: now, lease: lease}
}

func TestClaimMeets(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000)
	working := Case{State: CaseWorking, Fence: 7, Owner: "other", LeaseUntil: now.Add(time.Second)}
	lapsed := working
	lapsed.LeaseUntil = now
	dead := Case{State: CaseDead, Fence: 7, Reason: ReasonModel, Buried: true, Tries: 4}
	answered := Case{State: CaseAnswered, Fence: 7}
	tests := []struct {
		name  string
		c     Case
		owner string
		token *chat.Token
		want  Outcome
	}{
		{"nothing", Case{}, "me", nil, Claimed},
		{"a live lease", working, "me", nil, Busy},
		{"my own live lease", working, "other", nil, Claimed},
		{"a lapsed lease", lapsed, "me", nil, Claimed},
		{"an answer", answered, "me", nil, WasAnswered},
		{"an answer, with its token", answered, "me", &chat.Token{Fence: 7}, Claimed},
		{"an answer, with an old token", answered, "me", &chat.Token{Fence: 6}, WasAnswered},
		{"a burial", dead, "me", nil, WasDead},
		{"a burial, with its token", dead, "me", &chat.Token{Fence: 7, Reason: "model"}, Claimed},
		{"a burial, with an old token", dead, "me", &chat.Token{Fence: 6, Reason: "model"}, WasDead},
		{"a burial, with a token for another reason", dead, "me", &chat.Token{Fence: 7, Reason: "crash"}, WasDead},
		{"a withdrawn question", Case{State: CaseCancelled, Fence: 7}, "me", &chat.Token{Fence: 7}, WasCancelled},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			next, got := tt.c.take(claimAt(now, tt.owner, tt.token))
			if got != tt.want {
				t.Fatalf("met %v, want %v", got, tt.want)
			}
			if got != Claimed {
				return
			}
			if next.Fence <= tt.c.Fence || next.Fence < now.UnixMilli() {
				t.Errorf("fence %d does not rise above %d and the clock", next.Fence, tt.c.Fence)
			}
			if next.Owner != tt.owner || !next.LeaseUntil.Equal(now.Add(lease)) || next.State != CaseWorking {
				t.Errorf("claimed case is %+v", next)
			}
			if tt.token != nil && (next.Tries != 0 || next.Unsettled != 1) {
				t.Errorf("a token starts the count anew, got %d tries, %d unsettled", next.Tries, next.Unsettled)
			}
		})
	}
}

// A clock that jumps back must not let a claim reuse an older fence.
func TestFenceRisesAgainstTheClock(t *testing.T) {
	c := Case{State: CaseWorking, Fence: 1_900_000_000_000}
	next, met := c.take(claimAt(time.UnixMilli(1_700_000_000_000), "me", nil))
	if met != Claimed || next.Fence != c.Fence+1 {
		t.Errorf("fence went from %d to %d (%v)", c.Fence, next.Fence, met)
	}
}

func TestOnlyTheNewestFenceSettles(t *testing.T) {
	c := Case{State: CaseWorking, Fence: 8}
	for name, settle := range map[string]func() error{
		"renew":  func() error { _, err := c.renewed(7, time.Now()); return err },
		"commit": func() error { _, err := c.answered(7, TurnKey{}, 1, chat.Final); return err },
		"die":    func() error { _, err := c.died(7, ReasonModel, "", 1); return err },
		"free":   func() error { _, err := c.released(7, true, false); return err },
		"bury":   func() error { _, err := Case{State: CaseDead, Fence: 8}.buried(7); return err },
	} {
		if settle() != errFenced {
			t.Errorf("%s at an older fence was allowed", name)
		}
	}
}

func TestCancelSupersedesSnapshotsUnderWay(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000)
	c := Case{State: CaseWorking, Fence: now.UnixMilli() + 5}
	if got := c.cancelled(reasonDeleted, now); got.Fence <= c.Fence {
		t.Errorf("fence %d does not rise above %d", got.Fence, c.Fence)
	}
}
