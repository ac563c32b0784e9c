package pipeline

import (
	"context"
	"errors"
	"sync"
	"time"
)

// guard watches over a running attempt in the background: it keeps the delivery
// hidden and the lease alive, and cancels the attempt when the person stops it,
// edits or deletes the question, or another worker took over. The returned
// function ends it and waits for it.
func (a *attempt) guard(ctx context.Context, cancel context.CancelCauseFunc) func() {
	ctx, end := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() {
		beat, look := time.NewTicker(heartbeat), time.NewTicker(watch)
		defer beat.Stop()
		defer look.Stop()
		for {
			var err error
			select {
			case <-ctx.Done():
				return
			case <-beat.C:
				err = a.beat(ctx)
			case <-look.C:
				err = a.look(ctx)
			}
			if err != nil {
				cancel(err)
				return
			}
		}
	})
	return func() { end(); running.Wait() }
}

// beat extends visibility, then the lease, so that the lease never outlives it.
func (a *attempt) beat(ctx context.Context) error {
	now := a.w.now()
	if err := a.w.Visibility.Extend(ctx, a.d, hidden); err != nil {
		a.log.WarnContext(ctx, "extend visibility", "err", err)
	}
	for _, s := range a.w.seats(a.m) {
		if _, err := a.w.sit(ctx, s, a.m); err != nil {
			a.log.WarnContext(ctx, "keep a seat", "scope", s.word, "err", err)
		}
	}
	_, err := a.w.ledger().settleAt(ctx, a.m.ID, Effects{}, func(k Case) (Case, error) {
		return k.renewed(a.k.Fence, now.Add(lease))
	})
	return a.fatal(ctx, err)
}

// look finds out whether the attempt is still wanted.
func (a *attempt) look(ctx context.Context) error {
	marks, err := a.w.Memory.Markers(ctx, a.m.Conversation.Key())
	if err != nil {
		return nil // the next look will tell
	}
	if a.stoppedBy(marks) {
		return ErrStopped
	}
	k, err := a.w.Cases.LoadCase(ctx, a.m.ID)
	if err != nil {
		return nil
	}
	if err := k.mine(a.k.Fence); err != nil {
		return err
	}
	if k.EditedAt.After(a.k.EditedAt) {
		return errRevised
	}
	return nil
}

// fatal keeps the errors that end an attempt; a store that fails for a moment
// does not.
func (a *attempt) fatal(ctx context.Context, err error) error {
	if errors.Is(err, errFenced) {
		return err
	}
	if err != nil && ctx.Err() == nil {
		a.log.WarnContext(ctx, "renew lease", "err", err)
	}
	return nil
}

// stoppedBy reports whether the person stopped the conversation after they asked.
func (a *attempt) stoppedBy(marks Markers) bool { return marks.StopBefore.After(a.m.AskedAt()) }
