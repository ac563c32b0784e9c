package bedrock

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"parley/pkg/chat"
)

// Price is what a model costs per million tokens, in whatever currency the table
// is written in.
type Price struct {
	Input      float64 `json:"input"`
	Output     float64 `json:"output"`
	CacheRead  float64 `json:"cache_read"`
	CacheWrite float64 `json:"cache_write"`
}

// Prices is a price table: prefixes of model ids and what those models cost. Prices
// change and differ by region, so there is no table but the operator's own.
type Prices map[string]Price

// ParsePrices reads a table such as
//
//	{"anthropic.claude-haiku-4-5": {"input": 1, "output": 5, "cache_read": 0.1, "cache_write": 1.25}}
func ParsePrices(data []byte) (Prices, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	var p Prices
	if err := decoder.Decode(&p); err != nil {
		return nil, fmt.Errorf("price table: %w", err)
	}
	for prefix, price := range p {
		if prefix == "" || min(price.Input, price.Output, price.CacheRead, price.CacheWrite) < 0 {
			return nil, fmt.Errorf("price table: entry %q has an empty prefix or a negative price", prefix)
		}
	}
	return p, nil
}

// Cost estimates what a call cost. The longest prefix decides; it is looked for in
// the id as it is, without its ARN, and without the region of an inference profile.
// ok is false if the model is not in the table.
func (p Prices) Cost(modelID string, u chat.Usage) (cost float64, ok bool) {
	price, ok := p.find(modelID)
	if !ok {
		return 0, false
	}
	const million = 1e6
	return (float64(u.Input)*price.Input + float64(u.Output)*price.Output +
		float64(u.CacheRead)*price.CacheRead + float64(u.CacheWrite)*price.CacheWrite) / million, true
}

func (p Prices) find(modelID string) (found Price, ok bool) {
	bare := modelID[strings.LastIndex(modelID, "/")+1:]
	_, model, _ := strings.Cut(bare, ".")
	longest := 0
	for _, prefix := range slices.Sorted(maps.Keys(p)) {
		matches := strings.HasPrefix(modelID, prefix) || strings.HasPrefix(bare, prefix) || strings.HasPrefix(model, prefix)
		if matches && len(prefix) > longest {
			found, ok, longest = p[prefix], true, len(prefix)
		}
	}
	return found, ok
}

// PriceOf reads the table in data and returns what a call costs under it, where "" is
// the model called modelID. Without a table nothing has a price, and the function
// is nil. must makes a modelID without a price an error.
func PriceOf(data, modelID string, must bool) (func(model string, u chat.Usage) (float64, bool), error) {
	if data == "" {
		return nil, nil
	}
	prices, err := ParsePrices([]byte(data))
	if err != nil {
		return nil, err
	}
	if _, ok := prices.find(modelID); must && !ok {
		return nil, fmt.Errorf("price table: no entry for %s", modelID)
	}
	return func(model string, u chat.Usage) (float64, bool) {
		if model == "" {
			model = modelID
		}
		return prices.Cost(model, u)
	}, nil
}
