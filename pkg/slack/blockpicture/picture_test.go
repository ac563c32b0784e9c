package blockpicture

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

// A picture is well-formed whatever the text, and shows all of it.
func TestSVGIsWellFormed(t *testing.T) {
	data, err := SVG(Scene{Asked: "is a &lt; b &amp; c?", Status: "is thinking…", OnlyYou: true, Writing: true, Blocks: []byte(`[
		{"type":"markdown","text":"# Head <1>\n\nSome **bold & <b>** and ` + "`code<>`" + `, 很长的一句话，` + strings.Repeat("一二三四五六七八九十", 12) + `\n- item\n\n` + "```go\\nif a < b {}\\n```" + `\n\n|a|b|\n|-|-|\n|<1>|2|\n|3|\n"},
		{"type":"section","text":{"type":"mrkdwn","text":"*x* <https://a.example/?a=1&amp;b=2|label>"}},
		{"type":"actions","elements":[{"type":"button","text":{"type":"plain_text","text":"<Go>"},"style":"danger"}]}]`)})
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for d := xml.NewDecoder(strings.NewReader(string(data))); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v:\n%s", err, data)
		}
		if chars, ok := token.(xml.CharData); ok {
			text.Write(chars)
		}
	}
	for _, want := range []string{"a < b & c", "Head <1>", "bold & <b>", "code<>", "if a < b {}", "<1>", "label", "<Go>", "is thinking…", "Only visible to you"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the picture does not show %q", want)
		}
	}
	if n := strings.Count(text.String(), "十"); n != 12 {
		t.Errorf("a long line lost text: %d of 12", n)
	}
}

// What cannot be drawn is no picture.
func TestUnknownBlocks(t *testing.T) {
	for _, blocks := range []string{`[{"type":"hologram"}]`, `{}`, `[`} {
		if _, err := SVG(Scene{Blocks: []byte(blocks)}); err == nil {
			t.Errorf("%s was drawn", blocks)
		}
	}
}
