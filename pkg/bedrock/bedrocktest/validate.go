package bedrocktest

import (
	"fmt"
	"strings"
)

type converse struct {
	Messages []struct {
		Role    string
		Content []map[string]any
	}
	System          []map[string]any
	InferenceConfig map[string]any
}

// validate returns the service's ValidationException for a Converse request that
// the service or the models behind it refuse, nil for any other call.
func validate(c Call) *Response {
	if c.Operation != OpConverseStream && c.Operation != OpConverse {
		return nil
	}
	var in converse
	c.Decode(&in)
	if problem := in.problem(); problem != "" {
		return Fail(400, "ValidationException", problem)
	}
	return nil
}

func (in converse) problem() string {
	if len(in.Messages) == 0 {
		return "messages: at least one message is required"
	}
	if max, ok := in.InferenceConfig["maxTokens"].(float64); ok && max < 1 {
		return "inferenceConfig.maxTokens: must be at least 1"
	}
	for _, block := range in.System {
		if text, ok := block["text"].(string); ok && strings.TrimSpace(text) == "" {
			return "system: text content blocks must be non-empty"
		}
	}
	for i, m := range in.Messages {
		if want := [2]string{"user", "assistant"}[i%2]; m.Role != want {
			return fmt.Sprintf("messages.%d: roles must alternate, want %s, got %s", i, want, m.Role)
		}
		if problem := contentProblem(m.Role, m.Content); problem != "" {
			return fmt.Sprintf("messages.%d: %s", i, problem)
		}
	}
	if in.Messages[len(in.Messages)-1].Role != "user" {
		return "messages: the last message must be the user's"
	}
	return ""
}

func contentProblem(role string, content []map[string]any) string {
	var texts, documents, images int
	for _, block := range content {
		for kind, value := range block {
			switch kind {
			case "text":
				texts++
				if strings.TrimSpace(value.(string)) == "" {
					return "text content blocks must be non-empty"
				}
			case "document":
				documents++
			case "image":
				images++
			}
		}
	}
	switch {
	case len(content) == 0:
		return "content must not be empty"
	case role != "user" && documents+images > 0:
		return "images and documents are the user's only"
	case documents > 0 && texts == 0:
		return "a message with a document needs a text block"
	case documents > 5:
		return "too many documents"
	case images > 20:
		return "too many images"
	}
	return ""
}
