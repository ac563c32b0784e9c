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

// placedRecord is what a delivery's row keeps as JSON.
type placedRecord struct {
	Nonce     string             `json:"nonce,omitempty"`
	Order     chat.Order         `json:"order,omitzero"`
	Kind      chat.ReplyKind     `json:"kind,omitempty"`
	At        pipeline.Placement `json:"at,omitzero"`
	UpdatedAt time.Time          `json:"updated_at,omitzero"`
}

// LoadDelivery returns the record of a message's answer, or one with Rev 0.
func (s *Store) LoadDelivery(ctx context.Context, messageID string) (pipeline.Placed, error) {
	p := pipeline.Placed{MessageID: messageID}
	var record []byte
	err := s.reads.QueryRowContext(ctx, "SELECT rev, record FROM deliveries WHERE message_id = ?", messageID).Scan(&p.Rev, &record)
	if errors.Is(err, sql.ErrNoRows) {
		return p, nil
	}
	var r placedRecord
	if err == nil {
		err = json.Unmarshal(record, &r)
	}
	if err != nil {
		return pipeline.Placed{}, failed("load delivery", transient(err))
	}
	p.Nonce, p.Order, p.Kind, p.At, p.UpdatedAt = r.Nonce, r.Order, r.Kind, r.At, r.UpdatedAt
	return p, nil
}

// SwapDelivery writes next and registers its posts in one transaction.
func (s *Store) SwapDelivery(ctx context.Context, next pipeline.Placed) error {
	record, err := json.Marshal(placedRecord{next.Nonce, next.Order, next.Kind, next.At, next.UpdatedAt})
	if err != nil {
		return failed("swap delivery", pipeline.Permanent(pipeline.ReasonStore, err))
	}
	err = s.write(ctx, func(t *tx) error {
		swapped, err := t.swap(next.Rev,
			"INSERT INTO deliveries (record, written_at, message_id, rev) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
			"UPDATE deliveries SET record = ?, written_at = ?, rev = rev + 1 WHERE message_id = ? AND rev = ? - 1",
			string(record), t.now.UnixMicro(), next.MessageID, next.Rev)
		if err != nil {
			return err
		}
		if !swapped {
			return pipeline.ErrConflict
		}
		return t.register(next)
	})
	if err != nil {
		return failed("swap delivery", err)
	}
	return nil
}

// register makes the posts of p belong to its message.
func (t *tx) register(p pipeline.Placed) error {
	for _, post := range p.At.Posts {
		// The update changes nothing, but counts as a row only if the post is ours.
		ours, err := t.changed(`INSERT INTO posts (id, message_id) VALUES (?, ?)
			ON CONFLICT DO UPDATE SET message_id = excluded.message_id WHERE message_id = excluded.message_id`, post.ID, p.MessageID)
		if err != nil {
			return err
		}
		if !ours {
			return pipeline.ErrClaimed
		}
	}
	return nil
}

// PostOwner returns the message whose answer a post belongs to, "" if none.
func (s *Store) PostOwner(ctx context.Context, postID string) (string, error) {
	var owner string
	err := s.reads.QueryRowContext(ctx, "SELECT message_id FROM posts WHERE id = ?", postID).Scan(&owner)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", failed("read post's owner", transient(err))
	}
	return owner, nil
}
