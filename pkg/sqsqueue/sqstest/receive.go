package sqstest

import (
	"context"
	"slices"
	"strconv"
	"time"
)

type receiveInput struct {
	QueueURL                    string `json:"QueueUrl"`
	MaxNumberOfMessages         *int
	WaitTimeSeconds             int
	VisibilityTimeout           *int
	MessageAttributeNames       []string
	MessageSystemAttributeNames []string
	AttributeNames              []string
}

type received struct {
	MessageID              string `json:"MessageId"`
	ReceiptHandle          string
	Body                   string
	MD5OfBody              string
	MD5OfMessageAttributes string               `json:",omitempty"`
	Attributes             map[string]string    `json:",omitempty"`
	MessageAttributes      map[string]attribute `json:",omitempty"`
}

func (s *Server) receiveMessage(ctx context.Context, in receiveInput) (any, error) {
	s.mu.Lock()
	q, err := s.queue(in.QueueURL)
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	max, hide := 1, q.Visibility
	if in.MaxNumberOfMessages != nil {
		max = *in.MaxNumberOfMessages
	}
	if in.VisibilityTimeout != nil {
		hide = time.Duration(*in.VisibilityTimeout) * time.Second
	}
	wait := time.Duration(in.WaitTimeSeconds) * time.Second
	if max < 1 || max > maxBatch || hide < 0 || hide > maxHidden || wait < 0 || wait > maxWait {
		return nil, refuse("InvalidParameterValue", "a number of the receive is out of its range")
	}
	messages := s.receive(ctx, q, max, wait, hide)
	out := make([]received, len(messages))
	for i, m := range messages {
		out[i] = received{
			MessageID: m.id, ReceiptHandle: m.receipt, Body: m.body, MD5OfBody: sum([]byte(m.body)),
			Attributes: m.systemAttributes(append(in.AttributeNames, in.MessageSystemAttributeNames...)),
		}
		if slices.Contains(in.MessageAttributeNames, "All") {
			out[i].MessageAttributes = m.attributes
			out[i].MD5OfMessageAttributes = sumAttributes(m.attributes)
		}
	}
	return map[string]any{"Messages": out}, nil
}

func (m message) systemAttributes(names []string) map[string]string {
	all := map[string]string{
		"MessageGroupId": m.group, "MessageDeduplicationId": m.dedup, "SequenceNumber": m.seq,
		"SenderId": "AIDAFAKE", "ApproximateReceiveCount": strconv.Itoa(m.receives),
		"SentTimestamp":                    strconv.FormatInt(m.sentAt.UnixMilli(), 10),
		"ApproximateFirstReceiveTimestamp": strconv.FormatInt(m.firstSeen.UnixMilli(), 10),
	}
	if m.source != nil {
		all["DeadLetterQueueSourceArn"] = m.source.arn
	}
	if slices.Contains(names, "All") {
		return all
	}
	out := map[string]string{}
	for _, name := range names {
		if v, ok := all[name]; ok {
			out[name] = v
		}
	}
	return out
}

