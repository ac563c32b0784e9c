package docindex

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
)

var markdown = goldmark.New(goldmark.WithExtensions(extension.Table))

// readMarkdown cuts a file into its outermost blocks. Their text is the source: a
// model reads Markdown well, and a quotation should be found in the file.
func readMarkdown(_ string, data []byte) (document, error) {
	source, err := decode(data)
	if err != nil {
		return document{}, err
	}
	var d document
	d.title, d.url, source = frontMatter(source)
	root := markdown.Parser().Parse(text.NewReader([]byte(source)))
	var under outline
	for n := root.FirstChild(); n != nil; n = n.NextSibling() {
		if h, ok := n.(*ast.Heading); ok {
			under.begin(&d, h.Level, inlineText(h, source), 0)
			continue
		}
		from, to := lineStart(source, n.Pos()), len(source)
		if next := n.NextSibling(); next != nil {
			to = lineStart(source, next.Pos())
		}
		if from < 0 || to < from {
			continue
		}
		if _, comment := n.(*ast.HTMLBlock); comment && strings.HasPrefix(strings.TrimSpace(source[from:to]), "<!--") {
			continue
		}
		list, _ := n.(*ast.List)
		d.blocks = append(d.blocks, block{
			text: strings.TrimRight(source[from:to], "\n"), heading: under.path(), whole: list != nil && list.IsOrdered(),
		})
	}
	return d, nil
}

// frontMatter cuts the header that site generators put above Markdown, and finds
// the title in it, and the address of the document if it has one of its own: a
// remembered thread is read where it was said, not where it is kept.
func frontMatter(source string) (title, address, rest string) {
	body, ok := strings.CutPrefix(source, "---\n")
	if !ok {
		return "", "", source
	}
	header, rest, ok := strings.Cut(body, "\n---\n")
	if !ok {
		return "", "", source
	}
	for line := range strings.Lines(header) {
		key, value, _ := strings.Cut(line, ":")
		value = unquote(strings.TrimSpace(value))
		switch u, err := url.Parse(value); {
		case key == "title":
			title = value
		case key == "url" && err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http"):
			address = value
		}
	}
	return title, address, rest
}

// unquote takes the quotes off a value of the header.
func unquote(s string) string {
	if plain, err := strconv.Unquote(s); err == nil {
		return plain
	}
	return strings.Trim(s, `"'`)
}

// lineStart is where the line of a position begins. The position of a list is
// that of its first item's text on some paths, so the marker is before it.
func lineStart(source string, pos int) int {
	if pos < 0 || pos > len(source) {
		return -1
	}
	return strings.LastIndexByte(source[:pos], '\n') + 1
}

// inlineText is a heading without its markup.
func inlineText(n ast.Node, source string) string {
	var b strings.Builder
	_ = ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		switch t := n.(type) {
		case *ast.Text:
			if entering {
				b.Write(t.Segment.Value([]byte(source)))
			}
		case *ast.String:
			if entering {
				b.Write(t.Value)
			}
		}
		return ast.WalkContinue, nil
	})
	return b.String()
}
