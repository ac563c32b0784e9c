package docindex

import (
	"strings"
	"unicode/utf8"

	"parley/pkg/pipeline"
)

// Sizes in tokens, as pipeline.EstimateTokens counts. A parent is what a model is
// shown of a document, a child is what is searched.
const (
	parentTokens = 1500
	childTokens  = 300
	// parentLeast is from where on a chapter begins a parent of its own.
	parentLeast = 400
)

// parent is a part of a document, made of children.
type parent struct {
	heading  string // of its first block
	text     string
	children []child
}

// child is a part of a parent under one heading.
type child struct {
	heading string
	page    int
	text    string
}

// chunk cuts a document into parents and those into children. Together the
// children hold everything.
func chunk(d document) []parent {
	var all []parent
	var gathered []block
	size := 0
	flush := func() {
		if len(gathered) > 0 {
			all = append(all, parent{gathered[0].heading, textOf(gathered), children(gathered)})
		}
		gathered, size = nil, 0
	}
	for _, section := range sections(d.blocks) {
		tokens := tokensOf(section)
		chapter := section[0].level == 1 || section[0].level == 2
		if size+tokens > parentTokens || chapter && size >= parentLeast {
			flush()
		}
		for _, b := range section {
			for _, piece := range cut(b, parentTokens) {
				n := pipeline.EstimateTokens(piece.text)
				if size > 0 && size+n > parentTokens {
					flush()
				}
				gathered, size = append(gathered, piece), size+n
			}
		}
	}
	flush()
	return all
}

// sections groups blocks by the headings that begin them.
func sections(blocks []block) [][]block {
	var all [][]block
	for i, b := range blocks {
		if i == 0 || b.level > 0 {
			all = append(all, nil)
		}
		all[len(all)-1] = append(all[len(all)-1], b)
	}
	return all
}

func tokensOf(blocks []block) int {
	n := 0
	for _, b := range blocks {
		n += pipeline.EstimateTokens(b.text)
	}
	return n
}

// children cuts the blocks of a parent. A heading or a page begins a new child.
func children(blocks []block) []child {
	var all []child
	var gathered []block
	size := 0
	flush := func() {
		if len(gathered) > 0 {
			all = append(all, child{gathered[0].heading, gathered[0].page, textOf(gathered)})
		}
		gathered, size = nil, 0
	}
	for _, b := range blocks {
		pieces := []block{b}
		if !b.whole {
			pieces = cut(b, childTokens)
		}
		for _, piece := range pieces {
			n := pipeline.EstimateTokens(piece.text)
			if size > 0 && (piece.level > 0 || size+n > childTokens || gathered[0].page != piece.page) {
				flush()
			}
			gathered, size = append(gathered, piece), size+n
		}
	}
	flush()
	return all
}

// cut divides a block that is larger than limit: at lines, else at sentences, else
// anywhere. Pieces of a table begin with its header.
func cut(b block, limit int) []block {
	if pipeline.EstimateTokens(b.text) <= limit {
		return []block{b}
	}
	header := tableHeader(b.text)
	limit = max(limit-pipeline.EstimateTokens(header), limit/2)
	var all []block
	var text strings.Builder
	flush := func() {
		if s := strings.TrimRight(text.String(), "\n"); strings.TrimSpace(s) != "" {
			piece := b
			piece.text = s
			if len(all) > 0 {
				piece.text, piece.level = header+s, 0
			}
			all = append(all, piece)
		}
		text.Reset()
	}
	size := 0
	for _, unit := range units(b.text, limit) {
		n := pipeline.EstimateTokens(unit)
		if size > 0 && size+n > limit {
			flush()
			size = 0
		}
		text.WriteString(unit)
		size += n
	}
	flush()
	return all
}

// units are the parts of text, each within limit, that are not divided again.
func units(text string, limit int) []string {
	var all []string
	for line := range strings.Lines(text) {
		if pipeline.EstimateTokens(line) <= limit {
			all = append(all, line)
			continue
		}
		for _, s := range sentences(line) {
			for pipeline.EstimateTokens(s) > limit {
				at := boundary(s, limit)
				all = append(all, s[:at])
				s = s[at:]
			}
			all = append(all, s)
		}
	}
	return all
}

// boundary is where limit characters of s end: never more tokens than that.
func boundary(s string, limit int) int {
	n := 0
	for i := range s {
		if n == limit {
			return i
		}
		n++
	}
	return len(s)
}

// sentences divides a line after full stops. Joined they are the line.
func sentences(line string) []string {
	var all []string
	start := 0
	for i, r := range line {
		end := i + utf8.RuneLen(r)
		if r == utf8.RuneError {
			continue
		}
		wide := strings.ContainsRune("。！？；", r)
		narrow := strings.ContainsRune(".!?;", r) && end < len(line) && line[end] == ' '
		if wide || narrow {
			all = append(all, line[start:end])
			start = end
		}
	}
	if start < len(line) {
		all = append(all, line[start:])
	}
	return all
}

// tableHeader is the first two lines of a Markdown table.
func tableHeader(text string) string {
	lines := strings.SplitAfterN(text, "\n", 3)
	if len(lines) < 3 || !strings.HasPrefix(lines[0], "|") || strings.Trim(lines[1], "|:- \n") != "" {
		return ""
	}
	return lines[0] + lines[1]
}
