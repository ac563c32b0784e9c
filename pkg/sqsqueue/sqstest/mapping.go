package sqstest

import (
	"context"
	"encoding/json"
	"slices"
	"sync"

	"github.com/aws/aws-lambda-go/events"
)

// Mapping drives a function from a queue as Lambda's event source mapping does,
// with ReportBatchItemFailures on: it receives with the queue's own visibility,
// invokes with SQS's event, deletes what did not fail, and leaves what failed to
// its visibility.
type Mapping struct {
	Server   *Server
	QueueURL string
	// BatchSize is 1 to 10; 10 when zero. MaximumConcurrency bounds invokes at
	// once; 2 when zero.
	BatchSize, MaximumConcurrency int
	// Invoke runs the function with an events.SQSEvent in JSON and returns its
	// answer. An error is a failed invoke: the whole batch comes back.
	Invoke func(ctx context.Context, event []byte) (response []byte, err error)
}

// Run maps until ctx ends, then waits for the invokes under way. They are not
// cancelled with ctx: the service does not do that either.
func (m Mapping) Run(ctx context.Context) error {
	m.Server.mu.Lock()
	q, err := m.Server.queue(m.QueueURL)
	m.Server.mu.Unlock()
	if err != nil {
		return err
	}
	size, most := m.BatchSize, m.MaximumConcurrency
	if size == 0 {
		size = maxBatch
	}
	if most == 0 {
		most = 2
	}
	var running sync.WaitGroup
	defer running.Wait()
	slots := make(chan struct{}, most)
	for {
		select {
		case <-ctx.Done():
			return nil
		case slots <- struct{}{}:
		}
		batch := m.Server.receive(ctx, q, size, maxWait, q.Visibility)
		if len(batch) == 0 {
			<-slots
			continue
		}
		running.Go(func() {
			defer func() { <-slots }()
			m.invoke(context.WithoutCancel(ctx), q, batch)
		})
	}
}

func (m Mapping) invoke(ctx context.Context, q *queue, batch []message) {
	payload, err := json.Marshal(event(q.arn, batch))
	if err != nil {
		panic(err) // strings and maps of strings always encode
	}
	answer, err := m.Invoke(ctx, payload)
	if err != nil {
		return
	}
	failed, ok := failures(answer, batch)
	if !ok {
		return
	}
	m.Server.mu.Lock()
	defer m.Server.mu.Unlock()
	for _, d := range batch {
		if !slices.Contains(failed, d.id) {
			_ = m.Server.delete(q, receiptInput{ReceiptHandle: d.receipt}) // too late: it comes again
		}
	}
}

// failures reads a partial batch response. An answer that is not one, or names a
// message that is not in the batch, fails the whole batch; none at all fails none.
func failures(answer []byte, batch []message) (ids []string, ok bool) {
	if len(answer) == 0 || string(answer) == "null" {
		return nil, true
	}
	var r events.SQSEventResponse
	if err := json.Unmarshal(answer, &r); err != nil {
		return nil, false
	}
	for _, f := range r.BatchItemFailures {
		if !slices.ContainsFunc(batch, func(m message) bool { return m.id == f.ItemIdentifier }) {
			return nil, false
		}
		ids = append(ids, f.ItemIdentifier)
	}
	return ids, true
}

// event is the event of Lambda for messages of the queue arn.
func event(arn string, batch []message) events.SQSEvent {
	e := events.SQSEvent{Records: make([]events.SQSMessage, len(batch))}
	for i, m := range batch {
		r := events.SQSMessage{
			MessageId: m.id, ReceiptHandle: m.receipt, Body: m.body,
			Md5OfBody: sum([]byte(m.body)), Md5OfMessageAttributes: sumAttributes(m.attributes),
			Attributes: m.systemAttributes([]string{"All"}), MessageAttributes: map[string]events.SQSMessageAttribute{},
			EventSourceARN: arn, EventSource: "aws:sqs", AWSRegion: region,
		}
		for name, a := range m.attributes {
			r.MessageAttributes[name] = events.SQSMessageAttribute{StringValue: a.StringValue, DataType: a.DataType}
		}
		e.Records[i] = r
	}
	return e
}
