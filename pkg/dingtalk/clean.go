package dingtalk

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds in bytes of the queue's JSON. They add up to less than
// chat.MaxEnvelope, so that whatever arrives can be made durable.
const (
	maxText    = 32 << 10
	maxQuote   = 8 << 10
	maxName    = 256
	maxID      = 512 // identities are refused beyond, never cut
	maxWebhook = 2 << 10
	maxCode    = 1 << 10 // of a file
	maxFiles   = 8
)

// cut ends a text that was longer than its bound.
const cut = "…"

// clean returns s without control characters and the marks that reorder text
// around them, trimmed, and cut so that its JSON is at most limit bytes.
func clean(s string, limit int) string {
	s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
	s = strings.TrimSpace(strings.Map(visible, strings.ToValidUTF8(s, "\uFFFD")))
	size := 0
	for i, r := range s {
		size += jsonSize(r)
		if size > limit {
			return strings.TrimSpace(s[:fitting(s[:i], len(cut))]) + cut
		}
	}
	return s
}

// cleanLine is clean for names: one line.
func cleanLine(s string, limit int) string {
	return clean(strings.Join(strings.Fields(s), " "), limit)
}

// fitting returns the length of s without the runes whose JSON makes up its
// last n bytes.
func fitting(s string, n int) int {
	end := len(s)
	for n > 0 && end > 0 {
		r, width := utf8.DecodeLastRuneInString(s[:end])
		n -= jsonSize(r)
		end -= width
	}
	return end
}

func visible(r rune) rune {
	switch {
	case r == '\n' || r == '\t':
		return r
	case unicode.IsControl(r), r >= '\u202A' && r <= '\u202E', r >= '\u2066' && r <= '\u2069', r == '\uFEFF':
		return -1
	}
	return r
}

// jsonSize is what encoding/json writes for r within a string.
func jsonSize(r rune) int {
	switch {
	case r == '"' || r == '\\' || r == '\n' || r == '\r' || r == '\t' || r == '\b' || r == '\f':
		return 2
	case r < 0x20 || r == '<' || r == '>' || r == '&' || r == '\u2028' || r == '\u2029':
		return 6
	}
	return utf8.RuneLen(r)
}

// bounded reports whether s can be an identity: nothing to clean, not too long.
func bounded(s string, limit int) bool { return s == cleanLine(s, limit) }
