package blockpicture

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// run is a piece of text in one style.
type run struct {
	text, style, colour string // style as canvas.text takes it
}

// Spans of the two dialects: Slack's own mrkdwn, and Markdown.
var (
	mrkdwnSpan   = regexp.MustCompile("`([^`]+)`|\\*([^*]+)\\*|_([^_]+)_|<[^|>]+\\|([^>]+)>|<@?([^>|]+)>")
	markdownSpan = regexp.MustCompile("`([^`]+)`|\\*\\*([^*]+)\\*\\*|_([^_]+)_|\\[([^\\]]+)\\]\\(([^)]+)\\)")
)

func mrkdwn(s string) []run   { return runs(mrkdwnSpan, unescape(s)) }
func markdown(s string) []run { return runs(markdownSpan, s) }

func unescape(s string) string {
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(s)
}

func runs(spans *regexp.Regexp, s string) []run {
	var out []run
	for s != "" {
		m := spans.FindStringSubmatchIndex(s)
		if m == nil {
			return append(out, run{text: s})
		}
		if m[0] > 0 {
			out = append(out, run{text: s[:m[0]]})
		}
		for i, r := range []run{{style: "mono", colour: "#e01e5a"}, {style: "bold"}, {style: "italic"}, {colour: blue}, {colour: blue}} {
			if from := m[2*(i+1)]; from >= 0 {
				r.text = s[from:m[2*(i+1)+1]]
				out = append(out, r)
				break
			}
		}
		s = s[m[1]:]
	}
	return out
}

// rich draws runs from x on, in lines that end about at end, and moves below them.
// Within a line the letters flow as their font has them.
func (c *canvas) rich(all []run, x, end, size int, colour string) {
	at, pending := float64(x), []run(nil)
	c.y += leader - 4
	flush := func() {
		c.flow(x, size, colour, pending)
		at, pending = float64(x), nil
	}
	for _, r := range all {
		for _, word := range words(r.text) {
			w := measure(word, size, r.style == "bold")
			if at+w > float64(end) && len(pending) > 0 || word == "\n" {
				flush()
				c.y += leader * size / 15
				if word = strings.TrimLeft(word, " \n"); word == "" {
					continue
				}
				w = measure(word, size, r.style == "bold")
			}
			if n := len(pending); n > 0 && pending[n-1].style == r.style && pending[n-1].colour == r.colour {
				pending[n-1].text += word
			} else {
				pending = append(pending, run{word, r.style, r.colour})
			}
			at += w
		}
	}
	flush()
	c.y += 6
}

// flow draws the runs of one line.
func (c *canvas) flow(x, size int, colour string, line []run) {
	fmt.Fprintf(&c.b, `<text x="%d" y="%d" font-size="%d" fill="%s" xml:space="preserve">`, x, c.y, size, colour)
	for _, r := range line {
		attributes := styled(r.style)
		if r.colour != "" {
			attributes += ` fill="` + r.colour + `"`
		}
		if attributes == "" {
			c.b.WriteString(escape(r.text))
			continue
		}
		fmt.Fprintf(&c.b, "<tspan%s>%s</tspan>", attributes, escape(r.text))
	}
	c.b.WriteString("</text>\n")
}

// words cuts text into what may stand on a line of its own, spaces before them.
// Chinese needs none.
func words(s string) []string {
	var out []string
	from := 0
	rs := []rune(s)
	for i, r := range rs {
		if i > from && (r == ' ' && rs[i-1] != ' ' || r == '\n' || rs[i-1] == '\n' || r >= 0x2E80 && !unicode.IsPunct(r)) {
			out = append(out, string(rs[from:i]))
			from = i
		}
	}
	if from < len(rs) {
		out = append(out, string(rs[from:]))
	}
	return out
}

// widest is how much wider than Slack's own the letters of other fonts are.
const widest = 1.12

// measure estimates the width of s in pixels.
func measure(s string, size int, bold bool) float64 {
	w := 0.0
	for _, r := range s {
		switch {
		case r >= 0x2E80:
			w += 1
		case strings.ContainsRune("iljtfrI.,:;'|!()[]`", r):
			w += 0.31
		case strings.ContainsRune("mwMW@%—…", r):
			w += 0.83
		case r == ' ':
			w += 0.26
		case unicode.IsUpper(r):
			w += 0.66
		default:
			w += 0.54
		}
	}
	if bold {
		w *= 1.05
	}
	return w * widest * float64(size)
}
