package markdown

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// holdBack bounds how far Settled goes back for something that may never close.
const holdBack = 512

// Settled returns the length in bytes of the longest beginning of md, the text so
// far of a growing answer, that can be shown before the rest is known and be
// appended to afterwards. What it leaves out is at most the line being written:
// a table's row, the beginning of a fence, a link, <...> or mention that is still
// open, and the last character, so that what is appended next never begins with
// a space, which platforms drop.
//
// md is text that Safe has returned.
func Settled(md string) int {
	bol := strings.LastIndexByte(md, '\n') + 1
	current := md[bol:]
	cut := len(md)
	switch fence := openFence(md[:bol]); {
	case fence != "" && strings.Trim(current, " \t>"+fence[:1]) == "",
		fence == "" && startsFence(current),
		fence == "" && inTable(md[:bol], current):
		cut = bol
	default:
		cut = min(cut, openLink(md, bol, fence == ""))
	}
	cut = min(cut, openMention(md, bol))
	return nonSpace(md, cut)
}

// inTable reports whether an unfinished line may be a row of a table.
func inTable(before, current string) bool {
	if strings.HasPrefix(strings.TrimLeft(current, " \t>"), "|") {
		return true
	}
	above := strings.TrimSuffix(before, "\n")
	above = above[strings.LastIndexByte(above, '\n')+1:]
	return strings.Contains(current, "|") && strings.Contains(above, "|")
}

// nonSpace goes back from cut to where the next character is known and can begin
// an append.
func nonSpace(md string, cut int) int {
	for i := min(cut, len(md)); i > 0; i-- {
		if i == len(md) || !utf8.RuneStart(md[i]) || joinsBefore(md, i) {
			continue
		}
		if r, _ := utf8.DecodeRuneInString(md[i:]); !unicode.IsSpace(r) {
			return i
		}
	}
	return 0
}

// openFence returns the marker of the fence that md, which ends with a line
// break or is empty, leaves open; "" if none.
func openFence(md string) (marker string) {
	for line := range strings.Lines(md) {
		rest := strings.TrimLeft(line, " \t>")
		if marker != "" {
			if closes(line, marker) {
				marker = ""
			}
			continue
		}
		marker = fenceMarker(afterList(rest))
	}
	return marker
}

// afterList drops list markers: a fence may begin behind one.
func afterList(line string) string {
	for {
		rest := strings.TrimLeft(line, "0123456789")
		if rest != line && !strings.HasPrefix(rest, ". ") && !strings.HasPrefix(rest, ") ") {
			return line
		}
		if rest == line && !strings.HasPrefix(rest, "- ") && !strings.HasPrefix(rest, "* ") && !strings.HasPrefix(rest, "+ ") {
			return line
		}
		line = strings.TrimLeft(rest[2:], " ")
	}
}

func fenceMarker(line string) string {
	for _, c := range []string{"`", "~"} {
		n := len(line) - len(strings.TrimLeft(line, c))
		if n >= 3 && !(c == "`" && strings.Contains(line[n:], "`")) {
			return line[:n]
		}
	}
	return ""
}

// startsFence reports whether an unfinished line may become a fence's first.
func startsFence(line string) bool {
	rest := afterList(strings.TrimLeft(line, " \t>"))
	return rest != "" && (strings.Trim(rest, "`") == "" || strings.Trim(rest, "~") == "" || fenceMarker(rest) != "")
}

// openLink returns where the last link or angle bracket of the line at bol begins
// if it is not closed, else the end of md.
func openLink(md string, bol int, prose bool) int {
	cut := len(md)
	if i := strings.LastIndexByte(md, '<'); i >= bol && !strings.Contains(md[i:], ">") {
		cut = i
	}
	if i := strings.LastIndexByte(md, '['); prose && i >= bol && linkOpen(md[i:]) {
		for i > bol && md[i-1] == '!' {
			i--
		}
		cut = min(cut, i)
	}
	if len(md)-cut > holdBack {
		return len(md)
	}
	return cut
}

// linkOpen reports whether s, which begins with a bracket, may become a link.
func linkOpen(s string) bool {
	_, rest, closed := strings.Cut(s, "]")
	return !closed || rest == "" || rest[0] == '(' && !strings.Contains(rest, ")")
}

// openMention returns where an @ begins that the next characters may turn into a
// mention of everyone, else the end of md.
func openMention(md string, bol int) int {
	i := strings.LastIndexByte(md, '@')
	if i < bol {
		return len(md)
	}
	tail := strings.ToLower(md[i+1:])
	for _, word := range []string{"channel", "here", "everyone", "all"} {
		if strings.HasPrefix(word, tail) {
			return i
		}
	}
	return len(md)
}
