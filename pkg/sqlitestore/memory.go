package sqlitestore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"time"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

// turnRecord is what a turn's row keeps as JSON: all but its key.
type turnRecord struct {
	Author      chat.Author     `json:"author,omitzero"`
	Question    string          `json:"question,omitempty"`
	Answer      string          `json:"answer,omitempty"`
	Citations   []chat.Citation `json:"citations,omitempty"`
	Usage       chat.Usage      `json:"usage,omitzero"`
	Model       string          `json:"model,omitempty"`
	Stopped     bool            `json:"stopped,omitempty"`
	Votes       []pipeline.Vote `json:"votes,omitempty"`
	Attachments string          `json:"attachments,omitempty"`
	AnsweredAt  time.Time       `json:"answered_at,omitzero"`
	Profile     string          `json:"profile,omitempty"`
	Private     bool            `json:"private,omitempty"`
}

func encodeTurn(t *pipeline.Turn) ([]byte, error) {
	if t == nil {
		return nil, nil
	}
	return json.Marshal(turnRecord{
		t.Author, t.Question, t.Answer, t.Citations, t.Usage, t.Model, t.Stopped, t.Votes, t.Attachments, t.AnsweredAt, t.Profile, t.Private,
	})
}

func decodeTurn(key pipeline.TurnKey, record []byte) (pipeline.Turn, error) {
	var r turnRecord
	if err := json.Unmarshal(record, &r); err != nil {
		return pipeline.Turn{}, err
	}
	return pipeline.Turn{
		TurnKey: key, Author: r.Author, Question: r.Question, Answer: r.Answer, Citations: r.Citations,
		Usage: r.Usage, Model: r.Model, Stopped: r.Stopped, Votes: r.Votes, Attachments: r.Attachments, AnsweredAt: r.AnsweredAt, Profile: r.Profile, Private: r.Private,
	}, nil
}

// putTurn inserts or replaces a turn. A replaced turn keeps its age: what a person
// says about an old answer must not make it outlive the marker that forgot it.
func (t *tx) putTurn(turn pipeline.Turn, record []byte) error {
	_, err := t.exec(`INSERT INTO turns (conversation, sent_at, message_id, tokens, record, written_at, person) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET tokens = excluded.tokens, record = excluded.record, person = excluded.person`,
		turn.Conversation, micros(turn.SentAt), turn.MessageID, turn.EstimateTokens(), string(record), t.now.UnixMicro(), turn.Person())
	return err
}

func (t *tx) dropTurn(k pipeline.TurnKey) error {
	_, err := t.exec("DELETE FROM turns WHERE conversation = ? AND sent_at = ? AND message_id = ?",
		k.Conversation, micros(k.SentAt), k.MessageID)
	return err
}

// forgotten is the time of writing up to which turns have expired.
func (s *Store) forgotten() int64 {
	return s.opts.Now().Add(-time.Duration(s.opts.MemoryDays) * day).UnixMicro()
}

// Recent returns the newest turns of the conversation within w, oldest first.
func (s *Store) Recent(ctx context.Context, conversation string, w pipeline.Window) ([]pipeline.Turn, error) {
	turns, err := s.recent(ctx, conversation, w)
	if err != nil {
		return nil, failed("recent turns", transient(err))
	}
	slices.Reverse(turns)
	return turns, nil
}

const recentQuery = `SELECT sent_at, message_id, tokens, record FROM turns
	WHERE conversation = ? AND sent_at > ? AND sent_at < ? AND written_at > ?
	ORDER BY sent_at DESC, message_id DESC LIMIT ?`

// recent reads one range of the index turns_key from its end, and stops at the
// first turn that does not fit: what is older is never touched.
func (s *Store) recent(ctx context.Context, conversation string, w pipeline.Window) ([]pipeline.Turn, error) {
	before := int64(math.MaxInt64)
	if !w.Before.IsZero() {
		before = micros(w.Before)
	}
	rows, err := s.reads.QueryContext(ctx, recentQuery, conversation, micros(w.After), before, s.forgotten(), max(w.Turns, 0))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var turns []pipeline.Turn
	for left := w.Tokens; rows.Next(); {
		var sent int64
		var tokens int
		var record sql.RawBytes
		key := pipeline.TurnKey{Conversation: conversation}
		if err := rows.Scan(&sent, &key.MessageID, &tokens, &record); err != nil {
			return nil, err
		}
		if left -= tokens; left < 0 || w.Tokens <= 0 {
			return turns, nil
		}
		key.SentAt = moment(sent)
		turn, err := decodeTurn(key, record)
		if err != nil {
			return nil, err
		}
		turns = append(turns, turn)
	}
	return turns, rows.Err()
}

// Turn returns the turn at key; ok is false if there is none.
func (s *Store) Turn(ctx context.Context, key pipeline.TurnKey) (t pipeline.Turn, ok bool, err error) {
	var record []byte
	err = s.reads.QueryRowContext(ctx, "SELECT record FROM turns WHERE conversation = ? AND sent_at = ? AND message_id = ? AND written_at > ?",
		key.Conversation, micros(key.SentAt), key.MessageID, s.forgotten()).Scan(&record)
	if errors.Is(err, sql.ErrNoRows) {
		return pipeline.Turn{}, false, nil
	}
	if err == nil {
		t, err = decodeTurn(key, record)
	}
	if err != nil {
		return pipeline.Turn{}, false, failed("read turn", transient(err))
	}
	return t, true, nil
}

// Markers returns the conversation's markers, zero if never set.
func (s *Store) Markers(ctx context.Context, conversation string) (pipeline.Markers, error) {
	var reset, stop int64
	err := s.reads.QueryRowContext(ctx, "SELECT reset_before, stop_before FROM conversations WHERE key = ?", conversation).Scan(&reset, &stop)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return pipeline.Markers{}, failed("read markers", transient(err))
	}
	return pipeline.Markers{ResetBefore: moment(reset), StopBefore: moment(stop)}, nil
}

// Mark moves markers forward.
func (s *Store) Mark(ctx context.Context, conversation string, m pipeline.Markers) error {
	err := s.writes.write(&op{ctx: ctx, single: true, do: func(t *tx) error {
		_, err := t.exec(`INSERT INTO conversations (key, reset_before, stop_before, written_at) VALUES (?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET reset_before = max(reset_before, excluded.reset_before),
				stop_before = max(stop_before, excluded.stop_before), written_at = excluded.written_at`,
			conversation, micros(m.ResetBefore), micros(m.StopBefore), t.now.UnixMicro())
		return err
	}})
	if err != nil {
		return failed("mark conversation", err)
	}
	return nil
}

// checkStopped fails if a stop marker is later than the question.
func (t *tx) checkStopped(k *pipeline.TurnKey) error {
	if k == nil {
		return nil
	}
	var stop int64
	err := t.get("SELECT stop_before FROM conversations WHERE key = ?", []any{k.Conversation}, &stop)
	if errors.Is(err, sql.ErrNoRows) || err == nil && stop <= micros(k.SentAt) {
		return nil
	}
	if err == nil {
		return pipeline.ErrStopped
	}
	return err
}
