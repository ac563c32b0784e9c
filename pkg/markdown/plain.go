package markdown

import (
	"strings"
	"unicode/utf8"

	"github.com/yuin/goldmark/ast"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/util"
)

// Plain is md as plain text, for notifications, screen readers and logs of what
// was said: text without markup, code as it is, links as their text. It is at
// most max characters, an ellipsis included; 0 means no bound.
func Plain(md string, max int) string {
	source := []byte(md)
	var b strings.Builder
	_ = ast.Walk(parse(md), func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if entering {
			return enter(&b, n, source), nil
		}
		leave(&b, n)
		return ast.WalkContinue, nil
	})
	return ellipsis(strings.TrimSpace(b.String()), max)
}

func enter(b *strings.Builder, n ast.Node, source []byte) ast.WalkStatus {
	switch n := n.(type) {
	case *ast.Text:
		b.Write(decoded(n, n.Segment.Value(source)))
		if n.HardLineBreak() || n.SoftLineBreak() {
			b.WriteByte('\n')
		}
	case *ast.String:
		b.Write(n.Value)
	case *ast.AutoLink:
		b.Write(n.Label(source))
	case *ast.FencedCodeBlock, *ast.CodeBlock:
		b.Write(n.Lines().Value(source))
		return ast.WalkSkipChildren
	case *ast.ListItem:
		b.WriteString("• ")
	case *ast.RawHTML: // as likely a List<String> as HTML
		b.Write(n.Segments.Value(source))
		return ast.WalkSkipChildren
	case *ast.HTMLBlock:
		b.Write(n.Lines().Value(source))
		return ast.WalkSkipChildren
	}
	return ast.WalkContinue
}

// decoded resolves a text's entities and backslashes; code has none.
func decoded(n ast.Node, raw []byte) []byte {
	if n.Parent().Kind() == ast.KindCodeSpan {
		return raw
	}
	return util.ResolveEntityNames(util.ResolveNumericReferences(util.UnescapePunctuations(raw)))
}

// leave ends lines and table cells.
func leave(b *strings.Builder, n ast.Node) {
	switch n.Kind() {
	case extast.KindTableCell:
		if n.NextSibling() != nil {
			b.WriteString(" | ")
		}
	case ast.KindParagraph, ast.KindHeading, ast.KindTextBlock, ast.KindFencedCodeBlock, ast.KindCodeBlock,
		extast.KindTableRow, extast.KindTableHeader:
		if s := b.String(); s != "" && s[len(s)-1] != '\n' {
			b.WriteByte('\n')
		}
	}
}

func ellipsis(s string, max int) string {
	if max <= 0 || utf8.RuneCountInString(s) <= max {
		return s
	}
	r := []rune(s)[:max-1]
	return strings.TrimRight(string(r), " \n") + "…"
}
