package sqsqueue_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"parley/pkg/pipeline"
	"parley/pkg/pipelinetest"
	"parley/pkg/sqsqueue"
	"parley/pkg/sqsqueue/sqssend"
)

// TestContractsOnEmulator runs the suites over sockets against a queue server
// that somebody else wrote. scripts/emulators starts it and sets the variable.
func TestContractsOnEmulator(t *testing.T) {
	endpoint := os.Getenv("PARLEY_TEST_SQS_URL")
	if endpoint == "" {
		t.Skip("PARLEY_TEST_SQS_URL is not set; make test-emulators sets it")
	}
	cfg := aws.Config{
		Region: "us-east-1", BaseEndpoint: &endpoint,
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	}
	client := sqs.NewFromConfig(cfg)
	f := pipelinetest.Features{MaxReceives: maxReceives}
	queues := func(sending func(string) pipeline.Outbox) func(*testing.T) pipelinetest.QueueUnderTest {
		return func(t *testing.T) pipelinetest.QueueUnderTest {
			queue, dead := emulatedPair(t, client)
			return pipelinetest.QueueUnderTest{
				Queue: forgetful{split{sqsqueue.New(client, queue), sending(queue)}}, Dead: sqsqueue.NewDeadLetters(client, dead),
			}
		}
	}
	t.Run("sqsqueue", func(t *testing.T) {
		pipelinetest.TestQueue(t, queues(func(url string) pipeline.Outbox { return sqsqueue.New(client, url) }), f)
	})
	t.Run("sqssend", func(t *testing.T) {
		pipelinetest.TestQueue(t, queues(func(url string) pipeline.Outbox { return sqssend.New(sqssend.NewClient(cfg), url) }), f)
	})
	pipelinetest.TestDeadLetters(t, func(t *testing.T) pipelinetest.DeadLettersUnderTest {
		_, dead := emulatedPair(t, client)
		return pipelinetest.DeadLettersUnderTest{
			Outbox: sqsqueue.New(client, dead), Letters: sqsqueue.NewDeadLetters(client, dead),
		}
	}, f)
}

// forgetful makes up for ElasticMQ, which forgets the receipts of deleted messages
// and refuses to delete twice. SQS answers such a call with success.
type forgetful struct{ split }

func (q forgetful) Delete(ctx context.Context, d pipeline.Delivery) error {
	err := q.Queue.Delete(ctx, d)
	var unknown *types.ReceiptHandleIsInvalid
	if errors.As(err, &unknown) {
		return nil
	}
	return err
}

// emulatedPair makes a queue with its dead-letter queue and returns their URLs.
func emulatedPair(t *testing.T, client *sqs.Client) (queue, dead string) {
	t.Helper()
	name := rand.Text()
	create := func(name string, attributes map[string]string) string {
		attributes["FifoQueue"] = "true"
		out, err := client.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String(name + ".fifo"), Attributes: attributes})
		if err != nil {
			t.Fatal(err)
		}
		return *out.QueueUrl
	}
	dead = create(name+"-dead", map[string]string{})
	out, err := client.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: &dead, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameQueueArn},
	})
	if err != nil {
		t.Fatal(err)
	}
	queue = create(name, map[string]string{
		"RedrivePolicy": fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":"%d"}`, out.Attributes["QueueArn"], maxReceives),
	})
	return queue, dead
}
