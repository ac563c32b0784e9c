package sqlitestore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"parley/pkg/pipeline"
)

// Settings implements pipeline.People.
func (s *Store) Settings(ctx context.Context, person string) (pipeline.Settings, error) {
	var record []byte
	var out pipeline.Settings
	err := s.reads.QueryRowContext(ctx, "SELECT settings FROM people WHERE person = ?", person).Scan(&record)
	if errors.Is(err, sql.ErrNoRows) {
		return out, nil
	}
	if err == nil {
		err = json.Unmarshal(record, &out)
	}
	if err != nil {
		return pipeline.Settings{}, failed("read settings", transient(err))
	}
	return out, nil
}

// SaveSettings implements pipeline.People.
func (s *Store) SaveSettings(ctx context.Context, person string, v pipeline.Settings) error {
	record, err := json.Marshal(v)
	if err != nil {
		return failed("save settings", pipeline.Permanent(pipeline.ReasonStore, err))
	}
	err = s.writes.write(&op{ctx: ctx, single: true, do: func(t *tx) error {
		_, err := t.exec("INSERT INTO people (person, settings) VALUES (?, ?) ON CONFLICT DO UPDATE SET settings = excluded.settings", person, string(record))
		return err
	}})
	if err != nil {
		return failed("save settings", err)
	}
	return nil
}

// Asked implements pipeline.People. It reads the index turns_person from its end.
func (s *Store) Asked(ctx context.Context, person string, max int) ([]pipeline.TurnKey, error) {
	keys, err := s.asked(ctx, person, max)
	if err != nil {
		return nil, failed("read what a person asked", transient(err))
	}
	return keys, nil
}

const askedQuery = `SELECT conversation, sent_at, message_id FROM turns
	WHERE person = ? AND person <> '' AND written_at > ? ORDER BY sent_at DESC, message_id DESC LIMIT ?`

func (s *Store) asked(ctx context.Context, person string, most int) ([]pipeline.TurnKey, error) {
	rows, err := s.reads.QueryContext(ctx, askedQuery, person, s.forgotten(), max(most, 0))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var keys []pipeline.TurnKey
	for rows.Next() {
		var k pipeline.TurnKey
		var sent int64
		if err := rows.Scan(&k.Conversation, &sent, &k.MessageID); err != nil {
			return nil, err
		}
		k.SentAt = moment(sent)
		keys = append(keys, k)
	}
	return keys, rows.Err()
}
