package pipeline

import "testing"

func TestClosing(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"prose":             {"plain `code` text", ""},
		"closed":            {"a\n```go\nb\n```\nc", ""},
		"open":              {"a\n```go\nb", "\n```"},
		"open in a list":    {"- a\n  ```\n  b", "\n```"},
		"longer":            {"````md\n```\nb\n```\n", "\n````"},
		"closed by more":    {"```\nb\n````\n", ""},
		"tildes":            {"~~~\n```\n", "\n~~~"},
		"a word is no end":  {"```\n```go\n", "\n```"},
		"opened once again": {"```\na\n```\n```\nb", "\n```"},
	} {
		if got := closing(test.text); got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}
