package sqsqueue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"parley/pkg/pipeline"
	"parley/pkg/sqsqueue/sqssend"
)

// Bounds of one look through a dead-letter queue. Letters are held only while it
// lasts, so it ends well before the first of them would come back by itself.
const (
	lookHidden = 60 * time.Second
	lookTime   = 40 * time.Second
	lookWait   = time.Second // a long poll asks every server of the queue
	lookMost   = 2000        // letters
	giveBack   = 10 * time.Second
	passes     = 3 // of Remove, before it says that it cannot reach a letter
)

// ErrHidden means that a letter is behind others of its conversation, or held by
// somebody else, and cannot be reached now.
var ErrHidden = errors.New("letter cannot be reached now; remove those before it, or try again in a minute")

// DeadLetters is a FIFO dead-letter queue. SQS has no way to look without
// receiving, and a receive hides the rest of each group; so every look holds what
// it can get for a moment and then gives all of it back. It raises the letters'
// receive counts, which nothing depends on in a queue without redrive. It is safe
// for concurrent use, though two looks at once each see less.
type DeadLetters struct {
	queue *Queue
}

// NewDeadLetters returns the dead-letter queue at url, reached through client.
func NewDeadLetters(client *sqs.Client, url string) *DeadLetters {
	return &DeadLetters{queue: New(client, url)}
}

// Letters implements pipeline.DeadLetters. It is complete when SQS's own counts
// say that nothing else is there; they lag, so complete may be false for up to a
// minute when it could be true.
func (d *DeadLetters) Letters(ctx context.Context) (letters []pipeline.Delivery, complete bool, err error) {
	held, exhausted, err := d.hold(ctx, "")
	letters = slices.Clone(held)
	if err == nil && exhausted {
		complete, err = d.isAll(ctx, len(held))
	}
	err = errors.Join(err, d.giveBack(ctx, held))
	if err != nil {
		return nil, false, err
	}
	slices.SortStableFunc(letters, func(a, b pipeline.Delivery) int { return a.SentAt.Compare(b.SentAt) })
	return letters, complete, nil
}

// Remove implements pipeline.DeadLetters. The receipt that Letters got is worth
// nothing once it gave the letter back, so Remove looks for the letter again. It
// fails with ErrHidden where it can neither find it nor tell that it is gone.
func (d *DeadLetters) Remove(ctx context.Context, letter pipeline.Delivery) error {
	for range passes {
		held, exhausted, err := d.hold(ctx, letter.ID)
		var found, gone bool
		if i := slices.IndexFunc(held, func(h pipeline.Delivery) bool { return h.ID == letter.ID }); i >= 0 && err == nil {
			if err = d.queue.Delete(ctx, held[i]); err == nil {
				found, held = true, slices.Delete(held, i, i+1)
			}
		} else if err == nil && exhausted {
			gone, err = d.isAll(ctx, len(held))
		}
		if err = errors.Join(err, d.giveBack(ctx, held)); err != nil || found || gone {
			return err
		}
	}
	return pipeline.Transient(pipeline.ReasonStore, fmt.Errorf("remove letter %s: %w", letter.ID, ErrHidden))
}

// hold receives letters until none comes, until it holds the one with ID wanted,
// or until its bounds. exhausted means that none came any more.
func (d *DeadLetters) hold(ctx context.Context, wanted string) (held []pipeline.Delivery, exhausted bool, err error) {
	start := time.Now()
	for len(held) < lookMost && time.Since(start) < lookTime {
		ds, err := d.queue.Receive(ctx, maxBatch, lookWait, lookHidden)
		if err != nil {
			return held, false, err
		}
		if len(ds) == 0 {
			return held, true, nil
		}
		held = append(held, ds...)
		if wanted != "" && slices.ContainsFunc(ds, func(d pipeline.Delivery) bool { return d.ID == wanted }) {
			return held, false, nil
		}
	}
	return held, false, nil
}

// isAll reports whether SQS counts exactly the letters that are held.
func (d *DeadLetters) isAll(ctx context.Context, held int) (bool, error) {
	depth, err := d.queue.Depth(ctx)
	return depth.Visible == 0 && depth.InFlight == held, err
}

// giveBack makes held letters visible, also when ctx has ended: an operator who
// interrupts a listing must not hide the queue from the next one.
func (d *DeadLetters) giveBack(ctx context.Context, held []pipeline.Delivery) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveBack)
	defer cancel()
	for batch := range slices.Chunk(held, maxBatch) {
		entries := make([]types.ChangeMessageVisibilityBatchRequestEntry, len(batch))
		for i, l := range batch {
			entries[i] = types.ChangeMessageVisibilityBatchRequestEntry{
				Id: aws.String(strconv.Itoa(i)), ReceiptHandle: &l.Receipt, VisibilityTimeout: 0,
			}
		}
		out, err := d.queue.client.ChangeMessageVisibilityBatch(ctx, &sqs.ChangeMessageVisibilityBatchInput{
			QueueUrl: &d.queue.url, Entries: entries,
		})
		if err != nil {
			return sqssend.Classify("give letters back", err)
		}
		for _, f := range out.Failed {
			return pipeline.Transient(pipeline.ReasonStore, fmt.Errorf("give letters back: %s (visible again within a minute)", aws.ToString(f.Code)))
		}
	}
	return nil
}
