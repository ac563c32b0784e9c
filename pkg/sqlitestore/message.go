package sqlitestore

import (
	"context"
	"encoding/json"
	"fmt"

	"parley/pkg/pipeline"
)

func encodeAttributes(a map[string]string) (string, error) {
	if len(a) == 0 {
		return "", nil
	}
	data, err := json.Marshal(a)
	return string(data), err
}

// columns of a message, as scanMessage reads them.
const columns = "id, grp, dedup_id, body, attributes, receives, sent_at, first_seen"

func scanMessage(row interface{ Scan(...any) error }) (pipeline.Delivery, error) {
	var d pipeline.Delivery
	var text string
	var sent, seen int64
	err := row.Scan(&d.ID, &d.Group, &d.DedupID, &d.Body, &text, &d.Receives, &sent, &seen)
	if err != nil {
		return d, err
	}
	d.SentAt, d.FirstSeen = moment(sent), moment(seen)
	if text == "" {
		return d, nil
	}
	if err := json.Unmarshal([]byte(text), &d.Attributes); err != nil {
		return d, fmt.Errorf("attributes of message %s: %w", d.ID, err)
	}
	return d, nil
}

// Depth returns how much the queue holds. Another process than the serving one
// cannot tell what is in flight, and counts all as visible.
func (q *Queue) Depth(ctx context.Context) (pipeline.Depth, error) {
	d, err := q.s.depth(ctx, q.name, false)
	if err != nil {
		return d, failed("depth of "+q.name, err)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.line.expire(q.s.opts.Now())
	d.InFlight = len(q.line.leases)
	d.Visible = max(d.Visible-d.InFlight, 0)
	return d, nil
}

func (s *Store) depth(ctx context.Context, queue string, dead bool) (pipeline.Depth, error) {
	var d pipeline.Depth
	var oldest int64
	err := s.reads.QueryRowContext(ctx, "SELECT count(*), coalesce(min(sent_at), 0) FROM messages WHERE queue = ? AND dead = ?", queue, dead).
		Scan(&d.Visible, &oldest)
	if err != nil {
		return d, transient(err)
	}
	d.Oldest = moment(oldest)
	return d, nil
}
