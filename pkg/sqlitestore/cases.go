package sqlitestore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

// caseRecord is what a case's row keeps as JSON: all that no query looks at.
type caseRecord struct {
	Fence      int64           `json:"fence,omitempty"`
	Owner      string          `json:"owner,omitempty"`
	Tries      int             `json:"tries,omitempty"`
	Unsettled  int             `json:"unsettled,omitempty"`
	FirstClaim time.Time       `json:"first_claim,omitzero"`
	LastClaim  time.Time       `json:"last_claim,omitzero"`
	Reason     pipeline.Reason `json:"reason,omitempty"`
	Detail     string          `json:"detail,omitempty"`
	Buried     bool            `json:"buried,omitempty"`
	Told       bool            `json:"told,omitempty"`
	EditedAt   time.Time       `json:"edited_at,omitzero"`
	Turn       turnKey         `json:"turn,omitzero"`
	FinalSeq   int             `json:"final_seq,omitempty"`
	FinalKind  chat.ReplyKind  `json:"final_kind,omitempty"`
	Hold       pipeline.Hold   `json:"hold,omitzero"`
	UpdatedAt  time.Time       `json:"updated_at,omitzero"`
}

type turnKey struct {
	Conversation string    `json:"conversation"`
	SentAt       time.Time `json:"sent_at"`
	MessageID    string    `json:"message_id"`
}

// LoadCase returns the case of a message, or one with Rev 0.
func (s *Store) LoadCase(ctx context.Context, messageID string) (pipeline.Case, error) {
	c, err := s.loadCase(ctx, messageID)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return pipeline.Case{}, failed("load case", transient(err))
	}
	return c, nil
}

func (s *Store) loadCase(ctx context.Context, messageID string) (pipeline.Case, error) {
	c := pipeline.Case{MessageID: messageID}
	var record []byte
	var lease int64
	err := s.reads.QueryRowContext(ctx, "SELECT rev, nonce, state, lease_until, record, message FROM cases WHERE message_id = ?", messageID).
		Scan(&c.Rev, &c.Nonce, &c.State, &lease, &record, &c.Message)
	if err != nil {
		return c, err
	}
	var r caseRecord
	if err := json.Unmarshal(record, &r); err != nil {
		return c, err
	}
	c.LeaseUntil = moment(lease)
	c.Fence, c.Owner, c.Tries, c.Unsettled = r.Fence, r.Owner, r.Tries, r.Unsettled
	c.FirstClaim, c.LastClaim = r.FirstClaim, r.LastClaim
	c.Reason, c.Detail, c.Buried, c.Told = r.Reason, r.Detail, r.Buried, r.Told
	c.EditedAt, c.Turn = r.EditedAt, pipeline.TurnKey(r.Turn)
	c.FinalSeq, c.FinalKind, c.UpdatedAt = r.FinalSeq, r.FinalKind, r.UpdatedAt
	c.Hold = r.Hold
	return c, nil
}

// SwapCase writes next and its effects in one transaction.
func (s *Store) SwapCase(ctx context.Context, next pipeline.Case, with pipeline.Effects) error {
	record, err := json.Marshal(caseRecord{
		Fence: next.Fence, Owner: next.Owner, Tries: next.Tries, Unsettled: next.Unsettled,
		FirstClaim: next.FirstClaim, LastClaim: next.LastClaim,
		Reason: next.Reason, Detail: next.Detail, Buried: next.Buried, Told: next.Told,
		EditedAt: next.EditedAt, Turn: turnKey(next.Turn),
		FinalSeq: next.FinalSeq, FinalKind: next.FinalKind, Hold: next.Hold, UpdatedAt: next.UpdatedAt,
	})
	if err != nil {
		return failed("swap case", pipeline.Permanent(pipeline.ReasonStore, err))
	}
	put, err := encodeTurn(with.Put)
	if err != nil {
		return failed("swap case", pipeline.Permanent(pipeline.ReasonStore, err))
	}
	if err := s.write(ctx, func(t *tx) error { return t.swapCase(next, record, with, put) }); err != nil {
		return failed("swap case", err)
	}
	return nil
}

func (t *tx) swapCase(next pipeline.Case, record []byte, with pipeline.Effects, put []byte) error {
	swapped, err := t.swap(next.Rev,
		`INSERT INTO cases (nonce, state, lease_until, record, message, written_at, message_id, rev)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		`UPDATE cases SET nonce = ?, state = ?, lease_until = ?, record = ?, message = ?, written_at = ?, rev = rev + 1
			WHERE message_id = ? AND rev = ? - 1`,
		next.Nonce, next.State, micros(next.LeaseUntil), string(record), next.Message, t.now.UnixMicro(), next.MessageID, next.Rev)
	if err != nil {
		return err
	}
	if !swapped {
		return pipeline.ErrConflict
	}
	if err := t.checkStopped(with.UnlessStopped); err != nil {
		return err
	}
	if with.Drop != nil {
		if err := t.dropTurn(*with.Drop); err != nil {
			return err
		}
	}
	if with.Put != nil {
		return t.putTurn(*with.Put, put)
	}
	return nil
}

// swap runs the statement that suits rev: a first revision is inserted, a later
// one replaces the one before it. It reports whether it found that.
func (t *tx) swap(rev int64, insert, update string, args ...any) (bool, error) {
	if rev == 1 {
		return t.changed(insert, args...)
	}
	return t.changed(update, args...)
}
