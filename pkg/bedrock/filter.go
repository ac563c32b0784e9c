package bedrock

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrockagentruntime/document"
	"github.com/aws/aws-sdk-go-v2/service/bedrockagentruntime/types"
)

// maxFilterDepth bounds the nesting of andAll and orAll. The service takes less.
const maxFilterDepth = 8

// ParseFilter reads a metadata filter as the service writes it, such as
//
//	{"andAll": [{"equals": {"key": "team", "value": "support"}},
//	            {"in": {"key": "lang", "value": ["en", "zh"]}}]}
//
// with the operators equals, notEquals, greaterThan, greaterThanOrEquals, lessThan,
// lessThanOrEquals, in, notIn, startsWith, stringContains, listContains, andAll and
// orAll. Which of them work depends on the vector store: S3 Vectors passes over
// startsWith and stringContains.
func ParseFilter(data []byte) (types.RetrievalFilter, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	var node map[string]json.RawMessage
	if err := decoder.Decode(&node); err != nil {
		return nil, fmt.Errorf("filter is not a JSON object: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("filter has text after its end")
	}
	return parseNode(node, 0)
}

func parseNode(node map[string]json.RawMessage, depth int) (types.RetrievalFilter, error) {
	if depth > maxFilterDepth {
		return nil, fmt.Errorf("filter is nested deeper than %d", maxFilterDepth)
	}
	if len(node) != 1 {
		return nil, fmt.Errorf("filter: an object needs exactly one operator, not %d", len(node))
	}
	for operator, value := range node {
		if operator == "andAll" || operator == "orAll" {
			return parseGroup(operator, value, depth)
		}
		return parseTest(operator, value)
	}
	return nil, nil // unreachable: node has one key
}

func parseGroup(operator string, data json.RawMessage, depth int) (types.RetrievalFilter, error) {
	var nodes []map[string]json.RawMessage
	if err := json.Unmarshal(data, &nodes); err != nil {
		return nil, fmt.Errorf("filter %s: %w", operator, err)
	}
	if len(nodes) < 2 {
		return nil, fmt.Errorf("filter %s: needs at least two parts, not %d", operator, len(nodes))
	}
	var parts []types.RetrievalFilter
	for _, node := range nodes {
		part, err := parseNode(node, depth+1)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	if operator == "andAll" {
		return &types.RetrievalFilterMemberAndAll{Value: parts}, nil
	}
	return &types.RetrievalFilterMemberOrAll{Value: parts}, nil
}

// tests maps an operator to its filter.
var tests = map[string]func(types.FilterAttribute) types.RetrievalFilter{
	"equals": func(a types.FilterAttribute) types.RetrievalFilter {
		return &types.RetrievalFilterMemberEquals{Value: a}
	},
	"notEquals": func(a types.FilterAttribute) types.RetrievalFilter {
		return &types.RetrievalFilterMemberNotEquals{Value: a}
	},
	"greaterThan": func(a types.FilterAttribute) types.RetrievalFilter {
		return &types.RetrievalFilterMemberGreaterThan{Value: a}
	},
	"greaterThanOrEquals": func(a types.FilterAttribute) types.RetrievalFilter {
		return &types.RetrievalFilterMemberGreaterThanOrEquals{Value: a}
	},
	"lessThan": func(a types.FilterAttribute) types.RetrievalFilter {
		return &types.RetrievalFilterMemberLessThan{Value: a}
	},
	"lessThanOrEquals": func(a types.FilterAttribute) types.RetrievalFilter {
		return &types.RetrievalFilterMemberLessThanOrEquals{Value: a}
	},
	"in": func(a types.FilterAttribute) types.RetrievalFilter { return &types.RetrievalFilterMemberIn{Value: a} },
	"notIn": func(a types.FilterAttribute) types.RetrievalFilter {
		return &types.RetrievalFilterMemberNotIn{Value: a}
	},
	"startsWith": func(a types.FilterAttribute) types.RetrievalFilter {
		return &types.RetrievalFilterMemberStartsWith{Value: a}
	},
	"stringContains": func(a types.FilterAttribute) types.RetrievalFilter {
		return &types.RetrievalFilterMemberStringContains{Value: a}
	},
	"listContains": func(a types.FilterAttribute) types.RetrievalFilter {
		return &types.RetrievalFilterMemberListContains{Value: a}
	},
}

func parseTest(operator string, data json.RawMessage) (types.RetrievalFilter, error) {
	build, ok := tests[operator]
	if !ok {
		return nil, fmt.Errorf("filter: no operator %q", clip(operator, 40))
	}
	var attribute struct {
		Key   string
		Value any
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&attribute); err != nil {
		return nil, fmt.Errorf("filter %s: %w", operator, err)
	}
	if attribute.Key == "" || len(attribute.Key) > 100 {
		return nil, fmt.Errorf("filter %s: the key must have 1 to 100 characters", operator)
	}
	if err := checkValue(operator, attribute.Value); err != nil {
		return nil, fmt.Errorf("filter %s on %s: %w", operator, attribute.Key, err)
	}
	return build(types.FilterAttribute{Key: aws.String(attribute.Key), Value: document.NewLazyDocument(attribute.Value)}), nil
}

// checkValue refuses what the service would refuse with every question.
func checkValue(operator string, value any) error {
	list, isList := value.([]any)
	_, isNumber := value.(float64)
	_, isText := value.(string)
	_, isBool := value.(bool)
	wants := ""
	switch operator {
	case "in", "notIn":
		if !isList || len(list) == 0 || slices.ContainsFunc(list, func(v any) bool { return checkValue("equals", v) != nil }) {
			wants = "a list of texts, numbers or booleans"
		}
	case "greaterThan", "greaterThanOrEquals", "lessThan", "lessThanOrEquals":
		if !isNumber {
			wants = "a number"
		}
	case "startsWith", "stringContains", "listContains":
		if !isText {
			wants = "a text"
		}
	default:
		if !isNumber && !isText && !isBool {
			wants = "a text, a number or a boolean"
		}
	}
	if wants != "" {
		return fmt.Errorf("the value must be %s", wants)
	}
	return nil
}
