package slack

import (
	"encoding/json"
	"strings"
)

// deepest is how far blocks are followed; Slack nests about five levels.
const deepest = 10

// node is any block or element, known or not.
type node struct {
	Type        string            `json:"type"`
	Text        json.RawMessage   `json:"text"` // a string or a text object
	Elements    []json.RawMessage `json:"elements"`
	Fields      []json.RawMessage `json:"fields"`
	URL         string            `json:"url"`
	Name        string            `json:"name"`
	Range       string            `json:"range"`
	Fallback    string            `json:"fallback"`
	UserID      string            `json:"user_id"`
	ChannelID   string            `json:"channel_id"`
	UsergroupID string            `json:"usergroup_id"`
}

// blocksText returns what blocks say, in Slack's mrkdwn, for a message whose text
// is empty. What it does not know it looks through for text.
func blocksText(blocks json.RawMessage) string {
	var all []json.RawMessage
	if len(blocks) == 0 || decode(blocks, &all) != nil {
		return ""
	}
	var b strings.Builder
	for _, block := range all {
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		writeNode(&b, block, 0)
	}
	return b.String()
}

func writeNode(b *strings.Builder, raw json.RawMessage, depth int) {
	var n node
	if depth > deepest || decode(raw, &n) != nil {
		return
	}
	switch n.Type {
	case "user":
		b.WriteString("<@" + n.UserID + ">")
	case "channel":
		b.WriteString("<#" + n.ChannelID + ">")
	case "usergroup":
		b.WriteString("<!subteam^" + n.UsergroupID + ">")
	case "broadcast":
		b.WriteString("<!" + n.Range + ">")
	case "emoji":
		b.WriteString(":" + n.Name + ":")
	case "date":
		b.WriteString(escape(n.Fallback))
	case "link":
		b.WriteString("<" + escape(strings.ReplaceAll(n.URL, "|", "%7C")))
		if label := plainText(n.Text); label != "" {
			b.WriteString("|" + label)
		}
		b.WriteByte('>')
	default:
		began := b.Len()
		writeText(b, n.Text, n.Type, depth)
		for _, children := range [...][]json.RawMessage{n.Fields, n.Elements} {
			if len(children) > 0 && b.Len() > began {
				b.WriteByte('\n')
			}
			writeNodes(b, children, separator(n.Type), depth)
		}
	}
}

// separator stands between the elements of a block: lists and unknown blocks have
// one a line, sections run on.
func separator(blockType string) string {
	switch blockType {
	case "rich_text_section", "rich_text_quote", "rich_text_preformatted":
		return ""
	}
	return "\n"
}

func writeNodes(b *strings.Builder, nodes []json.RawMessage, separator string, depth int) {
	for i, raw := range nodes {
		if i > 0 {
			b.WriteString(separator)
		}
		writeNode(b, raw, depth+1)
	}
}

// writeText writes a text field: a string of rich text, which is literal, or a
// text object, which is mrkdwn already.
func writeText(b *strings.Builder, raw json.RawMessage, holder string, depth int) {
	var s string
	if len(raw) == 0 {
		return
	}
	if json.Unmarshal(raw, &s) != nil {
		writeNode(b, raw, depth+1)
		return
	}
	if holder != "mrkdwn" {
		s = escape(s)
	}
	b.WriteString(s)
}

// plainText is the text of a link, escaped.
func plainText(raw json.RawMessage) string {
	var s string
	if len(raw) == 0 || json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return escape(s)
}

var escaper = strings.NewReplacer("<", "&lt;", ">", "&gt;")

// escape makes rich text fit for mrkdwn. It leaves ampersands alone, so that text
// reads the same whether or not Slack escaped it.
func escape(s string) string { return escaper.Replace(s) }
