package markdown

import (
	"regexp"
	"strings"
)

// joiner is U+2060 WORD JOINER: invisible, and no part of any mention.
const joiner = "\u2060"

// What chat platforms expand into a notification or a link to people: <!channel>,
// <!subteam^S1>, <@U1>, <#C1>, and the words after an @ that reach everyone.
var (
	bracketed = regexp.MustCompile(`(?i)<(?:!(?:channel|here|everyone|group|subteam)|[@#][a-z0-9])`)
	everyone  = regexp.MustCompile(`(?i)@(?:channel|here|everyone|all)`)
)

// Safe makes every mention in md harmless, in prose and in code alike, by an
// invisible character behind its first one; it reads as it was written. Control
// characters are dropped, because a platform may drop them too and join what
// they held apart.
func Safe(md string) string {
	md = strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == 0x7f {
			return -1
		}
		return r
	}, strings.ReplaceAll(md, "\r\n", "\n"))
	part := func(m string) string { return m[:1] + joiner + m[1:] }
	return everyone.ReplaceAllStringFunc(bracketed.ReplaceAllStringFunc(md, part), part)
}
