package pipeline

import (
	"errors"
	"time"

	"parley/pkg/chat"
)

// Outcome is what a claim met.
type Outcome int

// What a claim meets.
const (
	Claimed      Outcome = iota // the case is mine at the new fence
	Busy                        // another worker holds the lease
	WasAnswered                 // the answer is committed: only show it
	WasDead                     // given up; finish the burial if it was interrupted
	WasCancelled                // stopped or deleted before it was answered
)

// errFenced: the case has moved on; whoever wrote at an older fence must stop.
var errFenced = errors.New("another attempt took over")

// claim is who wants a case, when and for how long.
type claim struct {
	message chat.Message
	encoded []byte
	owner   string
	now     time.Time
	lease   time.Duration
}

// take returns the case as claimed by c, or what stands in the way.
func (k Case) take(c claim) (Case, Outcome) {
	switch k.State {
	case CaseAnswered:
		if c.message.Token == nil || c.message.Token.Fence != k.Fence {
			return k, WasAnswered
		}
		k = k.reopened(c)
	case CaseDead:
		if t := c.message.Token; t == nil || t.Fence != k.Fence || t.Reason != string(k.Reason) {
			return k, WasDead
		}
		k = k.reopened(c)
	case CaseCancelled:
		return k, WasCancelled
	case CaseWorking:
		if c.now.Before(k.LeaseUntil) && k.Owner != c.owner {
			return k, Busy
		}
	case CasePending:
		k.Message = c.encoded
	}
	if k.FirstClaim.IsZero() {
		k.FirstClaim = c.now
	}
	k.State = CaseWorking
	k.Fence = max(k.Fence+1, c.now.UnixMilli())
	if t := c.message.Token; t != nil {
		k.Fence = max(k.Fence, t.Fence+1) // also where the record of that fence is gone
	}
	k.Owner = c.owner
	k.LeaseUntil = c.now.Add(c.lease)
	k.LastClaim = c.now
	k.Unsettled++
	return k, Claimed
}

// reopened starts the count of tries anew, for a replay or a regeneration.
func (k Case) reopened(c claim) Case {
	k.Tries, k.Unsettled, k.FirstClaim, k.Told = 0, 0, time.Time{}, false
	k.Reason, k.Detail, k.Buried = "", "", false
	k.Message = c.encoded
	return k
}

// mine fails unless the attempt at fence still holds the case.
func (k Case) mine(fence int64) error {
	if k.State != CaseWorking || k.Fence != fence {
		return errFenced
	}
	return nil
}

// renewed extends the lease.
func (k Case) renewed(fence int64, until time.Time) (Case, error) {
	if err := k.mine(fence); err != nil {
		return k, err
	}
	k.LeaseUntil = until
	return k, nil
}

// released gives the case back after an attempt that will be repeated.
func (k Case) released(fence int64, counted, told bool) (Case, error) {
	if err := k.mine(fence); err != nil {
		return k, err
	}
	k.LeaseUntil = time.Time{}
	k.Unsettled = 0
	if counted {
		k.Tries++
	}
	k.Told = k.Told || told
	return k, nil
}

// answered ends the case with a committed turn.
func (k Case) answered(fence int64, key TurnKey, seq int, kind chat.ReplyKind) (Case, error) {
	if err := k.mine(fence); err != nil {
		return k, err
	}
	k.State, k.Turn, k.FinalSeq, k.FinalKind = CaseAnswered, key, seq, kind
	k.Unsettled, k.LeaseUntil = 0, time.Time{}
	return k, nil
}

// died gives the case up.
func (k Case) died(fence int64, reason Reason, detail string, seq int) (Case, error) {
	if err := k.mine(fence); err != nil {
		return k, err
	}
	k.State, k.Reason, k.Detail, k.Buried = CaseDead, reason, detail, false
	k.FinalSeq, k.FinalKind = seq, chat.Failed
	k.Unsettled, k.LeaseUntil = 0, time.Time{}
	return k, nil
}

// buried notes that the letter is in the dead-letter queue.
func (k Case) buried(fence int64) (Case, error) {
	if k.State != CaseDead || k.Fence != fence {
		return k, errFenced
	}
	k.Buried = true
	return k, nil
}

// The reasons of a cancelled case.
const (
	reasonDeleted Reason = "deleted"
	reasonStopped Reason = "stopped"
)

// cancelled ends the case at a fence above every snapshot that may be on its way.
func (k Case) cancelled(reason Reason, now time.Time) Case {
	k.State, k.Reason = CaseCancelled, reason
	k.Fence = max(k.Fence+1, now.UnixMilli())
	k.FinalKind, k.FinalSeq = chat.Withdrawn, 1
	if reason == reasonStopped {
		k.FinalKind = chat.Stopped
	}
	k.LeaseUntil = time.Time{}
	return k
}
