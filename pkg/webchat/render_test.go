package webchat

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

func TestRender(t *testing.T) {
	const a = `<a target="_blank" rel="noopener noreferrer nofollow" href=`
	for _, c := range []struct{ name, markdown, want string }{
		{"emphasis", "**a** _b_ ~~c~~", "<p><strong>a</strong> <em>b</em> <del>c</del></p>\n"},
		{"emphasis beside Chinese", "请看**“重点”**部分，2*3*4", "<p>请看<strong>“重点”</strong>部分，2<em>3</em>4</p>\n"},
		{"a star alone", "中*（a", "<p>中*（a</p>\n"},
		{"lines of Chinese join without a space", "一\n二\nthree\nfour", "<p>一二\nthree\nfour</p>\n"},
		{"a fence", "```go\na < b && c\n```", "<pre><code class=\"language-go\">a &lt; b &amp;&amp; c\n</code></pre>\n"},
		{"a fence still being written", "```\nx", "<pre><code>x\n</code></pre>\n"},
		{"a table aligns without styles", "|a|b|\n|:-|-:|\n|1|2|", "<table>\n<thead>\n<tr>\n<th align=\"left\">a</th>\n<th align=\"right\">b</th>\n</tr>\n</thead>\n<tbody>\n<tr>\n<td align=\"left\">1</td>\n<td align=\"right\">2</td>\n</tr>\n</tbody>\n</table>\n"},
		{"a script is text", "<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>\n"},
		{"inline HTML is text", "use <b onclick=\"x\">this</b>", "<p>use &lt;b onclick=&quot;x&quot;&gt;this&lt;/b&gt;</p>\n"},
		{"a comment is text", "<!-- x -->", "<p>&lt;!-- x --&gt;</p>\n"},
		{"character references do not make tags", "&lt;script&gt; &#60;script&#62;", "<p>&lt;script&gt; &lt;script&gt;</p>\n"},
		{"a link says where it leads", "[sign in](https://evil.example/x?a=1&b=2)", "<p>" + a + `"https://evil.example/x?a=1&amp;b=2" data-to="evil.example">sign in</a></p>` + "\n"},
		{"a link that says so itself", "[https://a.example/x](https://a.example/x) [a.example](https://a.example)", "<p>" + a + `"https://a.example/x">https://a.example/x</a> ` + a + `"https://a.example">a.example</a></p>` + "\n"},
		{"a link that lies", "[https://bank.example](https://evil.example)", "<p>" + a + `"https://evil.example" data-to="evil.example">https://bank.example</a></p>` + "\n"},
		{"a title is dropped", `[x](https://a.example "t")`, "<p>" + a + `"https://a.example" data-to="a.example">x</a></p>` + "\n"},
		{"a bare address", "see https://a.example/x.", "<p>see " + a + `"https://a.example/x">https://a.example/x</a>.</p>` + "\n"},
		{"mail", "[us](mailto:us@a.example) <us@a.example>", "<p>" + a + `"mailto:us@a.example" data-to="us@a.example">us</a> ` + a + `"mailto:us@a.example">us@a.example</a></p>` + "\n"},
		{"javascript is no link", "[x](javascript:alert(1))", "<p>x</p>\n"},
		{"nor in disguise", "[x](JaVaScRiPt&colon;alert(1)) [y](java&#115;cript:alert(1)) <javascript:alert(1)>", "<p>x y javascript:alert(1)</p>\n"},
		{"data is no link", "[x](data:text/html;base64,PHNjcmlwdD4=)", "<p>x</p>\n"},
		{"nor is a place on this page", "[x](/web/history) [y](//evil.example) [z](#a)", "<p>x y z</p>\n"},
		{"nor a user name that looks like a host", "[x](https://bank.example@evil.example/)", "<p>x</p>\n"},
		{"ftp stands alone", "ftp://a.example/x", "<p>ftp://a.example/x</p>\n"},
		{"a picture is a link", "![chart](https://evil.example/pixel.png)", "<p>" + a + `"https://evil.example/pixel.png" data-to="evil.example">chart</a></p>` + "\n"},
		{"a picture of nowhere", "![chart](data:image/png;base64,AAAA)", "<p>chart</p>\n"},
		{"a picture in a link", "[![chart](https://evil.example/p.png)](https://a.example)", "<p>" + a + `"https://a.example" data-to="a.example">chart</a></p>` + "\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := render(c.markdown); got != c.want {
				t.Errorf("render(%q)\n got %q\nwant %q", c.markdown, got, c.want)
			}
		})
	}
}

// allowed are the elements and attributes an answer may consist of.
var allowed = map[string][]string{
	"p": nil, "br": nil, "hr": nil, "em": nil, "strong": nil, "del": nil, "blockquote": nil, "pre": nil,
	"h1": nil, "h2": nil, "h3": nil, "h4": nil, "h5": nil, "h6": nil, "ul": nil, "li": nil,
	"ol": {"start"}, "code": {"class"}, "table": nil, "thead": nil, "tbody": nil, "tr": nil,
	"th": {"align"}, "td": {"align"}, "input": {"checked", "disabled", "type"},
	"a": {"data-to", "href", "rel", "target"},
}

// checkSafe parses HTML as a browser would and holds it to what is allowed.
func checkSafe(t *testing.T, out string) {
	t.Helper()
	tokens := html.NewTokenizer(strings.NewReader(out))
	for {
		kind := tokens.Next()
		if kind == html.ErrorToken {
			return
		}
		if kind == html.CommentToken || kind == html.DoctypeToken {
			t.Fatalf("a comment or doctype: %q", out)
		}
		token := tokens.Token()
		if kind == html.TextToken {
			continue
		}
		attributes, ok := allowed[token.Data]
		if !ok {
			t.Fatalf("<%s>: %q", token.Data, out)
		}
		for _, a := range token.Attr {
			if !slices.Contains(attributes, a.Key) {
				t.Fatalf("<%s %s>: %q", token.Data, a.Key, out)
			}
			if a.Key == "href" {
				checkHref(t, a.Val)
			}
		}
	}
}

func checkHref(t *testing.T, href string) {
	t.Helper()
	u, err := url.Parse(href)
	if err != nil || !slices.Contains([]string{"http", "https", "mailto"}, u.Scheme) || u.User != nil {
		t.Fatalf("a link to %q", href)
	}
}

func FuzzRender(f *testing.F) {
	for _, seed := range []string{
		"# a\n\n- b\n  1. c\n\n> d\n\n---\n", "```\" onload=x\ny", "[a](https://a.example/\"onclick=x)", "<https://a.example/\"onclick=x>",
		"![a](javascript:x)", "[a]: javascript:x\n\n[a]", "|a|\n|-|\n|<b>|", "- [x] <i>", "www.a.example", "**“中”**文 *（", "a\\\n<script\n>", "[<b>](<https://a.example/ b>)",
		"<!DOCTYPE html>", "<![CDATA[x]]>", "<?php ?>", "&#0;", "```go{onclick=x}\n", "# h {#id onclick=x}", "*\xbf", "[a](\xff:b)",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, source string) { checkSafe(t, render(source)) })
}
