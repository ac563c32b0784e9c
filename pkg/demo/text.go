package demo

import (
	"regexp"
	"strings"
	"unicode"

	"parley/pkg/pipeline"
)

// maxPieces bounds the deltas of one answer, so that a long one does not take
// minutes at the usual pace.
const maxPieces = 200

// deltas splits segments into pieces as a model would stream them. The last piece
// of a segment carries its citation.
func deltas(segments []segment) []pipeline.Delta {
	total := 0
	for _, s := range segments {
		total += len(s.text)
	}
	var all []pipeline.Delta
	for _, s := range segments {
		for _, piece := range pieces(s.text, total/maxPieces) {
			all = append(all, pipeline.Delta{Text: piece})
		}
		if s.cite > 0 && len(all) > 0 {
			all[len(all)-1].Cite = s.cite
		}
	}
	return all
}

// pieces cuts text after white space and after every fourth Han character, into
// pieces of more than least bytes.
func pieces(text string, least int) []string {
	var all []string
	start, han := 0, 0
	for i, r := range text {
		if unicode.Is(unicode.Han, r) {
			han++
		}
		end := i + len(string(r))
		if (unicode.IsSpace(r) || han == 4) && end-start > least {
			all = append(all, text[start:end])
			start, han = end, 0
		}
	}
	if start < len(text) {
		all = append(all, text[start:])
	}
	return all
}

// tokens counts as the rest of Parley does.
var tokens = pipeline.EstimateTokens

func promptTokens(p pipeline.Prompt) int {
	n := tokens(p.System) + tokens(p.Context) + tokens(p.Question)
	for _, e := range p.History {
		n += tokens(e.Question) + tokens(e.Answer) + tokens(e.Attachments)
	}
	for _, passage := range p.Passages {
		n += tokens(passage.Text)
	}
	for _, a := range p.Attachments {
		n += (len(a.Data)+999)/1000 + tokens(a.Text)
	}
	return max(n, 1)
}

// unwrap joins lines that a writer broke for the width of a page.
func unwrap(text string) string {
	return wrapped.ReplaceAllString(text, "$1 $2")
}

var wrapped = regexp.MustCompile(`(?m)([\pL\pN,;:)"'\x60*])\n {0,4}([\pL(\x60"']|\*\*)`)

// sentences splits prose at sentence ends and line breaks.
func sentences(text string) []string {
	var all []string
	start := 0
	runes := []rune(text)
	flush := func(end int) {
		if s := strings.TrimSpace(string(runes[start:end])); s != "" {
			all = append(all, s)
		}
		start = end
	}
	for i, r := range runes {
		switch {
		case r == '\n', strings.ContainsRune("。！？", r):
			flush(i + 1)
		case strings.ContainsRune(".!?", r) && i+1 < len(runes) && unicode.IsSpace(runes[i+1]):
			flush(i + 1)
		}
	}
	flush(len(runes))
	return all
}

func lines(text string) []string {
	var all []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			all = append(all, line)
		}
	}
	return all
}

// common words match everything and so say nothing.
var common = map[string]bool{
	"the": true, "and": true, "for": true, "are": true, "was": true, "what": true, "who": true, "how": true,
	"when": true, "where": true, "which": true, "why": true, "does": true, "did": true, "can": true, "you": true,
	"this": true, "that": true, "with": true, "from": true, "have": true, "has": true, "our": true, "your": true,
	"many": true, "much": true, "about": true, "please": true, "tell": true, "will": true, "there": true, "not": true,
	"什么": true, "多少": true, "怎么": true, "请问": true, "我们": true, "可以": true, "是什": true,
}

// termsOf returns the words of three letters or more, numbers, and pairs of
// neighbouring Han characters in text. A plural ending is dropped.
func termsOf(text string) map[string]bool {
	terms := make(map[string]bool)
	var word []rune
	var before rune
	add := func(t string) {
		if !common[t] {
			terms[t] = true
		}
	}
	flush := func() {
		w := string(word)
		if len(word) > 2 || (w != "" && unicode.IsDigit(word[0])) {
			if len(word) > 3 {
				w = strings.TrimSuffix(w, "s")
			}
			add(w)
		}
		word = word[:0]
	}
	for _, r := range strings.ToLower(text) {
		han := unicode.Is(unicode.Han, r)
		switch {
		case han:
			flush()
			if before != 0 {
				add(string([]rune{before, r}))
			}
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			word = append(word, r)
		default:
			flush()
		}
		before = 0
		if han {
			before = r
		}
	}
	flush()
	return terms
}

// clip shortens text to at most n characters.
func clip(text string, n int) string {
	runes := []rune(text)
	if len(runes) <= n {
		return text
	}
	return string(runes[:n]) + "…"
}
