package markdown

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"github.com/yuin/goldmark/ast"
	extast "github.com/yuin/goldmark/extension/ast"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "rewrite golden files")

// Each file of testdata/split is a text, its limit in runes in the first line of
// the comment, and the parts it is cut into.
func TestSplitGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/split/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) {
			a, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			limit := 0
			for _, r := range strings.SplitN(string(a.Comment), "\n", 2)[0] {
				limit = limit*10 + int(r-'0')
			}
			got := &txtar.Archive{Comment: a.Comment, Files: a.Files[:1:1]}
			for _, part := range Split(string(a.Files[0].Data), Limits{Runes: limit}) {
				got.Files = append(got.Files, txtar.File{Name: "part", Data: []byte(part + "\n")})
			}
			if *update {
				if err := os.WriteFile(name, txtar.Format(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(txtar.Format(a)), string(txtar.Format(got))); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// letters is what must survive a split: everything but space and what a cut adds.
var added = regexp.MustCompile("(?m)^[ \t>]*(`{3,}|~{3,}).*$")

func letters(s string) string {
	s = added.ReplaceAllString(s, "")
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(" \t\n>", r) {
			return -1
		}
		return r
	}, s)
}

// piece generates one block of Markdown as models write it.
var piece = rapid.OneOf(
	rapid.StringMatching(`[A-Z][a-z]{2,9}( [a-z]{1,9}){0,40}\.\n\n`),
	rapid.StringMatching(`#{1,4} [A-Z][a-z ]{3,30}\n\n`),
	rapid.StringMatching(`(- [a-z]{3,20}( [a-z]{2,9}){0,9}\n){1,6}\n`),
	rapid.StringMatching(`(1\. [a-z]{3,20}\n    - [a-z ]{4,30}\n){1,4}\n`),
	rapid.StringMatching("```[a-z]{0,4}\n([a-z =()]{0,40}\n){0,12}```\n\n"),
	rapid.StringMatching("- [a-z]{3,9}\n\n  ~~~go\n(  [a-z =()]{1,40}\n){1,8}  ~~~\n\n"),
	rapid.StringMatching(`> [a-z]{3,20}\n> [a-z]{3,20}\n\n`),
	rapid.StringMatching(`[\p{Han}]{5,120}。\n\n`),
	rapid.StringMatching(`see \[[a-z ]{3,20}\]\(https://[a-z]{3,9}\.example/[a-z]{1,20}\) and [a-z]{3,9}\n\n`),
)

var draft = rapid.Custom(func(t *rapid.T) string {
	return strings.Join(rapid.SliceOfN(piece, 1, 14).Draw(t, "pieces"), "")
})

func TestSplitKeepsEverythingWithinLimits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		md := draft.Draw(t, "md")
		l := Limits{Runes: rapid.IntRange(60, 900).Draw(t, "runes"), Bytes: rapid.IntRange(180, 2000).Draw(t, "bytes"), JSON: rapid.IntRange(80, 900).Draw(t, "json")}
		parts := Split(md, l)
		if got, want := letters(strings.Join(parts, "\n")), letters(md); got != want {
			t.Fatalf("content changed:\n got %q\nwant %q\nparts %q", got, want, parts)
		}
		for _, p := range parts {
			if !sizeOf(p).fits(l) {
				t.Fatalf("part of %+v exceeds %+v: %q", sizeOf(p), l, p)
			}
			if f := unclosed(p); f != "" {
				t.Fatalf("fence %q is left open in %q", f, p)
			}
			if !utf8.ValidString(p) || p == "" {
				t.Fatalf("part %q", p)
			}
		}
	})
}

// unclosed returns the opening of a fence that nothing closes.
func unclosed(md string) (found string) {
	d := newDocument(md, Limits{})
	for _, ln := range d.lines {
		if ln.opens != nil && !ln.opens.closed {
			return ln.opens.open
		}
	}
	return ""
}

// Once cut, a part stays as it is while the text grows.
func TestSplitIsStable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pieces := rapid.SliceOfN(piece, 2, 14).Draw(t, "pieces")
		l := Limits{Runes: rapid.IntRange(60, 600).Draw(t, "runes")}
		whole := Split(strings.Join(pieces, ""), l)
		for n := range pieces {
			parts := Split(strings.Join(pieces[:n], ""), l)
			for i := 0; i < len(parts)-1; i++ {
				if parts[i] != whole[i] {
					t.Fatalf("part %d was %q and became %q", i, parts[i], whole[i])
				}
			}
		}
	})
}

func TestSplitRepeatsTheHeader(t *testing.T) {
	rows := strings.Repeat("| a value | another |\n", 20)
	md := "| Name | Value |\n|------|-------|\n" + rows
	parts := Split(md, Limits{Runes: 200})
	if len(parts) < 3 {
		t.Fatalf("%d parts", len(parts))
	}
	total := 0
	for _, p := range parts {
		var table *extast.Table
		root := parse(p)
		_ = ast.Walk(root, func(n ast.Node, _ bool) (ast.WalkStatus, error) {
			if t, ok := n.(*extast.Table); ok {
				table = t
			}
			return ast.WalkContinue, nil
		})
		if table == nil || root.FirstChild().NextSibling() != nil || !strings.HasPrefix(p, "| Name | Value |\n|--") {
			t.Fatalf("this part is not a table: %q", p)
		}
		total += strings.Count(p, "another")
	}
	if total != 20 {
		t.Fatalf("%d rows of 20", total)
	}
}

func TestSplitKeepsAFenceThatFits(t *testing.T) {
	code := "```go\n" + strings.Repeat("x := 1\n", 10) + "```"
	parts := Split("Short.\n\n"+code+"\n\nAfter.", Limits{Runes: len(code) + 3})
	want := []string{"Short.", code, "After."}
	if diff := cmp.Diff(want, parts); diff != "" {
		t.Fatal(diff)
	}
}

func FuzzSplit(f *testing.F) {
	f.Add("# A\n\ntext\n\n```go\nx\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n", 30)
	f.Add("- a\n  - b\n    ~~~\n    code\n", 12)
	f.Add("> ```\n> x\n\n<a b='\n'>\n\n[l](u)\n===\n", 7)
	f.Add("🙂🙂👍🏽 é", 2)
	f.Fuzz(func(t *testing.T, md string, runes int) {
		if runes < 1 || runes > 1<<16 || !utf8.ValidString(md) {
			t.Skip()
		}
		l := Limits{Runes: runes}
		parts := Split(md, l)
		for _, p := range parts {
			if !sizeOf(p).fits(l) && utf8.RuneCountInString(p) > 1 {
				t.Fatalf("part %q of %+v exceeds %d", p, sizeOf(p), runes)
			}
		}
		if len(parts) > len(md) {
			t.Fatalf("%d parts of %d bytes", len(parts), len(md))
		}
		got := Settled(Safe(md))
		if got > len(Safe(md)) {
			t.Fatalf("settled %d of %d bytes", got, len(Safe(md)))
		}
		if p := Plain(md, 20); utf8.RuneCountInString(p) > 20 {
			t.Fatalf("plain text %q is too long", p)
		}
	})
}
