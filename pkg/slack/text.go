package slack

import (
	"strings"
	"unicode/utf8"
)

// maxText bounds a message's text, in bytes as JSON: what escapes grow to counts,
// so that the envelope stays under chat.MaxEnvelope whatever the text.
const maxText = 40_000

// cutMark ends a text that was cut.
const cutMark = " […]"

// reading is what a message says, and to whom.
type reading struct {
	text    string
	toUs    bool // mentions Parley
	toOther bool // begins with the mention of somebody else
	unsure  bool // mentions somebody, and who Parley is here is not known
}

// read makes the text of m readable for a model.
func (p *Parser) read(e *envelope, m *event) reading {
	raw := m.Text
	if strings.TrimSpace(raw) == "" {
		raw = blocksText(m.Blocks)
	}
	own := p.botUser(e)
	mention := m.Type == "app_mention"
	if own == "" && mention {
		own = firstMention(raw)
	}
	text, toUs := clean(raw, own)
	toUs = toUs || mention
	return reading{
		text: text, toUs: toUs,
		toOther: !toUs && strings.HasPrefix(strings.TrimSpace(raw), "<@"),
		unsure:  own == "" && strings.Contains(raw, "<@"),
	}
}

// firstMention is the first user id mentioned in raw, "" if there is none.
func firstMention(raw string) string {
	_, rest, _ := strings.Cut(raw, "<@")
	token, _, closed := strings.Cut(rest, ">")
	user, _, _ := strings.Cut(token, "|")
	if !closed {
		return ""
	}
	return id(user)
}

// clean turns Slack's mrkdwn into plain text: entities resolved, mentions, links
// and dates readable, mentions of own taken out, and nothing left that XML 1.0,
// and so SQS, cannot carry. It reports whether own was mentioned.
func clean(raw, own string) (text string, mentioned bool) {
	raw = strings.TrimSpace(raw)
	var b strings.Builder
	b.Grow(len(raw))
	for {
		before, rest, found := strings.Cut(raw, "<")
		writePlain(&b, before)
		if !found {
			break
		}
		end := strings.IndexAny(rest, "<>")
		if end < 0 || rest[end] == '<' { // not Slack's, who escapes it
			b.WriteByte('<')
			raw = rest
			continue
		}
		token := rest[:end]
		raw = rest[end+1:]
		if own != "" && isMention(token, own) {
			mentioned = true
			raw = afterMention(&b, raw)
		} else {
			writeToken(&b, token)
		}
	}
	return bounded(strings.TrimSpace(b.String()), maxText), mentioned
}

func isMention(token, user string) bool {
	rest, ok := strings.CutPrefix(token, "@"+user)
	return ok && (rest == "" || rest[0] == '|')
}

// afterMention closes the gap that a mention leaves between what is written and
// what follows.
func afterMention(b *strings.Builder, after string) string {
	written := b.String()
	if written == "" {
		return strings.TrimLeft(after, " \t\u00a0:,：，、")
	}
	if last := written[len(written)-1]; last == ' ' || last == '\t' || last == '\n' {
		return strings.TrimLeft(after, " \t\u00a0")
	}
	return after
}

// writeToken writes what stood between < and >: a mention, a link, a date.
func writeToken(b *strings.Builder, token string) {
	target, label, _ := strings.Cut(token, "|")
	switch {
	case strings.HasPrefix(target, "@"):
		writePlain(b, "@"+or(strings.TrimPrefix(label, "@"), target[1:]))
	case strings.HasPrefix(target, "#"):
		writePlain(b, "#"+or(strings.TrimPrefix(label, "#"), target[1:]))
	case strings.HasPrefix(target, "!subteam^"):
		writePlain(b, "@"+or(strings.TrimPrefix(label, "@"), strings.TrimPrefix(target, "!subteam^")))
	case strings.HasPrefix(target, "!date^"):
		writePlain(b, or(label, target))
	case strings.HasPrefix(target, "!"):
		writePlain(b, "@"+or(strings.TrimPrefix(label, "@"), target[1:]))
	case isLink(target):
		writeLink(b, target, label)
	default:
		writePlain(b, "<"+token+">")
	}
}

// isLink reports whether target begins with a scheme.
func isLink(target string) bool {
	scheme, rest, ok := strings.Cut(target, ":")
	if !ok || scheme == "" || rest == "" {
		return false
	}
	for _, r := range scheme {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("+.-", r) {
			return false
		}
	}
	return true
}

func writeLink(b *strings.Builder, target, label string) {
	_, address, _ := strings.Cut(target, ":")
	address = strings.TrimPrefix(address, "//")
	switch {
	case strings.HasPrefix(target, "mailto:"), strings.HasPrefix(target, "tel:"):
		writePlain(b, or(label, address))
	case label == "", label == target, strings.TrimSuffix(label, "/") == strings.TrimSuffix(address, "/"):
		writePlain(b, target)
	default:
		writePlain(b, label+" ("+target+")")
	}
}

func or(s, otherwise string) string {
	if s != "" {
		return s
	}
	return otherwise
}

var entities = strings.NewReplacer("&amp;", "&", "&lt;", "<", "&gt;", ">", "\r\n", "\n", "\r", "\n")

// writePlain writes s with entities resolved, once, and without characters that
// XML 1.0 does not have.
func writePlain(b *strings.Builder, s string) {
	if strings.ContainsAny(s, "&\r") {
		s = entities.Replace(s)
	}
	b.WriteString(strings.Map(allowed, s))
}

// allowed drops what is not a Char of XML 1.0.
func allowed(r rune) rune {
	switch {
	case r == '\t', r == '\n', r >= ' ' && r <= '\uD7FF', r >= '\uE000' && r <= '\uFFFD', r >= 0x10000:
		return r
	}
	return -1
}

// bounded cuts s at the border of a rune so that it takes at most max bytes as
// JSON, and marks the cut. Characters that SQS cannot carry are dropped.
func bounded(s string, max int) string {
	s = strings.Map(allowed, s)
	if len(s)*6 <= max || jsonLen(s) <= max {
		return s
	}
	size := len(cutMark)
	for i, r := range s {
		if size += runeLen(r); size > max {
			return strings.TrimRight(s[:i], " \n\t") + cutMark
		}
	}
	return s
}

// jsonLen is how many bytes s takes as JSON at most, without the quotes.
func jsonLen(s string) int {
	n := 0
	for _, r := range s {
		n += runeLen(r)
	}
	return n
}

func runeLen(r rune) int {
	switch r {
	case '\n', '\t', '"', '\\':
		return 2
	case '<', '>', '&', '\u2028', '\u2029', utf8.RuneError:
		return 6 // \u003c
	}
	if r < ' ' {
		return 6
	}
	return utf8.RuneLen(r)
}
