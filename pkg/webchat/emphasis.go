package webchat

import (
	"unicode/utf8"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// emphasis is goldmark's parser of * and _, made to work where words are not set
// apart by spaces. By CommonMark's rule the stars in 请看**“重点”**部分 are no
// emphasis, because they stand between a letter and punctuation; models write this
// all the time.
type emphasis struct{ parser.InlineParser }

// Parse implements parser.InlineParser.
func (e emphasis) Parse(parent ast.Node, block text.Reader, pc parser.Context) ast.Node {
	before := block.PrecendingCharacter()
	node, ok := e.InlineParser.Parse(parent, block, pc).(*parser.Delimiter)
	if !ok {
		return nil
	}
	line, _ := block.PeekLine()
	if node.Char != '*' || len(line) == 0 {
		return node
	}
	after, _ := utf8.DecodeRune(line)
	node.CanOpen = node.CanOpen || util.IsEastAsianWideRune(before) && util.IsPunctRune(after)
	node.CanClose = node.CanClose || util.IsPunctRune(before) && util.IsEastAsianWideRune(after)
	return node
}
