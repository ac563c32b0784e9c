package bedrocktest

import (
	"fmt"
	"strings"
)

// Default answers a call that was not scripted: a stream that repeats the newest
// question in a few pieces, and knowledge as far as it was ingested.
func (s *Server) Default(c Call) *Response {
	switch c.Operation {
	case OpConverseStream:
		said := "You said: " + LastText(c)
		return Answer(strings.SplitAfter(said, " ")...)
	case OpConverse:
		return JSON(object{
			"output":     object{"message": object{"role": "assistant", "content": []object{{"text": "You said: " + LastText(c)}}}},
			"stopReason": "end_turn",
			"usage":      object{"inputTokens": 10, "outputTokens": 5, "totalTokens": 15},
			"metrics":    object{"latencyMs": 12},
		})
	}
	return s.store.respond(c)
}

// LastText is the last text of the last message, where Parley puts the question.
func LastText(c Call) string {
	var in converse
	c.Decode(&in)
	last := in.Messages[len(in.Messages)-1].Content
	for i := len(last) - 1; i >= 0; i-- {
		if text, ok := last[i]["text"].(string); ok {
			return text
		}
		if guarded, ok := last[i]["guardContent"].(map[string]any); ok {
			return fmt.Sprint(guarded["text"].(map[string]any)["text"])
		}
	}
	return ""
}
