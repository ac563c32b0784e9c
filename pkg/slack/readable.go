package slack

import (
	"encoding/json"
	"strings"
)

// Readable turns a message's mrkdwn into plain text for a model: entities
// resolved, mentions, links and dates written out. A message without text is read
// from its blocks.
func Readable(mrkdwn string, blocks json.RawMessage) string {
	if strings.TrimSpace(mrkdwn) == "" {
		mrkdwn = blocksText(blocks)
	}
	text, _ := clean(mrkdwn, "")
	return text
}