// receive waits for messages and hides them. It returns copies, as they stood.
func (s *Server) receive(ctx context.Context, q *queue, max int, wait, hide time.Duration) []message {
	deadline := time.Now().Add(wait)
	for {
		s.mu.Lock()
		now := time.Now()
		got := s.take(q, max, hide, now)
		changed, until := s.changed, deadline
		if next := q.next(now); !next.IsZero() && next.Before(until) {
			until = next
		}
		s.mu.Unlock()
		if len(got) > 0 || !deadline.After(now) {
			return got
		}
		timer := time.NewTimer(until.Sub(now))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-changed:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// take receives up to max messages of groups of which none is hidden: as many as
// it can of the group whose first message is oldest, then of the next.
func (s *Server) take(q *queue, max int, hide time.Duration, now time.Time) []message {
	var got []message
	for _, group := range q.free(now) {
		for _, m := range slices.Clone(q.messages) {
			if len(got) == max {
				return got
			}
			if m.group != group || s.moved(q, m, now) {
				continue
			}
			m.receives++
			m.receipt = s.newID("receipt")
			q.receipts[m.receipt] = m.id
			m.visibleAt = now.Add(hide)
			if m.firstSeen.IsZero() {
				m.firstSeen = now
			}
			got = append(got, *m)
		}
	}
	return got
}

// free lists the groups that can be received, in the order of their first message.
func (q *queue) free(now time.Time) []string {
	var groups []string
	seen, held := map[string]bool{}, map[string]bool{}
	for _, m := range q.messages {
		if m.hidden(now) {
			held[m.group] = true
		}
		if !seen[m.group] {
			seen[m.group] = true
			groups = append(groups, m.group)
		}
	}
	return slices.DeleteFunc(groups, func(g string) bool { return held[g] })
}

// moved moves m to the dead-letter queue if it was received too often. There it
// is a message sent now, under its own id as the deduplication id.
func (s *Server) moved(q *queue, m *message, now time.Time) bool {
	if q.MaxReceives == 0 || q.DeadLetters == "" || m.receives < q.MaxReceives {
		return false
	}
	q.remove(m)
	m.dedup, m.source = m.id, q
	m.receives, m.receipt, m.visibleAt, m.firstSeen = 0, "", time.Time{}, time.Time{}
	s.queues[q.DeadLetters].append(m, now)
	s.wake()
	return true
}

type receiptInput struct {
	ID                string `json:"Id"` // in a batch
	QueueURL          string `json:"QueueUrl"`
	ReceiptHandle     string
	VisibilityTimeout int
}

type receiptBatch struct {
	QueueURL string `json:"QueueUrl"`
	Entries  []receiptInput
}

func (s *Server) changeVisibility(in receiptInput) (any, error) {
	return s.withReceipt(in, s.change)
}

func (s *Server) changeVisibilityBatch(in receiptBatch) (any, error) {
	return s.withReceipts(in, s.change)
}

func (s *Server) deleteMessage(in receiptInput) (any, error) {
	return s.withReceipt(in, s.delete)
}

func (s *Server) deleteMessageBatch(in receiptBatch) (any, error) {
	return s.withReceipts(in, s.delete)
}

func (s *Server) withReceipt(in receiptInput, f func(*queue, receiptInput) error) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.queue(in.QueueURL)
	if err != nil {
		return nil, err
	}
	return struct{}{}, f(q, in)
}

func (s *Server) withReceipts(in receiptBatch, f func(*queue, receiptInput) error) (any, error) {
	ids := make([]string, len(in.Entries))
	for i, e := range in.Entries {
		ids[i] = e.ID
	}
	if err := checkBatch(ids); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.queue(in.QueueURL)
	if err != nil {
		return nil, err
	}
	var b batchOutput
	for _, e := range in.Entries {
		if err := f(q, e); err != nil {
			b.fail(e.ID, err)
			continue
		}
		b.Successful = append(b.Successful, map[string]string{"Id": e.ID})
	}
	return b, nil
}

func (s *Server) change(q *queue, in receiptInput) error {
	hide := time.Duration(in.VisibilityTimeout) * time.Second
	if hide < 0 || hide > maxHidden {
		return refuse("InvalidParameterValue", "VisibilityTimeout must be between 0 and 43200")
	}
	m, err := q.current(in.ReceiptHandle)
	if err != nil {
		return err
	}
	if m == nil {
		return refuse("InvalidParameterValue", "Reason: Message does not exist or is not available for visibility timeout change.")
	}
	m.visibleAt = time.Now().Add(hide)
	s.wake()
	return nil
}

func (s *Server) delete(q *queue, in receiptInput) error {
	m, err := q.current(in.ReceiptHandle)
	if err != nil || m == nil {
		return err
	}
	q.remove(m)
	s.wake()
	return nil
}

// current finds the message that a receipt hides. A deleted one is nil without an
// error; a receipt of an earlier receive, or one whose visibility ran out, is
// refused, as FIFO queues do.
func (q *queue) current(receipt string) (*message, error) {
	id, ok := q.receipts[receipt]
	if !ok {
		return nil, refuse("ReceiptHandleIsInvalid", "The input receipt handle is invalid.")
	}
	for _, m := range q.messages {
		if m.id != id {
			continue
		}
		if m.receipt != receipt || !m.hidden(time.Now()) {
			return nil, refuse("InvalidParameterValue", "Value for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.")
		}
		return m, nil
	}
	return nil, nil
}
