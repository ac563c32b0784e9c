package markdown

import (
	"strings"
	"testing"
)

func TestAsFile(t *testing.T) {
	code := "if a < b {\n" + strings.Repeat("\tx++\n", 20) + "}\n"
	table := "| Name | Sum |\n|---|---:|\n" + strings.Repeat("| **A**, \"b\" | -5 |\n", 10) + "| =HYPERLINK(1) | @x |\n"
	csv := "Name,Sum\n" + strings.Repeat("\"A, \"\"b\"\"\",-5\n", 10) + "'=HYPERLINK(1),'@x\n"
	for _, c := range []struct {
		name, md, ext, text string
		worth               bool
	}{
		{"a line", "Yes.", ".md", "Yes.", false},
		{"short code", "```go\nx++\n```\n", ".md", "```go\nx++\n```\n", false},
		{"long code", "Here:\n\n```Python\n" + code + "```\n", ".py", code, true},
		{"an unknown language", "```klingon\n" + code + "```", ".txt", code, true},
		{"code in a fence that is still open", "```sh\n" + code, ".sh", code, true},
		{"long code in more text", strings.Repeat("Words. ", 40) + "\n\n```go\n" + code + "```\n", ".md", strings.Repeat("Words. ", 40) + "\n\n```go\n" + code + "```\n", true},
		{"a table", "The sums:\n\n" + table, ".csv", csv, true},
		{"a short table", "| a |\n|---|\n| 1 |\n", ".md", "| a |\n|---|\n| 1 |\n", false},
		{"a long text", strings.Repeat("字 ", 3000), ".md", strings.Repeat("字 ", 3000), true},
	} {
		f, worth := AsFile(c.md)
		if f.Ext != c.ext || f.Text != c.text || worth != c.worth {
			t.Errorf("%s: %q, worth %v, %q", c.name, f.Ext, worth, f.Text)
		}
	}
}
