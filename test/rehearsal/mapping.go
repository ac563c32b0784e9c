package rehearsal

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"parley/test/runtimeapi"
)

// mapping drives a function from a queue as Lambda's event source mapping does: it
// receives with the queue's own visibility, deletes what the function did not
// report as failed, and leaves the rest to its visibility.
type mapping struct {
	client      *sqs.Client
	queueURL    string
	queueARN    string
	function    *runtimeapi.Function
	batchSize   int
	concurrency int
	report      func(err error) // of failed invocations
}

// run polls until ctx ends and then waits for the invocations under way.
func (m mapping) run(ctx context.Context) {
	var pollers sync.WaitGroup
	for range m.concurrency {
		pollers.Go(func() {
			for ctx.Err() == nil {
				m.poll(ctx)
			}
		})
	}
	pollers.Wait()
}

func (m mapping) poll(ctx context.Context) {
	out, err := m.client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: &m.queueURL, MaxNumberOfMessages: int32(m.batchSize), WaitTimeSeconds: 5,
		MessageAttributeNames:       []string{"All"},
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
	})
	if err != nil {
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
		return
	}
	if len(out.Messages) == 0 {
		return
	}
	ctx = context.WithoutCancel(ctx)
	event, err := json.Marshal(sqsEvent(m.queueARN, out.Messages))
	if err != nil {
		panic(err) // strings always encode
	}
	result, err := m.function.Invoke(ctx, event)
	if err != nil {
		m.report(err)
		return
	}
	failed, err := failures(result.Payload, out.Messages)
	if err != nil {
		m.report(err)
		return
	}
	for _, message := range out.Messages {
		if !slices.Contains(failed, aws.ToString(message.MessageId)) {
			// Too late is too late: the message comes again.
			_, _ = m.client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &m.queueURL, ReceiptHandle: message.ReceiptHandle})
		}
	}
}

// failures reads a partial batch response. One that names a message which is not
// in the batch fails the whole batch.
func failures(payload []byte, batch []types.Message) ([]string, error) {
	var r events.SQSEventResponse
	if err := json.Unmarshal(payload, &r); err != nil {
		return nil, err
	}
	var ids []string
	for _, f := range r.BatchItemFailures {
		if !slices.ContainsFunc(batch, func(m types.Message) bool { return aws.ToString(m.MessageId) == f.ItemIdentifier }) {
			return nil, errors.New("the function reports a message that it was not given")
		}
		ids = append(ids, f.ItemIdentifier)
	}
	return ids, nil
}

func sqsEvent(queueARN string, batch []types.Message) events.SQSEvent {
	e := events.SQSEvent{Records: make([]events.SQSMessage, len(batch))}
	for i, m := range batch {
		r := events.SQSMessage{
			MessageId: aws.ToString(m.MessageId), ReceiptHandle: aws.ToString(m.ReceiptHandle), Body: aws.ToString(m.Body),
			Md5OfBody: aws.ToString(m.MD5OfBody), Attributes: m.Attributes, MessageAttributes: map[string]events.SQSMessageAttribute{},
			EventSource: "aws:sqs", EventSourceARN: queueARN, AWSRegion: region,
		}
		for name, a := range m.MessageAttributes {
			r.MessageAttributes[name] = events.SQSMessageAttribute{StringValue: a.StringValue, DataType: aws.ToString(a.DataType)}
		}
		e.Records[i] = r
	}
	return e
}
