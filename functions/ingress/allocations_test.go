//go:build !race

// The race detector allocates, too.

package main

import (
	"context"
	"testing"

	"parley/pkg/pipeline"
)

// What an event may cost, beside the call to the queue and with it: garbage is what
// makes the slowest acknowledgements slow.
const (
	maxAllocations = 60
	maxCall        = 120
)

func TestAllocations(t *testing.T) {
	g, queue, service := serving(t)
	event := mention(t)
	whole := testing.AllocsPerRun(200, func() {
		if _, err := g.Invoke(context.Background(), event); err != nil {
			t.Fatal(err)
		}
	})
	sent := service.last
	ready := pipeline.Envelope{Group: sent.MessageGroupID, DedupID: sent.MessageDeduplicationID, Body: []byte(sent.MessageBody)}
	call := testing.AllocsPerRun(200, func() {
		if err := queue.Send(context.Background(), ready); err != nil {
			t.Fatal(err)
		}
	})
	t.Logf("%.0f allocations an event, %.0f of them in the call to the queue", whole, call)
	if whole-call > maxAllocations {
		t.Errorf("%.0f allocations beside the call; the budget is %d", whole-call, maxAllocations)
	}
	if call > maxCall {
		t.Errorf("%.0f allocations in the call; the budget is %d", call, maxCall)
	}
}
