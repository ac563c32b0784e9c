package bedrock

import (
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/types"

	"parley/pkg/pipeline"
)

// Stand-ins where a person sent no words: a turn of the user must come before one
// of the assistant, and a question needs a text block.
const (
	wordless         = "(a message without words)"
	wordlessQuestion = "(no words; please look at what is attached)"
)

// staleMarker is a citation of an earlier answer. Its number meant another list of
// passages.
var staleMarker = regexp.MustCompile(` \[\d{1,2}\]`)

// turns renders history as messages that begin with the user, alternate, and hold
// no empty block. Exchanges without an answer run together with the next question.
func turns(history []pipeline.Exchange) []types.Message {
	var messages []types.Message
	say := func(role types.ConversationRole, text string) {
		block := &types.ContentBlockMemberText{Value: text}
		if n := len(messages); n > 0 && messages[n-1].Role == role {
			messages[n-1].Content = append(messages[n-1].Content, block)
			return
		}
		messages = append(messages, types.Message{Role: role, Content: []types.ContentBlock{block}})
	}
	for _, e := range history {
		question, answer := strings.TrimSpace(e.Question), strings.TrimSpace(e.Answer)
		if text := strings.TrimSpace(e.Attachments); text != "" {
			say(types.ConversationRoleUser, quoted("attachment", "", text))
		}
		switch {
		case question != "":
			say(types.ConversationRoleUser, question)
		case answer != "":
			say(types.ConversationRoleUser, wordless)
		}
		if answer = staleMarker.ReplaceAllString(answer, ""); answer != "" {
			say(types.ConversationRoleAssistant, answer)
		}
	}
	return messages
}

// newerHalf drops the older half of history, at least one exchange.
func newerHalf(history []pipeline.Exchange) []pipeline.Exchange {
	return history[(len(history)+1)/2:]
}
