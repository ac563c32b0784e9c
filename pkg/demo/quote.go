package demo

import (
	"fmt"
	"regexp"
	"sort"
	"strings"

	"parley/pkg/pipeline"
)

// mostQuotes bounds an answer from passages; maxCode is the lines of code that are
// shown with the sentence before them.
const (
	mostQuotes = 3
	maxCode    = 12
)

// quotable is a sentence, list item or table row of a passage, with what makes it
// readable by itself.
type quotable struct {
	heading string
	text    string
	code    string // that stands below it, with its fences
}

// fromPassages quotes what matches the question best, none that matches less than
// half as well as the best, in the order of the passages, each with its number.
func fromPassages(p pipeline.Prompt) ([]segment, bool) {
	var all []ranked
	var quotes []quotable
	for i, passage := range p.Passages {
		for _, q := range quotables(passage.Text) {
			// Passages come best first, and a heading says what is below it.
			all = append(all, ranked{text: q.text, about: q.heading, passage: i + 1, weight: 1 / (1 + float64(i)/5)})
			quotes = append(quotes, q)
		}
	}
	hits := rank(p.Question, all)
	if len(hits) == 0 {
		return nil, false
	}
	worth := hits[0].score / 2
	hits = hits[:min(mostQuotes, len(hits))]
	for len(hits) > 1 && hits[len(hits)-1].score < worth {
		hits = hits[:len(hits)-1]
	}
	sort.Slice(hits, func(i, j int) bool { return hits[i].position < hits[j].position })
	var segments []segment
	for i, h := range hits {
		q, lead := quotes[h.position], ""
		if len(hits) > 1 {
			lead = "- "
		}
		if i > 0 {
			lead = "\n" + lead
		}
		segments = append(segments, segment{text: fmt.Sprintf("%s%s [%d]", lead, q.text, h.passage), cite: h.passage})
		if q.code != "" {
			segments = append(segments, segment{text: "\n\n" + q.code + "\n"})
		}
	}
	return segments, true
}

var (
	rule   = regexp.MustCompile(`^\s*\|?[\s:|-]*-[\s:|-]*$`)
	bullet = regexp.MustCompile(`^\s*([-*+]|\d+[.)])\s+`)
)

// quotables reads a passage's Markdown by its lines: enough to quote it, and no
// worse with plain text.
func quotables(text string) []quotable {
	var all []quotable
	var heading string
	var prose, code, header []string
	fenced := false
	flush := func() {
		for _, s := range sentences(unwrap(strings.Join(prose, "\n"))) {
			all = append(all, quotable{heading: heading, text: s})
		}
		prose = nil
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		trimmed := strings.TrimSpace(line)
		fence := strings.HasPrefix(trimmed, "```")
		switch {
		case fenced || fence:
			if fence && !fenced {
				flush()
			}
			code = append(code, line)
			if fence && fenced {
				all, code = under(all, code), nil
			}
			fenced = fenced != fence
			continue
		case strings.HasPrefix(trimmed, "|"):
			flush()
			switch cells := cellsOf(trimmed); {
			case rule.MatchString(trimmed):
			case header == nil:
				header = cells
			default:
				all = append(all, quotable{heading: heading, text: row(cells)})
			}
			continue
		}
		header = nil
		switch {
		case strings.HasPrefix(trimmed, "#"):
			flush()
			heading = strings.TrimSpace(strings.TrimLeft(trimmed, "#"))
		case trimmed == "" || rule.MatchString(trimmed):
			flush()
		case bullet.MatchString(line):
			flush()
			prose = append(prose, bullet.ReplaceAllString(line, ""))
		default:
			prose = append(prose, trimmed)
		}
	}
	flush()
	return all
}

// under gives code to the sentence that introduces it.
func under(all []quotable, code []string) []quotable {
	if n := len(all); n > 0 && len(code) <= maxCode && all[n-1].code == "" {
		all[n-1].code = strings.Join(code, "\n")
	}
	return all
}

func cellsOf(line string) []string {
	cells := strings.Split(strings.Trim(line, "|"), "|")
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	return cells
}

// row says a table's row in a line: what it is about, and the rest.
func row(cells []string) string {
	var rest []string
	for _, c := range cells[1:] {
		if c != "" {
			rest = append(rest, c)
		}
	}
	if len(rest) == 0 {
		return cells[0]
	}
	return cells[0] + ": " + strings.Join(rest, "; ")
}
