package markdown

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// span matches what must stay on one line to keep its meaning: code, links and
// images, anything in angle brackets, and bare addresses.
var span = regexp.MustCompile("`+[^`\n]+`+" + `|!?\[[^\]\n]*\]\([^)\n]*\)|<[^<>\n]+>|https?://[^\s<>]+`)

// within cuts the line from begin to end of a part that begins at c and has used
// so much before it. It takes at least one character.
func (d *document) within(c cursor, begin, end int, used size) int {
	last := begin // the furthest end that fits
	for last < end {
		r, n := utf8.DecodeRuneInString(d.md[last:])
		used = used.plus(sizeOfRune(r))
		if !used.plus(d.closing(last + n)).fits(d.limits) {
			break
		}
		last += n
	}
	if last == begin && begin == c.pos {
		_, n := utf8.DecodeRuneInString(d.md[begin:])
		return begin + n
	}
	if last == begin {
		return begin
	}
	return begin + goodEnd(d.md[begin:end], last-begin)
}

// goodEnd returns the best place to cut line at or before max: after a sentence,
// else after a word, else between characters, outside spans.
func goodEnd(line string, max int) int {
	spans := span.FindAllStringIndex(line, -1)
	outside := func(i int) bool {
		for _, s := range spans {
			if s[0] < i && i < s[1] {
				return false
			}
		}
		return true
	}
	var sentence, word, char int
	for i := max; i > 0; i-- {
		if !utf8.RuneStart(byteAt(line, i)) || !outside(i) || joinsBefore(line, i) {
			continue
		}
		if char == 0 {
			char = i
		}
		before, _ := utf8.DecodeLastRuneInString(line[:i])
		if word == 0 && unicode.IsSpace(before) {
			word = i
		}
		if i > max/2 && sentence == 0 && endsSentence(line[:i]) {
			sentence = i
		}
	}
	switch {
	case sentence > 0:
		return sentence
	case word > max/2:
		return word
	case char > 0:
		return char
	}
	for i := max; i > 0; i-- { // a single span that is too long
		if utf8.RuneStart(byteAt(line, i)) {
			return i
		}
	}
	return max
}

func byteAt(s string, i int) byte {
	if i >= len(s) {
		return 0
	}
	return s[i]
}

// endsSentence reports whether s ends with a full stop and a space, or with a
// full stop that needs none.
func endsSentence(s string) bool {
	if trimmed := strings.TrimRight(s, " \t"); trimmed != s {
		return strings.ContainsAny(lastRune(trimmed), ".!?:;")
	}
	return strings.ContainsAny(lastRune(s), "。！？；")
}

func lastRune(s string) string {
	_, n := utf8.DecodeLastRuneInString(s)
	return s[len(s)-n:]
}

// joinsBefore reports whether the character at i belongs to the one before it:
// an accent, a variation or skin tone, or either side of a joiner.
func joinsBefore(s string, i int) bool {
	if i <= 0 || i >= len(s) {
		return false
	}
	const zeroWidthJoiner = '\u200d'
	before, _ := utf8.DecodeLastRuneInString(s[:i])
	r, _ := utf8.DecodeRuneInString(s[i:])
	return unicode.In(r, unicode.Mn, unicode.Me, unicode.Variation_Selector) || r == zeroWidthJoiner ||
		before == zeroWidthJoiner || r >= 0x1f3fb && r <= 0x1f3ff || string(r) == joiner || string(before) == joiner
}
