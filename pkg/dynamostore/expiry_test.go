package dynamostore

import (
	"testing"
	"time"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

// A turn that is written again, for feedback, lives no longer for it: the reset
// marker that hides it was set by its first life.
func TestFeedbackDoesNotProlongATurn(t *testing.T) {
	s := New(nil, "table", 24*time.Hour)
	answered := time.Now().Add(-20 * time.Hour)
	item := s.newTurnItem(pipeline.Turn{AnsweredAt: answered, Votes: []pipeline.Vote{{By: "U1", Verdict: chat.Up}}})
	if want := answered.Add(24 * time.Hour).Unix(); item.TTL != want {
		t.Errorf("ttl is %d, want %d", item.TTL, want)
	}
}
