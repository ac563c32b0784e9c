package pipeline

import (
	"regexp"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
)

const gone = "(link removed)"

func knowing(texts ...string) *links { return newLinks(2, gone, nil, texts...) }

func TestLinks(t *testing.T) {
	l := knowing("See https://wiki.corp/leave?year=1#days and [vpn](https://vpn.corp/a_(b)), mail it@corp.com, github.com/slack-go/slack.")
	for _, c := range []struct{ name, in, want string }{
		{"plain", "Twenty-five days. See e.g. section 3: a/b.", "Twenty-five days. See e.g. section 3: a/b."},
		{"retrieved", "[leave](https://wiki.corp/leave?year=1#days) https://wiki.corp/leave?year=1#days.", "[leave](https://wiki.corp/leave?year=1#days) https://wiki.corp/leave?year=1#days."},
		{"retrieved, parentheses", "[v](https://vpn.corp/a_(b)) [w](<https://vpn.corp/a_(b)> \"title\")", "[v](https://vpn.corp/a_(b)) [w](<https://vpn.corp/a_(b)> \"title\")"},
		{"foreign keeps its text", "please [sign in](https://evil.example/steal) now", "please sign in now"},
		{"same host, other path", "[leave](https://wiki.corp/leave?leak=secret)", "leave"},
		{"bare", "go to https://evil.example/steal, now", "go to (link removed), now"},
		{"bare behind ideographs", "请打开https://evil.example/steal。谢谢", "请打开(link removed)。谢谢"},
		{"retrieved behind ideographs", "见https://wiki.corp/leave?year=1#days。", "见https://wiki.corp/leave?year=1#days。"},
		{"no scheme", "www.evil.example and evil.com/x, not ASP.NET or docs/a.md", "(link removed) and (link removed), not ASP.NET or docs/a.md"},
		{"import path that was read", "github.com/slack-go/slack", "github.com/slack-go/slack"},
		{"mail", "it@corp.com, not thief@evil.example", "it@corp.com, not (link removed)"},
		{"angled", "<https://evil.example> <https://wiki.corp/leave?year=1#days>", "(link removed) <https://wiki.corp/leave?year=1#days>"},
		{"Slack's", "<https://evil.example|slack.com/signin> or <https://evil.example|sign in>", "(link removed) or sign in"},
		{"picture", "![chart](https://evil.example/pixel.png)", "chart"},
		{"picture without text", "![](https://evil.example/pixel.png)", gone},
		{"text says another", "[https://wiki.corp/leave?year=1#days](https://evil.example)", "https://wiki.corp/leave?year=1#days"},
		{"text is foreign", "[https://evil.example](https://vpn.corp/a_(b))", "[(link removed)](https://vpn.corp/a_(b))"},
		{"nested", "[![a](https://evil.example/p)](https://evil.example)", "a"},
		{"definition", "[a]\n\n[a]: //evil.example/x", "[a]\n\n[a] : //evil.example/x"},
		{"other line", "[a](\nhttps://evil.example)", "[a] (\n(link removed))"},
		{"entities", "https&#58;//evil.zz and [a](javascript&colon;alert(1))", "(link removed) and a"},
		{"escapes", `https:\/\/evil.zz`, gone},
		{"element", `<a href="//evil.example">x</a> <b>y</b>`, "x</a> <b>y</b>"},
		{"grown together", "www[.](//x)evil.example", "www" + seam + "." + seam + "evil.example"},
		{"code span", "run `curl https://evil.example/x` or `curl http://localhost:3000/`", "run `curl (link removed)` or `curl http://localhost:3000/`"},
		{"code is left alone", "`a[1](b)` and `x.go`", "`a[1](b)` and `x.go`"},
		{"fence", "```sh\ncurl https://evil.example/x\ncurl http://127.0.0.1:3000 # a[7](b)\n```\n[a](//x)", "```sh\ncurl (link removed)\ncurl http://127.0.0.1:3000 # a[7](b)\n```\na"},
		{"citations", "So [1]. And [2][1], [1, 7], [3]. `a[9]`", "So [1]. And [2][1], [1],. `a[9]`"},
		{"citation or link", "[1](https://vpn.corp/a_(b)) [2](https://evil.example)", "[1](https://vpn.corp/a_(b)) 2"},
		{"tasks", "- [ ] todo\n- [x] done [maybe", "- [ ] todo\n- [x] done [maybe"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := l.clean(c.in, true); got != c.want {
				t.Errorf("%q became\n%q, want\n%q", c.in, got, c.want)
			}
		})
	}
}

