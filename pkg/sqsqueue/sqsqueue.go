// Package sqsqueue is pipeline's queue, outbox and dead letters on Amazon SQS
// FIFO queues.
//
// It promises what pipeline.Queue promises and adds nothing to what SQS does:
// order within a group, one batch of a group in flight, deduplication for five
// minutes after the first send, dead-lettering after maxReceiveCount. Standard
// queues are refused by SQS itself, because every message names its group.
//
// It knows no chat platform, database or model, and reads no environment. What
// functions/ingress links to send alone is sqssend; the batch adapter for Lambda is
// sqslambda, a fake of the service for tests is sqstest.
package sqsqueue

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"parley/pkg/pipeline"
	"parley/pkg/sqsqueue/sqssend"
)

// Limits of SQS.
const (
	maxBatch  = 10
	maxWait   = 20 * time.Second
	maxHidden = 12 * time.Hour // counted from the receive
)

// Queue is one FIFO queue. It has no state of its own and is safe for concurrent
// use.
type Queue struct {
	client *sqs.Client
	url    string
}

// New returns the queue at url, reached through client.
func New(client *sqs.Client, url string) *Queue { return &Queue{client: client, url: url} }

// Send implements pipeline.Outbox. A Group or DedupID that SQS would refuse is
// sent as its hash. Envelopes that SQS can never take fail permanently, before
// the call.
func (q *Queue) Send(ctx context.Context, e pipeline.Envelope) error {
	e, err := sqssend.Legal(e)
	if err != nil {
		return err
	}
	_, err = q.client.SendMessage(ctx, &sqs.SendMessageInput{
		QueueUrl:               &q.url,
		MessageBody:            aws.String(string(e.Body)),
		MessageGroupId:         &e.Group,
		MessageDeduplicationId: &e.DedupID,
		MessageAttributes:      messageAttributes(e.Attributes),
	})
	if err != nil {
		return sqssend.Classify("send message", err)
	}
	return nil
}

func messageAttributes(attributes map[string]string) map[string]types.MessageAttributeValue {
	if len(attributes) == 0 {
		return nil
	}
	out := make(map[string]types.MessageAttributeValue, len(attributes))
	for name, value := range attributes {
		out[name] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: &value}
	}
	return out
}

// receivedAttributes are the system attributes that make up a Delivery.
var receivedAttributes = []types.MessageSystemAttributeName{
	types.MessageSystemAttributeNameMessageGroupId,
	types.MessageSystemAttributeNameMessageDeduplicationId,
	types.MessageSystemAttributeNameApproximateReceiveCount,
	types.MessageSystemAttributeNameApproximateFirstReceiveTimestamp,
	types.MessageSystemAttributeNameSentTimestamp,
}

// Receive implements pipeline.Queue. SQS counts in seconds: wait and hidden are
// rounded up, wait is at most 20 s. Ending ctx during a wait can lose what SQS
// was about to return until hidden is over.
func (q *Queue) Receive(ctx context.Context, max int, wait, hidden time.Duration) ([]pipeline.Delivery, error) {
	out, err := q.client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl:                    &q.url,
		MaxNumberOfMessages:         int32(min(max, maxBatch)),
		WaitTimeSeconds:             seconds(min(wait, maxWait)),
		VisibilityTimeout:           seconds(hidden),
		MessageAttributeNames:       []string{"All"},
		MessageSystemAttributeNames: receivedAttributes,
	})
	if err != nil {
		return nil, sqssend.Classify("receive messages", err)
	}
	ds := make([]pipeline.Delivery, len(out.Messages))
	for i, m := range out.Messages {
		ds[i] = delivery(m)
	}
	return ds, nil
}

// Extend implements pipeline.Visibility. hidden is rounded up to seconds; SQS
// hides a message for at most twelve hours from its receive.
func (q *Queue) Extend(ctx context.Context, d pipeline.Delivery, hidden time.Duration) error {
	_, err := q.client.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{
		QueueUrl:          &q.url,
		ReceiptHandle:     &d.Receipt,
		VisibilityTimeout: seconds(min(hidden, maxHidden)),
	})
	if err != nil {
		return sqssend.Classify("change message visibility", err)
	}
	return nil
}

// Delete implements pipeline.Queue. A FIFO queue refuses a receipt whose
// visibility has run out: that is an error here, because the message comes again.
func (q *Queue) Delete(ctx context.Context, d pipeline.Delivery) error {
	_, err := q.client.DeleteMessage(ctx, &sqs.DeleteMessageInput{
		QueueUrl: &q.url, ReceiptHandle: &d.Receipt,
	})
	if err != nil {
		return sqssend.Classify("delete message", err)
	}
	return nil
}

// Depth returns SQS's approximate counts, which settle within a minute of the
// last change. The age of the oldest message is CloudWatch's to tell.
func (q *Queue) Depth(ctx context.Context) (pipeline.Depth, error) {
	out, err := q.client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: &q.url,
		AttributeNames: []types.QueueAttributeName{
			types.QueueAttributeNameApproximateNumberOfMessages,
			types.QueueAttributeNameApproximateNumberOfMessagesNotVisible,
		},
	})
	if err != nil {
		return pipeline.Depth{}, sqssend.Classify("get queue attributes", err)
	}
	count := func(name types.QueueAttributeName) int { return atoi(out.Attributes[string(name)]) }
	return pipeline.Depth{
		Visible:  count(types.QueueAttributeNameApproximateNumberOfMessages),
		InFlight: count(types.QueueAttributeNameApproximateNumberOfMessagesNotVisible),
	}, nil
}

func delivery(m types.Message) pipeline.Delivery {
	d := pipeline.Delivery{
		ID:      aws.ToString(m.MessageId),
		Receipt: aws.ToString(m.ReceiptHandle),
		Body:    []byte(aws.ToString(m.Body)),
	}
	SetSystemAttributes(&d, m.Attributes)
	if len(m.MessageAttributes) > 0 {
		d.Attributes = make(map[string]string, len(m.MessageAttributes))
		for name, v := range m.MessageAttributes {
			d.Attributes[name] = aws.ToString(v.StringValue)
		}
	}
	return d
}

func seconds(d time.Duration) int32 {
	return int32((max(d, 0) + time.Second - 1) / time.Second)
}
