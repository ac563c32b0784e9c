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
		if !k.opens(c.message.Token) {
			return k, WasAnswered
		}
		k = k.reopened(c)
	case CaseDead:
		if !k.opens(c.message.Token) {
			return k, WasDead
		}
		k = k.reopened(c)
	case CaseCancelled:
		return k, WasCancelled
	case CaseWorking:
		if k.leased(c.now, c.lease) && k.Owner != c.owner {
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

// opens reports whether t permits another answer to an ended case: it was issued
// for this very end, or for one that this record, restored, knows nothing of.
func (k Case) opens(t *chat.Token) bool {
	switch {
	case t == nil || t.Fence < k.Fence:
		return false
	case t.Fence > k.Fence:
		return true
	}
	return k.State == CaseAnswered || t.Reason == string(k.Reason)
}

// leased reports whether somebody holds the case at now. A lease that has longer
// to run than one is ever given was given by a clock that has been set back since;
// the fence keeps it safe to take the case over.
func (k Case) leased(now time.Time, length time.Duration) bool {
	left := k.LeaseUntil.Sub(now)
	return left > 0 && left <= length+skew
}

// skew is how far two processes' clocks may be apart unnoticed.
const skew = 5 * time.Second

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

// held notes what the attempt has reserved.
func (k Case) held(fence int64, h Hold) (Case, error) {
	if err := k.mine(fence); err != nil {
		return k, err
	}
	k.Hold = h
	return k, nil
}

// released gives the case back after an attempt that will be repeated.
func (k Case) released(fence int64, counted, told bool) (Case, error) {
	if err := k.mine(fence); err != nil {
		return k, err
	}
	k.LeaseUntil = time.Time{}
	k.Unsettled, k.Hold = 0, Hold{}
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
	k.Hold = Hold{}
	k.Unsettled, k.LeaseUntil = 0, time.Time{}
	return k, nil
}

// died gives the case up.
func (k Case) died(fence int64, reason Reason, detail string, seq int) (Case, error) {
	if err := k.mine(fence); err != nil {
		return k, err
	}
	k.State, k.Reason, k.Detail, k.Buried = CaseDead, reason, detail, false
	k.FinalSeq, k.FinalKind, k.Hold = seq, chat.Failed, Hold{}
	k.Unsettled, k.LeaseUntil = 0, time.Time{}
	return k, nil
}

// kept ends an attempt to answer anew that led to nothing: what stands is the
// answer the person had, shown again at the new fence. reason says why there is no
// newer one, "" if the person stopped it.
func (k Case) kept(fence int64, reason Reason, detail string, t Turn, seq int) (Case, error) {
	k, err := k.answered(fence, t.TurnKey, seq, t.kind())
	if err != nil {
		return k, err
	}
	k.Reason, k.Detail, k.Buried = reason, detail, false
	return k, nil
}

// failedAnew reports whether the case was answered, asked again, and failed: its
// answer stands, and its letter waits for a replay.
func (k Case) failedAnew() bool { return k.State == CaseAnswered && k.Reason != "" }

// buried notes that the letter is in the dead-letter queue.
func (k Case) buried(fence int64) (Case, error) {
	if (k.State != CaseDead && !k.failedAnew()) || k.Fence != fence {
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