// TestLinksWhileGrowing: each beginning of an answer shows a beginning of what the
// whole one shows, and no foreign link even for a moment.
func TestLinksWhileGrowing(t *testing.T) {
	l := knowing("https://wiki.corp/leave")
	answer := "Ask [here](https://wiki.corp/leave) or ![x](https://evil.example/p.png) or [sign in](https://evil.example/steal \"t\") [1][5], " +
		"https://evil.example/a_b. `code https://evil.example` <https://evil.example|x>\n\n```\nhttps://evil.example\n```\n见www.evil.example。thief@evil.example done"
	whole := l.clean(answer, true)
	if strings.Contains(whole, "evil") {
		t.Errorf("shown: %q", whole)
	}
	longest := 0
	for i := range answer {
		shown := l.clean(answer[:i], false)
		if !strings.HasPrefix(whole, shown) {
			t.Fatalf("%q is no beginning of %q", shown, whole)
		}
		longest = max(longest, len(shown))
	}
	if longest < len(whole)-20 {
		t.Errorf("of %d bytes only %d were shown before the end", len(whole), longest)
	}
}

var readers = goldmark.New(goldmark.WithExtensions(extension.Linkify, extension.Table, extension.Strikethrough))

// destinations are the links that a renderer finds in md.
func destinations(md string) []string {
	var all []string
	source := []byte(md)
	_ = ast.Walk(readers.Parser().Parse(text.NewReader(source)), func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if entering {
			switch n := n.(type) {
			case *ast.Link:
				all = append(all, string(n.Destination))
			case *ast.Image:
				all = append(all, string(n.Destination))
			case *ast.AutoLink:
				all = append(all, string(n.URL(source)))
			}
		}
		return ast.WalkContinue, nil
	})
	return all
}

// outward are destinations somewhere else; others lead nowhere from a chat, and where
// readers differ about what is code they may stand in what one of them shows as such.
var outward = regexp.MustCompile(`(?i)//|^(?:www\.|javascript:)`)

// FuzzLinks has another reader of Markdown look for links that came through.
func FuzzLinks(f *testing.F) {
	for _, s := range []string{
		"[a](https://evil.example) ![b](x) <https://e.vil> www.evil.example", "[a]: x\n[a] [b][a]", "`[a](b)` ``` ` ```\n```\n[a](b)\n",
		"[a](<b c> 'd')[1][9]\n> [x]: //y\n\n- [z]: /w\n\n[x] [z]", "a@b.example mailto:a@b.example", "\\[a](b) [a\\](b) [a]\\(b)",
		"[1](b) [[a](b)](c) [a](b(c)d) [a](\n b)", "    indented\n\t[a](b)\n1. ```\n   x\n   ```", "https://ok.corp/a https://ok.corp/b",
		"| [a](b) | `|` |\n|-|-|\n| `[a](b)` | x |", "<a href='x'>y</a>", "h[t](x)tp://evil.example", "www[9].evil.example",
	} {
		f.Add(s, uint8(len(s)/2))
	}
	l := knowing("https://ok.corp/a")
	f.Fuzz(func(t *testing.T, md string, at uint8) {
		md = strings.ToValidUTF8(md, "?")
		clean := l.clean(md, true)
		for _, d := range destinations(clean) {
			if !l.allowed(d) && outward.MatchString(d) {
				t.Errorf("%q came through:\n%q\n%q", d, md, clean)
			}
		}
		if again := l.clean(clean, true); again != clean {
			t.Errorf("not settled:\n%q\n%q\n%q", md, clean, again)
		}
		if shown := l.clean(strings.ToValidUTF8(md[:min(int(at), len(md))], ""), false); !strings.HasPrefix(clean, shown) {
			t.Errorf("%d bytes of %q show\n%q, which does not begin\n%q", at, md, shown, clean)
		}
	})
}
