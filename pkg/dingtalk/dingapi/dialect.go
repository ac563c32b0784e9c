package dingapi

import (
	"regexp"
	"strings"
)

// forMessage is md in the Markdown of DingTalk's messages, where a line break
// needs two spaces before it and a list or table an empty line.
func forMessage(md string) string { return dialect(md, "  ") }

// forCard is md in the Markdown of cards, which drops single line breaks.
func forCard(md string) string { return dialect(md, "<br>") }

var (
	fence   = regexp.MustCompile("^ {0,3}(```+|~~~+)")
	listed  = regexp.MustCompile(`^\s*([-*+]|\d{1,9}[.)])\s`)
	heading = regexp.MustCompile(`^ {0,3}(#{1,6}(\s|$)|([-*_=]\s*){3,}$)`)
	ruler   = regexp.MustCompile(`^\s*:?-+:?\s*(\|\s*:?-+:?\s*)+$`)
)

// kind of a line, as far as line breaks go.
type kind int

const (
	blank kind = iota
	prose
	list
	table
	title1 // heading or rule: nothing continues it
	code
)

// dialect ends lines of prose that the next line continues with br, and sets
// lists, tables and fences apart. Code stays as it is.
func dialect(md, br string) string {
	lines := strings.Split(md, "\n")
	kinds := classify(lines)
	var out strings.Builder
	for i, line := range lines {
		if i > 0 {
			if apart(kinds, i) {
				out.WriteByte('\n')
			}
			out.WriteByte('\n')
		}
		next := blank
		if i+1 < len(lines) {
			next = kinds[i+1]
		}
		if (kinds[i] == prose || kinds[i] == list) && next == prose {
			line = strings.TrimRight(line, " ") + br
		}
		out.WriteString(line)
	}
	return out.String()
}

// apart reports whether line i needs an empty line before it.
func apart(kinds []kind, i int) bool {
	before, here := kinds[i-1], kinds[i]
	switch here {
	case list:
		return before == prose && !within(kinds, i)
	case table:
		return before != table && before != blank
	case code:
		return before == prose
	}
	return false
}

// within reports whether line i belongs to a list whose last item runs over
// several lines.
func within(kinds []kind, i int) bool {
	for i--; i >= 0 && kinds[i] == prose; i-- {
	}
	return i >= 0 && kinds[i] == list
}

// classify tells the kinds of lines apart as well as they can be one by one.
func classify(lines []string) []kind {
	kinds := make([]kind, len(lines))
	open := "" // the marker of the fence we are in
	inList := false
	for i, line := range lines {
		afterGap := i == 0 || kinds[i-1] == blank || kinds[i-1] == code
		switch k, mark := kindOf(line); {
		case open != "":
			kinds[i] = code
			if strings.HasPrefix(mark, open) && strings.Trim(line, " `~") == "" {
				open = ""
			}
		case k == code:
			kinds[i], open = code, mark
		case k != blank && !inList && afterGap && indented(line):
			kinds[i] = code
		case k == prose:
			kinds[i] = prose
			inList = inList && (line[0] == ' ' || line[0] == '\t' || !afterGap)
		default:
			kinds[i] = k
			inList = k == list || k == blank && inList
		}
	}
	return bare(lines, kinds)
}

// kindOf looks at one line alone; mark is the marker of a fence.
func kindOf(line string) (k kind, mark string) {
	trimmed := strings.TrimLeft(line, " \t")
	if trimmed == "" {
		return blank, ""
	}
	switch c := trimmed[0]; {
	case c == '`' || c == '~':
		if m := fence.FindStringSubmatch(line); m != nil {
			return code, m[1]
		}
	case c == '|':
		return table, ""
	case strings.IndexByte("#-*_=", c) >= 0 && heading.MatchString(line):
		return title1, ""
	case (strings.IndexByte("-*+", c) >= 0 || c >= '0' && c <= '9') && listed.MatchString(line):
		return list, ""
	}
	return prose, ""
}

func indented(line string) bool { return strings.HasPrefix(line, "    ") || line[0] == '\t' }

// bare finds the tables whose lines do not begin with a bar, by the line below
// the header.
func bare(lines []string, kinds []kind) []kind {
	for i := 1; i < len(lines); i++ {
		if kinds[i] == code || kinds[i-1] != prose || strings.IndexByte(lines[i], '|') < 0 || !ruler.MatchString(lines[i]) {
			continue
		}
		for j := i - 1; j < len(lines) && (j <= i || kinds[j] == prose) && strings.Contains(lines[j], "|"); j++ {
			kinds[j] = table
		}
	}
	return kinds
}
