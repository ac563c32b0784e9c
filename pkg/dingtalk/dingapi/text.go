package dingapi

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"parley/pkg/chat"
	"parley/pkg/markdown"
	"parley/pkg/phrase"
)

// Bounds of one message. DingTalk takes 15,000 bytes as the JSON of a message and
// cuts what it displays at about 3,800 characters.
const (
	maxRunes = 3500
	maxBytes = 15_000
	// margin is what the mention, the title and their JSON add.
	margin = 600
)

// split cuts an answer into what fits messages, in Markdown that is not yet in
// DingTalk's dialect.
func split(md string) []string {
	for runes := maxRunes; ; runes /= 2 {
		parts := markdown.Split(md, markdown.Limits{Runes: runes, Bytes: maxBytes - margin})
		if fit(parts) || runes < 100 {
			return parts
		}
	}
}

func fit(parts []string) bool {
	for _, part := range parts {
		if encoded(forMessage(part)) > maxBytes-margin || encoded(forCard(part)) > maxBytes-margin {
			return false
		}
	}
	return true
}

// encoded is the length of s in JSON.
func encoded(s string) int {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return maxBytes
	}
	return b.Len()
}

// quickSend matches links that make whoever clicks them say something.
var quickSend = regexp.MustCompile(`(?i)dtmd:`)

// text is the answer as it is to be read, in Markdown. Nothing in it mentions
// anyone or acts for the reader.
func (w *work) text() string {
	md := strings.TrimSpace(w.reply.Markdown)
	if w.reply.Kind == chat.Stopped {
		if md == "" {
			md = w.say("stopped")
		} else {
			md += "\n\n" + w.say("stopped.mark")
		}
	}
	if md != "" {
		md += w.sources()
	}
	md = quickSend.ReplaceAllStringFunc(md, func(s string) string { return s[:len(s)-1] + "\u2060:" })
	return markdown.Safe(md)
}

// sources lists the citations below the answer.
func (w *work) sources() string {
	if len(w.reply.Citations) == 0 {
		return ""
	}
	var b strings.Builder
	quotes := false
	fmt.Fprintf(&b, "\n\n**%s**\n", w.say("sources"))
	for _, c := range w.reply.Citations {
		title := inline(c.Title)
		if title == "" {
			title = inline(c.URL)
		}
		if c.Heading != "" {
			title += " › " + inline(c.Heading)
		}
		if c.Page > 0 {
			title += fmt.Sprintf(" (%d)", c.Page)
		}
		if strings.HasPrefix(c.URL, "https://") && !strings.ContainsAny(c.URL, " ()<>\n") {
			title = "[" + title + "](" + c.URL + ")"
		}
		fmt.Fprintf(&b, "\n[%d] %s\n", c.Number, title)
		quotes = quotes || c.Quote != ""
	}
	if quotes { // a message has no button that could show them
		fmt.Fprintf(&b, "\n%s\n", w.say("passages.word"))
	}
	return b.String()
}

// inline is a title that cannot end the link it stands in.
func inline(s string) string {
	s = strings.NewReplacer("[", "(", "]", ")", "\n", " ", "`", "'").Replace(s)
	return strings.TrimSpace(s)
}

func (w *work) say(key string) string { return phrase.In(w.reply.Language).Say(key) }

// title is what the list of chats and the notification show.
func title(md string) string {
	first, _, _ := strings.Cut(strings.TrimSpace(markdown.Plain(md, 0)), "\n")
	if short := markdown.Plain(first, 20); strings.TrimSpace(short) != "" {
		return short
	}
	return "…"
}
