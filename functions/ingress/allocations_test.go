//go:build !race

// The race detector allocates, too.

package main

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// maxAllocations is what an event may cost beyond the SDK's own call: garbage is
// what makes the slowest acknowledgements slow. Half of it are the strings that
// encoding/json makes of the gateway's event and Slack's.
const maxAllocations = 90

func TestAllocations(t *testing.T) {
	g, client, service := serving(t)
	event := mention(t)
	whole := testing.AllocsPerRun(200, func() {
		if _, err := g.Invoke(context.Background(), event); err != nil {
			t.Fatal(err)
		}
	})
	sent := service.last
	body := []byte(*sent.MessageBody)
	call := testing.AllocsPerRun(200, func() {
		in := &sqs.SendMessageInput{
			QueueUrl: sent.QueueUrl, MessageBody: aws.String(string(body)),
			MessageGroupId: aws.String(*sent.MessageGroupId), MessageDeduplicationId: aws.String(*sent.MessageDeduplicationId),
		}
		if _, err := client.SendMessage(context.Background(), in); err != nil {
			t.Fatal(err)
		}
	})
	t.Logf("%.0f allocations an event, %.0f of them the SDK's call", whole, call)
	if whole-call > maxAllocations {
		t.Errorf("%.0f allocations beyond the SDK's call; the budget is %d", whole-call, maxAllocations)
	}
}
