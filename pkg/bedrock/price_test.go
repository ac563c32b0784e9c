package bedrock_test

import (
	"testing"

	"parley/pkg/bedrock"
	"parley/pkg/chat"
)

func TestCost(t *testing.T) {
	prices, err := bedrock.ParsePrices([]byte(`{
		"anthropic.claude": {"input": 3, "output": 15},
		"anthropic.claude-haiku-4-5": {"input": 1, "output": 5, "cache_read": 0.1, "cache_write": 1.25},
		"us.anthropic.claude-haiku-4-5": {"input": 2},
		"arn:aws:bedrock:eu-west-1:1:application-inference-profile/ab12": {"input": 7}
	}`))
	if err != nil {
		t.Fatal(err)
	}
	usage := chat.Usage{Input: 1_000_000, Output: 100_000, CacheRead: 2_000_000, CacheWrite: 400_000}
	for _, test := range []struct {
		model string
		cost  float64
		ok    bool
	}{
		{"anthropic.claude-haiku-4-5-20251001-v1:0", 1 + 0.5 + 0.2 + 0.5, true},
		{"global.anthropic.claude-haiku-4-5-20251001-v1:0", 1 + 0.5 + 0.2 + 0.5, true},
		{"us.anthropic.claude-haiku-4-5-20251001-v1:0", 2, true},
		{"arn:aws:bedrock:eu-west-1:1:inference-profile/eu.anthropic.claude-sonnet-5", 3 + 1.5, true},
		{"arn:aws:bedrock:eu-west-1:1:application-inference-profile/ab12", 7, true},
		{"amazon.nova-pro-v1:0", 0, false},
		{"", 0, false},
	} {
		cost, ok := prices.Cost(test.model, usage)
		if diff := cost - test.cost; diff > 1e-9 || diff < -1e-9 || ok != test.ok {
			t.Errorf("%s costs %v, %v; want %v, %v", test.model, cost, ok, test.cost, test.ok)
		}
	}
}

func TestParsePricesRefuses(t *testing.T) {
	for _, bad := range []string{``, `[]`, `{"m": 1}`, `{"m": {"inputs": 1}}`, `{"m": {"input": -1}}`, `{"": {"input": 1}}`} {
		if p, err := bedrock.ParsePrices([]byte(bad)); err == nil {
			t.Errorf("%s gave %v", bad, p)
		}
	}
	if cost, ok := bedrock.Prices(nil).Cost("m", chat.Usage{Input: 1}); cost != 0 || ok {
		t.Errorf("no table: %v, %v", cost, ok)
	}
}
