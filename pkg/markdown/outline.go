package markdown

import (
	"strings"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// rank says how good a place a line's beginning is for a cut.
type rank int

const (
	atBlock rank = iota // before a top-level block
	atItem              // before a list item or a block inside another
	atLine              // between lines of one paragraph
	inside              // within a fence or table: it must be opened again
	never
)

// line is one line of a document, its line break included.
type line struct {
	start, end int
	rank       rank
	opens      *whole // the fence or table that begins on the line
	block      *whole // the one it continues
	keep       bool   // its indentation is its meaning
	top        int    // the line at which its top-level block begins
}

// whole is a fence or table, which is cut only where it does not fit into one
// part.
type whole struct {
	start  int    // its first byte's line, in bytes
	open   string // repeated at the head of a part that continues it
	close  string // ends a part that breaks off in it
	dedent int    // columns of indentation its lines lose when it is continued
	closed bool   // its own last line ends it
}

// document is md with its lines classified.
type document struct {
	md     string
	limits Limits
	lines  []line
}

func parse(md string) ast.Node {
	p := parser.NewParser(
		parser.WithBlockParsers(parser.DefaultBlockParsers()...),
		parser.WithInlineParsers(parser.DefaultInlineParsers()...),
		parser.WithParagraphTransformers(append(parser.DefaultParagraphTransformers(),
			util.Prioritized(extension.NewTableParagraphTransformer(), 200))...),
		parser.WithASTTransformers(util.Prioritized(extension.NewTableASTTransformer(), 0)),
	)
	return p.Parse(text.NewReader([]byte(md)))
}

func newDocument(md string, l Limits) *document {
	d := &document{md: md, limits: l}
	for pos := 0; pos < len(md); {
		end := len(md)
		if i := strings.IndexByte(md[pos:], '\n'); i >= 0 {
			end = pos + i + 1
		}
		d.lines = append(d.lines, line{start: pos, end: end, rank: atLine})
		pos = end
	}
	_ = ast.Walk(parse(md), func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		if n.Type() == ast.TypeInline {
			return ast.WalkSkipChildren, nil
		}
		return d.classify(n), nil
	})
	top := 0
	for i := range d.lines {
		if d.lines[i].rank == atBlock {
			top = i
		}
		d.lines[i].top = top
	}
	return d
}

// classify marks the lines of one block.
func (d *document) classify(n ast.Node) ast.WalkStatus {
	if n.Kind() == ast.KindDocument || n.Pos() < 0 || n.Pos() >= len(d.md) {
		return ast.WalkContinue
	}
	at := d.lineAt(n.Pos())
	switch parent := n.Parent(); {
	case parent.Kind() == ast.KindDocument:
		d.lines[at].rank = atBlock
	case d.lines[at].rank > atItem && d.lines[at].block == nil:
		d.lines[at].rank = atItem
	}
	switch n := n.(type) {
	case *ast.FencedCodeBlock:
		d.fence(at, n)
		return ast.WalkSkipChildren
	case *extast.Table:
		d.table(at, n)
		return ast.WalkSkipChildren
	case *ast.Heading:
		for i := at + 1; i < len(d.lines) && n.Lines().Len() > 0 && d.lines[i].start <= n.Lines().At(n.Lines().Len()-1).Stop; i++ {
			d.lines[i].rank = never // the heading is underlined
		}
	case *ast.CodeBlock:
		for i := at; i < min(at+n.Lines().Len(), len(d.lines)); i++ {
			d.lines[i].keep = true
		}
	}
	return ast.WalkContinue
}

// lineAt returns the index of the line that holds byte pos.
func (d *document) lineAt(pos int) int {
	lo, hi := 0, len(d.lines)
	for hi-lo > 1 {
		if mid := (lo + hi) / 2; d.lines[mid].start <= pos {
			lo = mid
		} else {
			hi = mid
		}
	}
	return lo
}

func (d *document) text(i int) string { return d.md[d.lines[i].start:d.lines[i].end] }

// lead is what stands before byte pos on its line, with list markers blanked, so
// that it indents a continuation as deeply and keeps the quotes it is in. columns
// is the width of the indentation.
func (d *document) lead(at, pos int) (columns int, quotes string) {
	blank := strings.Map(func(r rune) rune {
		if r == '>' || r == '\t' {
			return r
		}
		return ' '
	}, d.md[d.lines[at].start:pos])
	quotes = strings.TrimLeft(blank, " \t")
	return width(blank[:len(blank)-len(quotes)]), quotes
}

func width(indent string) int { return len(strings.ReplaceAll(indent, "\t", "    ")) }

func (d *document) fence(at int, n *ast.FencedCodeBlock) {
	opener := strings.TrimRight(d.md[n.Pos():d.lines[at].end], "\n")
	marker := opener[:len(opener)-len(strings.TrimLeft(opener, opener[:1]))]
	columns, quotes := d.lead(at, n.Pos())
	w := &whole{start: d.lines[at].start, open: quotes + opener + "\n", close: "\n" + quotes + marker, dedent: columns}
	last := min(at+n.Lines().Len(), len(d.lines)-1)
	if last+1 < len(d.lines) && closes(d.text(last+1), marker) {
		last++
		w.closed = true
	}
	if d.continues(at, last, w) && w.closed {
		d.lines[last].rank = never // what follows would be a fence around nothing
	}
}

// closes reports whether a line ends a fence that marker began.
func closes(line, marker string) bool {
	rest := strings.TrimLeft(line, " \t>")
	return strings.HasPrefix(rest, marker) && strings.Trim(rest, marker[:1]+" \t\n") == ""
}

func (d *document) table(at int, n *extast.Table) {
	columns, _ := d.lead(at, n.Pos())
	w := &whole{start: d.lines[at].start, dedent: columns, closed: true}
	for i := at; i <= at+1 && i < len(d.lines); i++ {
		w.open += (cursor{dedent: columns, until: len(d.md)}).strip(strings.TrimRight(d.text(i), "\n"), 0) + "\n"
	}
	last := min(at+n.ChildCount(), len(d.lines)-1) // the delimiter row is no child
	if d.continues(at, last, w) && at+2 < len(d.lines) && d.lines[at+2].block == w {
		d.lines[at+2].rank = never // a header without rows
	}
}

// continues marks the lines after first, up to last, as inside w. A w whose
// opening leaves little room for what it opens is not worth repeating.
func (d *document) continues(first, last int, w *whole) bool {
	if !sizeOf(w.open+w.close).within(d.limits, 0.5) {
		return false
	}
	d.lines[first].opens = w
	for i := first + 1; i <= last; i++ {
		d.lines[i].rank, d.lines[i].block = inside, w
		if i == first+1 {
			d.lines[i].rank = never
		}
	}
	return true
}
