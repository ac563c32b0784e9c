package pipeline

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"parley/pkg/chat"
)

// ledger applies pure transitions to cases: read, change, compare and swap, and
// on any doubt read back.
type ledger struct {
	cases Cases
	now   func() time.Time
}

// How often one update is tried: conflicts are other writers' progress, doubts
// are failures of the store.
const (
	maxConflicts = 16
	maxDoubts    = 3
)

// update applies change to the case of a message until it is stored. change may
// be called several times; it returns errUnchanged to leave the record alone. An
// error of change ends the update and is returned with the case it met; it is
// errUnsure, too, if a write before may have taken effect.
func (l ledger) update(ctx context.Context, id string, change func(Case) (Case, Effects, error)) (k Case, err error) {
	nonce := rand.Text()
	unsure := false
	defer func() {
		if err != nil && unsure {
			err = errors.Join(err, errUnsure)
		}
	}()
	var doubt error
	for conflicts, doubts := 0, 0; conflicts < maxConflicts && doubts < maxDoubts; {
		current, err := l.cases.LoadCase(ctx, id)
		if err != nil {
			doubt = err
			doubts++
			continue
		}
		if current.Rev > 0 && current.Nonce == nonce {
			return current, nil // the write that seemed to fail took effect
		}
		next, effects, err := change(current)
		if errors.Is(err, errUnchanged) {
			return current, nil
		}
		if err != nil {
			return current, err
		}
		next.MessageID, next.Rev, next.Nonce, next.UpdatedAt = id, current.Rev+1, nonce, l.now()
		err = l.cases.SwapCase(ctx, next, effects)
		switch {
		case err == nil:
			return next, nil
		case errors.Is(err, ErrStopped):
			return current, err
		case errors.Is(err, ErrConflict):
			conflicts++
		default:
			doubt, unsure = err, true
			doubts++
		}
		if ctx.Err() != nil {
			return current, context.Cause(ctx)
		}
	}
	if doubt == nil {
		doubt = ErrConflict
	}
	return Case{}, Transient(ReasonStore, fmt.Errorf("update case: %w", doubt))
}

// errUnchanged tells update that there is nothing to write.
var errUnchanged = errors.New("unchanged")

// errUnsure: a write that seemed to fail may have taken effect before somebody else
// changed the case.
var errUnsure = errors.New("an earlier write may have taken effect")

// claim takes the case of m's message for owner, and says what it met. An edit
// that arrived before the question wins over the text in c.
func (l ledger) claim(ctx context.Context, c claim) (Case, Outcome, error) {
	var met Outcome
	k, err := l.update(ctx, c.message.ID, func(k Case) (Case, Effects, error) {
		mine := c
		mine.now = l.now() // a lease counts from its write, however long that took
		if k.State == CasePending && !k.EditedAt.IsZero() {
			mine.encoded = merged(c.message, k.Message, c.encoded)
		}
		var next Case
		if next, met = k.take(mine); met != Claimed {
			return k, Effects{}, errUnchanged
		}
		return next, Effects{}, nil
	})
	return k, met, err
}

// merged returns question with the text of the edit, encoded; or plain if either
// cannot be read.
func merged(question chat.Message, edit, plain []byte) []byte {
	e, err := chat.DecodeMessage(edit)
	if err != nil {
		return plain
	}
	question.Text, question.Files = e.Text, e.Files
	data, err := chat.EncodeMessage(question)
	if err != nil {
		return plain
	}
	return data
}

// settleAt applies one of the transitions that need the fence.
func (l ledger) settleAt(ctx context.Context, id string, with Effects, change func(Case) (Case, error)) (Case, error) {
	return l.update(ctx, id, func(k Case) (Case, Effects, error) {
		next, err := change(k)
		return next, with, err
	})
}
