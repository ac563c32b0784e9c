package sqlitestore

import (
	"context"
	"database/sql"
	"iter"
	"time"

	"parley/pkg/pipeline"
)

// Rated implements pipeline.Ratings. It reads every turn there is, which on one
// machine are few enough.
func (s *Store) Rated(ctx context.Context, since time.Time) iter.Seq2[pipeline.Turn, error] {
	return func(yield func(pipeline.Turn, error) bool) {
		rows, err := s.reads.QueryContext(ctx, `SELECT conversation, sent_at, message_id, record FROM turns
			WHERE written_at > ? AND json_type(record, '$.votes') = 'array' ORDER BY sent_at, message_id`, s.forgotten())
		if err != nil {
			yield(pipeline.Turn{}, failed("read votes", transient(err)))
			return
		}
		defer rows.Close()
		for rows.Next() {
			t, err := ratedTurn(rows)
			if err != nil {
				yield(pipeline.Turn{}, failed("read votes", transient(err)))
				return
			}
			if t.RatedSince(since) && !yield(t, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(pipeline.Turn{}, failed("read votes", transient(err)))
		}
	}
}

func ratedTurn(rows *sql.Rows) (pipeline.Turn, error) {
	var key pipeline.TurnKey
	var sent int64
	var record sql.RawBytes
	if err := rows.Scan(&key.Conversation, &sent, &key.MessageID, &record); err != nil {
		return pipeline.Turn{}, err
	}
	key.SentAt = moment(sent)
	return decodeTurn(key, record)
}
