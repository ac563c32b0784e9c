// Package sqssend is the sending half of pipeline's queues on Amazon SQS, and what
// SQS accepts and refuses.
//
// It is the path between a chat platform and its acknowledgement: a send ends, well
// or badly, within 1.9 s, and nothing is prepared before the first. A send that
// succeeds is durable. Receiving, visibility and dead letters are sqsqueue's, which
// sends the same envelopes through the SDK.
package sqssend

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"

	"parley/pkg/awsjson"
	"parley/pkg/pipeline"
)

// NewClient returns a client for Outboxes.
func NewClient(cfg aws.Config) *awsjson.Client {
	return awsjson.New(cfg, awsjson.Service{Name: "sqs", ID: "SQS", Target: "AmazonSQS", Version: "1.0"})
}

// Outbox sends to one FIFO queue. It is safe for concurrent use.
type Outbox struct {
	client *awsjson.Client
	url    string
}

var _ pipeline.Outbox = (*Outbox)(nil)

// New returns the outbox of the queue at url, reached through client.
func New(client *awsjson.Client, url string) *Outbox { return &Outbox{client: client, url: url} }

// message is SendMessage's request, as its API reference has it.
type message struct {
	QueueURL   string               `json:"QueueUrl"`
	Body       string               `json:"MessageBody"`
	Group      string               `json:"MessageGroupId"`
	DedupID    string               `json:"MessageDeduplicationId"`
	Attributes map[string]attribute `json:"MessageAttributes,omitempty"`
}

type attribute struct {
	DataType    string `json:"DataType"`
	StringValue string `json:"StringValue"`
}

var errNotKept = errors.New("the answer is not that of a queue which kept the message: check the endpoint")

// Send implements pipeline.Outbox. A Group or DedupID that SQS would refuse is
// sent as its hash. Envelopes that SQS can never take fail permanently, before
// the call.
func (o *Outbox) Send(ctx context.Context, e pipeline.Envelope) error {
	e, err := Legal(e)
	if err != nil {
		return err
	}
	var kept struct {
		MD5 string `json:"MD5OfMessageBody"`
	}
	err = o.client.Call(ctx, "SendMessage", &message{
		QueueURL: o.url, Body: string(e.Body), Group: e.Group, DedupID: e.DedupID, Attributes: typed(e.Attributes),
	}, &kept)
	if sum := md5.Sum(e.Body); err == nil && kept.MD5 != hex.EncodeToString(sum[:]) {
		err = errNotKept
	}
	if err != nil {
		return Classify("send message", err)
	}
	return nil
}

func typed(attributes map[string]string) map[string]attribute {
	if len(attributes) == 0 {
		return nil
	}
	out := make(map[string]attribute, len(attributes))
	for name, value := range attributes {
		out[name] = attribute{DataType: "String", StringValue: value}
	}
	return out
}
