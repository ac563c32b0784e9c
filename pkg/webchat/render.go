package webchat

import (
	"net/url"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/util"
)

// markdown is CommonMark and GitHub's extensions to it, less raw HTML: with no
// parser for it, it is text like any other and shown as written. (Goldmark by
// itself drops it, and whoever asks about <div> would see a gap.)
var markdown = goldmark.New(
	goldmark.WithParser(parser.NewParser(
		parser.WithBlockParsers(
			util.Prioritized(parser.NewSetextHeadingParser(), 100),
			util.Prioritized(parser.NewThematicBreakParser(), 200),
			util.Prioritized(parser.NewListParser(), 300),
			util.Prioritized(parser.NewListItemParser(), 400),
			util.Prioritized(parser.NewCodeBlockParser(), 500),
			util.Prioritized(parser.NewATXHeadingParser(), 600),
			util.Prioritized(parser.NewFencedCodeBlockParser(), 700),
			util.Prioritized(parser.NewBlockquoteParser(), 800),
			util.Prioritized(parser.NewParagraphParser(), 1000),
		),
		parser.WithInlineParsers(
			util.Prioritized(parser.NewCodeSpanParser(), 100),
			util.Prioritized(parser.NewLinkParser(), 200),
			util.Prioritized(parser.NewAutoLinkParser(), 300),
			util.Prioritized(emphasis{parser.NewEmphasisParser()}, 500),
		),
		parser.WithParagraphTransformers(parser.DefaultParagraphTransformers()...),
	)),
	goldmark.WithExtensions(
		// The page's policy forbids style attributes.
		extension.NewTable(extension.WithTableCellAlignMethod(extension.TableCellAlignAttribute)),
		extension.Strikethrough,
		extension.Linkify,
		extension.TaskList,
		extension.NewCJK(extension.WithEastAsianLineBreaks()),
	),
	goldmark.WithRendererOptions(renderer.WithNodeRenderers(util.Prioritized(links{}, 100))),
)

// render turns a model's Markdown into HTML that is safe to insert into the page.
func render(source string) string {
	var b strings.Builder
	if err := markdown.Convert([]byte(strings.ToValidUTF8(source, "\uFFFD")), &b); err != nil {
		panic(err) // a strings.Builder never fails
	}
	return b.String()
}

// links renders everything that leads out of the page. A picture is a link to
// itself: loading it would tell its host that the answer was read.
type links struct{}

// RegisterFuncs implements renderer.NodeRenderer.
func (links) RegisterFuncs(reg renderer.NodeRendererFuncRegisterer) {
	reg.Register(ast.KindLink, renderLink)
	reg.Register(ast.KindAutoLink, renderAutoLink)
	reg.Register(ast.KindImage, renderImage)
}

func renderLink(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	anchor(w, util.URLEscape(n.(*ast.Link).Destination, true), plainText(n, source), entering)
	return ast.WalkContinue, nil
}

func renderImage(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	if n.Parent().Kind() != ast.KindLink { // links do not nest
		anchor(w, util.URLEscape(n.(*ast.Image).Destination, true), plainText(n, source), entering)
	}
	return ast.WalkContinue, nil
}

func renderAutoLink(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		return ast.WalkContinue, nil
	}
	auto := n.(*ast.AutoLink)
	dest, label := util.URLEscape(auto.URL(source), false), auto.Label(source)
	if auto.AutoLinkType == ast.AutoLinkEmail && !strings.HasPrefix(strings.ToLower(string(dest)), "mailto:") {
		dest = append([]byte("mailto:"), dest...)
	}
	anchor(w, dest, string(dest), true)
	_, _ = w.Write(util.EscapeHTML(label))
	anchor(w, dest, string(dest), false)
	return ast.WalkContinue, nil
}

// anchor writes the opening or closing tag of a link, or nothing if dest may not be
// followed: its text then stands alone. Where the text does not say where the link
// leads, data-to does, and the page shows it.
func anchor(w util.BufWriter, dest []byte, text string, entering bool) {
	u, err := url.Parse(string(dest))
	if err != nil || !followed(u) {
		return
	}
	if !entering {
		_, _ = w.WriteString("</a>")
		return
	}
	_, _ = w.WriteString(`<a target="_blank" rel="noopener noreferrer nofollow" href="`)
	_, _ = w.Write(util.EscapeHTML(dest))
	to := u.Host
	if u.Scheme == "mailto" {
		to = u.Opaque
	}
	if text != string(dest) && text != to {
		_, _ = w.WriteString(`" data-to="`)
		_, _ = w.Write(util.EscapeHTML([]byte(to)))
	}
	_, _ = w.WriteString(`">`)
}

// followed reports whether a link may lead to u: the web or a mailbox, and not with
// a user name, which is there to look like a host.
func followed(u *url.URL) bool {
	switch u.Scheme {
	case "http", "https":
		return u.Host != "" && u.User == nil
	case "mailto":
		return u.Opaque != ""
	}
	return false
}

// plainText is what a reader sees of n.
func plainText(n ast.Node, source []byte) string {
	var b strings.Builder
	_ = ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) { // the walker never fails
		if t, ok := n.(*ast.Text); ok && entering {
			b.Write(t.Value(source))
		}
		return ast.WalkContinue, nil
	})
	return b.String()
}
