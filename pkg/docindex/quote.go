package docindex

import (
	"database/sql"
	"errors"
	"strings"
)

func isGone(err error) bool { return errors.Is(err, sql.ErrNoRows) }

// quotation is the part of a child that holds most words of the question: as many
// sentences in a row as fit.
func quotation(text string, terms []string) string {
	var parts []string
	for line := range strings.Lines(text) {
		if s := strings.TrimSpace(line); s == "" || strings.HasPrefix(s, "#") || strings.HasPrefix(s, "```") {
			continue
		}
		parts = append(parts, sentences(strings.TrimSpace(line)+" ")...)
	}
	if len(parts) == 0 {
		return clip(strings.TrimLeft(text, "# "), quoteLength)
	}
	wanted := make(map[string]bool, len(terms))
	for _, t := range terms {
		wanted[stem(t)] = true
	}
	best, most := 0, -1
	for i := range parts {
		if n := held(window(parts, i), wanted); n > most {
			best, most = i, n
		}
	}
	return clip(window(parts, best), quoteLength)
}

// window is the sentences from the i-th on that fit into a quotation.
func window(parts []string, i int) string {
	s := parts[i]
	for _, next := range parts[i+1:] {
		if len([]rune(s+next)) > quoteLength {
			break
		}
		s += next
	}
	return s
}

func held(text string, wanted map[string]bool) int {
	seen := make(map[string]bool)
	for _, w := range split(text) {
		if w = stem(w); wanted[w] {
			seen[w] = true
		}
	}
	return len(seen)
}

// stem brings most forms of an English word together, well enough to choose a
// sentence; finding it was the work of the index.
func stem(word string) string {
	for _, ending := range []string{"ing", "es", "ed", "s", "e"} {
		if rest, ok := strings.CutSuffix(word, ending); ok && len(rest) > 3 {
			return rest
		}
	}
	return word
}

func clip(text string, n int) string {
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > n {
		return string(runes[:n]) + "…"
	}
	return text
}
