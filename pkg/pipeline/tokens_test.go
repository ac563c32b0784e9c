package pipeline_test

import (
	"strings"
	"testing"

	"parley/pkg/pipeline"
)

func TestEstimateTokens(t *testing.T) {
	for _, c := range []struct {
		text string
		want int
	}{
		{"", 0},
		{"a", 1},
		{"abcd", 1},
		{"abcde", 2},
		{"доброе", 3},
		{"你好", 2},
		{"안녕", 2},
		{strings.Repeat("x", 4000), 1000},
	} {
		if got := pipeline.EstimateTokens(c.text); got != c.want {
			t.Errorf("EstimateTokens(%.10q) = %d, want %d", c.text, got, c.want)
		}
	}
	turn := pipeline.Turn{Question: "你好", Answer: "abcd", Attachments: "ab"}
	if got := turn.EstimateTokens(); got != 4 {
		t.Errorf("turn: %d tokens, want 4", got)
	}
}
