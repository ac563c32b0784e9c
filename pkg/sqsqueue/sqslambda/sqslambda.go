// Package sqslambda drives a stage of the pipeline from SQS events on Lambda, as
// pipeline.Pump does on one machine.
//
// It reports failures per message (the event source mapping needs
// FunctionResponseTypes: [ReportBatchItemFailures]), and promises that nothing of
// a FIFO group is acknowledged behind a failure of the same group, so that a
// retry never overtakes what came before it. It holds no state: Lambda may invoke
// it concurrently in one process.
package sqslambda

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"parley/pkg/pipeline"
	"parley/pkg/sqsqueue"
)

// settleTime bounds the visibility changes after a batch. They may outlive the
// handler's deadline, for which stages leave a margin.
const settleTime = 5 * time.Second

// Batch adapts one stage to one queue's events.
type Batch struct {
	Queue   pipeline.Visibility // the queue that the events come from
	Handler pipeline.Handler
	Log     *slog.Logger
}

// Handle settles one event; it is what lambda.Start takes. An error, also a
// handler that lost count, makes Lambda show the whole batch again.
func (b *Batch) Handle(ctx context.Context, e events.SQSEvent) (events.SQSEventResponse, error) {
	batch := make([]pipeline.Delivery, len(e.Records))
	for i, r := range e.Records {
		batch[i] = delivery(r)
	}
	settled := b.Handler(ctx, batch)
	if len(settled) != len(batch) {
		return events.SQSEventResponse{}, fmt.Errorf("settle batch: %d settlements for %d deliveries", len(settled), len(batch))
	}
	return b.report(ctx, batch, settled), nil
}

// report lists what failed and sets how long each stays hidden. From the first
// failure in a group on, the whole rest of the group fails with it and comes back
// at the same moment: one message still hidden would hold back the group.
func (b *Batch) report(ctx context.Context, batch []pipeline.Delivery, settled []pipeline.Settlement) events.SQSEventResponse {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	failed := map[string]time.Duration{} // wait by group
	var failures []events.SQSBatchItemFailure
	for i, d := range batch {
		after, behind := failed[d.Group]
		if !behind {
			if settled[i].Action == pipeline.Ack {
				continue
			}
			after = settled[i].After
			failed[d.Group] = after
		}
		failures = append(failures, events.SQSBatchItemFailure{ItemIdentifier: d.ID})
		if err := b.Queue.Extend(ctx, d, after); err != nil {
			// It still comes back, when the queue's own visibility is over.
			b.Log.Warn("set visibility", "queue_message_id", d.ID, "err", err)
		}
	}
	return events.SQSEventResponse{BatchItemFailures: failures}
}

func delivery(r events.SQSMessage) pipeline.Delivery {
	d := pipeline.Delivery{ID: r.MessageId, Receipt: r.ReceiptHandle, Body: []byte(r.Body)}
	sqsqueue.SetSystemAttributes(&d, r.Attributes)
	if len(r.MessageAttributes) > 0 {
		d.Attributes = make(map[string]string, len(r.MessageAttributes))
		for name, a := range r.MessageAttributes {
			if a.StringValue != nil {
				d.Attributes[name] = *a.StringValue
			}
		}
	}
	return d
}
