package markdown

import (
	"encoding/csv"
	"strconv"
	"strings"

	"github.com/yuin/goldmark/ast"
	extast "github.com/yuin/goldmark/extension/ast"
)

// From here on code, a table or a text is better had as a file.
const (
	manyLines = 15   // of code
	manyRows  = 8    // of a table, besides its head
	manyRunes = 6000 // of a text
)

// File is an answer as people may keep it.
type File struct {
	Ext  string // with its dot
	Text string
}

// AsFile is what of md people would keep: its code or table where that is most of
// it, else all of it. worth reports whether there is much of it; what is short reads
// well where it is.
func AsFile(md string) (f File, worth bool) {
	f, worth = File{".md", md}, len([]rune(md)) >= manyRunes
	_ = ast.Walk(parse(md), func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		var part File
		var size int
		switch n := n.(type) {
		case *ast.FencedCodeBlock:
			part, size = codeOf(n, md)
			worth = worth || n.Lines().Len() >= manyLines
		case *extast.Table:
			part, size = tableOf(n, md)
			worth = worth || n.ChildCount() > manyRows
		default:
			return ast.WalkContinue, nil
		}
		if size*2 > len(md) {
			f = part
		}
		return ast.WalkSkipChildren, nil
	})
	return f, worth
}

// extensions are those of languages whose name is not their extension.
var extensions = map[string]string{
	"golang": ".go", "python": ".py", "javascript": ".js", "typescript": ".ts", "bash": ".sh", "shell": ".sh", "yaml": ".yaml",
	"rust": ".rs", "ruby": ".rb", "kotlin": ".kt", "csharp": ".cs", "c++": ".cpp", "markdown": ".md", "hcl": ".tf", "terraform": ".tf",
	"go": ".go", "py": ".py", "js": ".js", "ts": ".ts", "sh": ".sh", "json": ".json", "sql": ".sql", "html": ".html", "css": ".css",
	"java": ".java", "c": ".c", "cpp": ".cpp", "xml": ".xml", "toml": ".toml", "diff": ".diff", "csv": ".csv", "tf": ".tf", "php": ".php",
}

func codeOf(n *ast.FencedCodeBlock, md string) (f File, size int) {
	var b strings.Builder
	for i := range n.Lines().Len() {
		l := n.Lines().At(i)
		b.Write(l.Value([]byte(md)))
	}
	f = File{".txt", b.String()}
	if ext, ok := extensions[strings.ToLower(string(n.Language([]byte(md))))]; ok {
		f.Ext = ext
	}
	return f, b.Len()
}

// tableOf is a table as comma-separated values.
func tableOf(n *extast.Table, md string) (f File, size int) {
	var b strings.Builder
	w := csv.NewWriter(&b)
	for row := n.FirstChild(); row != nil; row = row.NextSibling() {
		var cells []string
		for cell := row.FirstChild(); cell != nil; cell = cell.NextSibling() {
			text := ""
			if lines := cell.Lines(); lines.Len() > 0 {
				text = strings.TrimSpace(Plain(string(lines.Value([]byte(md))), 0))
			}
			size += len(text) + len("| ")
			cells = append(cells, inert(text))
		}
		_ = w.Write(cells) // into memory
	}
	w.Flush()
	return File{".csv", b.String()}, size
}

// inert is a cell that no spreadsheet takes for a formula.
func inert(cell string) string {
	if _, err := strconv.ParseFloat(cell, 64); err != nil && cell != "" && strings.ContainsRune("=+-@\t", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}
