package docindex

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

// How passages are chosen.
const (
	headingWeight = 1.5 // of a word in a heading against one in the text
	// coverage is the least part of a question's words, weighed by how rare they
	// are, that a passage must hold to be about the question.
	coverage = 0.3
	// unseenPair is what a pair of ideographs counts that is in no document: most
	// are the end of one word and the beginning of the next.
	unseenPair = 0.25
	// perTerm bounds the children looked at for one word.
	perTerm = 2000
	// quoteLength bounds the quotation in a citation, in characters.
	quoteLength = 240
)

// Retrieve implements pipeline.Retriever. It returns parents, best first, each
// once, and none that hold too few of the question's words.
func (x *Index) Retrieve(ctx context.Context, question string, max int) ([]pipeline.Passage, error) {
	terms := query(question)
	if len(terms) == 0 || max < 1 {
		return nil, nil
	}
	ranking, err := x.rank(ctx, terms)
	if err != nil {
		return nil, pipeline.Transient(pipeline.ReasonUnavailable, fmt.Errorf("search the documents: %w", err))
	}
	var found []pipeline.Passage
	seen := make(map[string]bool)
	for _, h := range ranking {
		p, text, err := x.passage(ctx, h, terms)
		if err != nil {
			return nil, pipeline.Transient(pipeline.ReasonUnavailable, fmt.Errorf("read a passage: %w", err))
		}
		if text == "" || seen[text] { // deleted meanwhile, or a copy
			continue
		}
		seen[text] = true
		p.Citation.Number = len(found) + 1
		if found = append(found, p); len(found) == max {
			break
		}
	}
	return found, nil
}

// hit is a parent with how well it matches.
type hit struct {
	parent  int64
	child   int64 // its best
	best    float64
	byTerm  map[int]float64 // the best of each term in any child
	byChild map[int64]float64
	score   float64
}

// rank scores parents: half by their best child, half by all they hold. BM25 is a
// sum over words, so asking for one word at a time gives the parts.
func (x *Index) rank(ctx context.Context, terms []string) ([]*hit, error) {
	var total int
	if err := x.db.QueryRowContext(ctx, "SELECT count(*) FROM children").Scan(&total); err != nil || total == 0 {
		return nil, err
	}
	hits := make(map[int64]*hit)
	weights := make([]float64, len(terms))
	for i, term := range terms {
		n, err := x.match(ctx, i, term, hits)
		if err != nil {
			return nil, err
		}
		weights[i] = math.Log(1 + (float64(total-n)+0.5)/(float64(n)+0.5))
		if n == 0 && strings.IndexFunc(term, unspaced) == 0 {
			weights[i] *= unseenPair
		}
	}
	var all []*hit
	for _, h := range hits {
		if h.settle(weights) >= coverage {
			all = append(all, h)
		}
	}
	slices.SortFunc(all, func(a, b *hit) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.parent, b.parent))
	})
	return all, nil
}

// match adds what one word contributes and returns how many children hold it.
func (x *Index) match(ctx context.Context, i int, term string, hits map[int64]*hit) (int, error) {
	rows, err := x.db.QueryContext(ctx, `SELECT c.id, c.parent, -bm25(terms, 1.0, ?)
		FROM terms JOIN children c ON c.id = terms.rowid
		WHERE terms MATCH ? ORDER BY bm25(terms, 1.0, ?) LIMIT ?`, headingWeight, `"`+term+`"`, headingWeight, perTerm)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	n := 0
	for rows.Next() {
		var child, parent int64
		var score float64
		if err := rows.Scan(&child, &parent, &score); err != nil {
			return 0, err
		}
		h := hits[parent]
		if h == nil {
			h = &hit{parent: parent, byTerm: make(map[int]float64), byChild: make(map[int64]float64)}
			hits[parent] = h
		}
		h.byTerm[i] = math.Max(h.byTerm[i], score)
		h.byChild[child] += score
		n++
	}
	return n, rows.Err()
}

// settle sums up, and returns which part of the question the parent holds.
func (h *hit) settle(weights []float64) float64 {
	var all, held float64
	for i, w := range weights {
		all += w
		if s, ok := h.byTerm[i]; ok {
			held += w
			h.score += s / 2
		}
	}
	for child, score := range h.byChild {
		if score > h.best || score == h.best && child < h.child {
			h.best, h.child = score, child
		}
	}
	h.score += h.best / 2
	return held / all
}

// passage reads a hit, and its text as it is in the index.
func (x *Index) passage(ctx context.Context, h *hit, terms []string) (p pipeline.Passage, text string, err error) {
	var path, title, own, above, heading, body string
	var page int
	err = x.db.QueryRowContext(ctx, `SELECT f.path, f.title, f.url, p.heading, p.text, c.heading, c.page, c.text
		FROM parents p JOIN files f ON f.path = p.path JOIN children c ON c.parent = p.id
		WHERE c.id = ?`, h.child).Scan(&path, &title, &own, &above, &text, &heading, &page, &body)
	if isGone(err) {
		return p, "", nil
	}
	if err != nil {
		return p, "", err
	}
	p.Text = text
	if above != "" && !strings.HasPrefix(text, "#") {
		p.Text = above + "\n\n" + text // the heading is in the part before
	}
	if heading == title { // a note that begins with its title
		heading = ""
	}
	p.Citation = chat.Citation{
		Title: title, URL: cmp.Or(own, x.address(path, page)), Page: page, Heading: heading,
		Quote: quotation(body, terms), Score: h.score,
	}
	return p, text, nil
}

// address is where people find a file.
func (x *Index) address(path string, page int) string {
	if x.config.BaseURL == "" {
		return path
	}
	address := strings.TrimRight(x.config.BaseURL, "/") + "/" + (&url.URL{Path: path}).EscapedPath()
	if page > 0 {
		address += fmt.Sprintf("#page=%d", page)
	}
	return address
}
