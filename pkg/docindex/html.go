package docindex

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
	"golang.org/x/net/html/charset"
)

// readHTML takes what a reader of the page sees, without its navigation.
func readHTML(_ string, data []byte) (document, error) {
	r, err := charset.NewReader(bytes.NewReader(data), "text/html")
	if err != nil {
		return document{}, fmt.Errorf("decode HTML: %w", err)
	}
	utf8, err := io.ReadAll(r)
	if err != nil {
		return document{}, fmt.Errorf("decode HTML: %w", err)
	}
	root, err := html.Parse(bytes.NewReader(utf8))
	if err != nil {
		return document{}, fmt.Errorf("parse HTML: %w", err)
	}
	p := page{}
	p.walk(root, 0)
	p.flush(false)
	if p.name != "" && p.doc.title == "" {
		p.doc.title = p.name
	}
	return p.doc, nil
}

var space = regexp.MustCompile(`\s+`)

// maxDepth bounds how deep elements are followed; deeper ones are no document.
const maxDepth = 200

// page collects a document from elements.
type page struct {
	doc   document
	under outline
	name  string // of <title>
	text  strings.Builder
}

func (p *page) flush(whole bool) {
	if text := tidy(p.text.String()); text != "" {
		p.doc.blocks = append(p.doc.blocks, block{text: text, heading: p.under.path(), whole: whole})
	}
	p.text.Reset()
}

func (p *page) walk(n *html.Node, depth int) {
	if depth > maxDepth {
		return
	}
	switch n.Type {
	case html.TextNode:
		p.text.WriteString(space.ReplaceAllString(n.Data, " "))
		return
	case html.ElementNode:
		if unread(n) {
			return
		}
		if p.element(n, depth) {
			return
		}
	}
	p.children(n, depth)
}

// unread elements hold no prose, or prose that is not shown or is on every page.
func unread(n *html.Node) bool {
	switch n.DataAtom {
	case atom.Script, atom.Style, atom.Template, atom.Noscript, atom.Nav, atom.Footer, atom.Aside, atom.Form, atom.Iframe, atom.Svg:
		return true
	}
	for _, a := range n.Attr {
		if a.Key == "hidden" || a.Key == "aria-hidden" && a.Val == "true" {
			return true
		}
	}
	return false
}

// element takes in n by itself and reports whether that was all of it.
func (p *page) element(n *html.Node, depth int) bool {
	switch n.DataAtom {
	case atom.Title:
		p.name = strings.Join(strings.Fields(plain(n)), " ")
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		p.flush(false)
		p.under.begin(&p.doc, int(n.Data[1]-'0'), plain(n), 0)
	case atom.Pre:
		p.flush(false)
		p.doc.blocks = append(p.doc.blocks, block{text: "```\n" + strings.Trim(plain(n), "\n") + "\n```", heading: p.under.path()})
	case atom.Ol, atom.Ul:
		if p.inList(n) {
			return false
		}
		p.flush(false)
		p.children(n, depth)
		p.flush(n.DataAtom == atom.Ol)
	case atom.Li:
		p.text.WriteString("\n" + marker(n))
		return false
	case atom.Tr, atom.Br:
		p.text.WriteByte('\n')
		return false
	case atom.Td, atom.Th:
		p.text.WriteString(" | ")
		return false
	case atom.P, atom.Div, atom.Section, atom.Article, atom.Table, atom.Blockquote, atom.Dl, atom.Main, atom.Header:
		if p.inList(n) {
			return false
		}
		p.flush(false)
		p.children(n, depth)
		p.flush(false)
	default:
		return false
	}
	return true
}

func (p *page) children(n *html.Node, depth int) {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		p.walk(c, depth+1)
	}
}

// inList reports whether n is part of a list's item, which is kept in one piece.
func (p *page) inList(n *html.Node) bool {
	for a := n.Parent; a != nil; a = a.Parent {
		if a.DataAtom == atom.Li {
			return true
		}
	}
	return false
}

// marker is what Markdown would begin an item with.
func marker(item *html.Node) string {
	if item.Parent == nil || item.Parent.DataAtom != atom.Ol {
		return "- "
	}
	number := 1
	for s := item.PrevSibling; s != nil; s = s.PrevSibling {
		if s.DataAtom == atom.Li {
			number++
		}
	}
	return fmt.Sprintf("%d. ", number)
}

// plain is all text in n.
func plain(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return b.String()
}

// tidy trims lines and drops empty ones.
func tidy(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}
