package docindex

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"parley/pkg/pipeline"
)

// pdfOf is a PDF with one line of text a page.
func pdfOf(lines ...string) string {
	var b bytes.Buffer
	var at []int
	object := func(body string) {
		at = append(at, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", len(at), body)
	}
	b.WriteString("%PDF-1.4\n")
	object("<< /Type /Catalog /Pages 2 0 R >>")
	var kids strings.Builder
	for i := range lines {
		fmt.Fprintf(&kids, "%d 0 R ", 4+2*i)
	}
	object(fmt.Sprintf("<< /Type /Pages /Kids [%s] /Count %d >>", kids.String(), len(lines)))
	object("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>")
	for i, line := range lines {
		object(fmt.Sprintf("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents %d 0 R /Resources << /Font << /F1 3 0 R >> >> >>", 5+2*i))
		content := "BT /F1 12 Tf 50 700 Td (" + line + ") Tj ET"
		object(fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", len(content), content))
	}
	xref := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(at)+1)
	for _, offset := range at {
		fmt.Fprintf(&b, "%010d 00000 n \n", offset)
	}
	fmt.Fprintf(&b, "trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(at)+1, xref)
	return b.String()
}

func TestPDFPages(t *testing.T) {
	x, _ := folder(t, map[string]string{"manual.pdf": pdfOf("Install the pump.", "Replace the filter twice a year.")})
	found, err := x.Retrieve(t.Context(), "how often is the filter replaced", 5)
	if err != nil || len(found) != 1 {
		t.Fatalf("%d passages, %v", len(found), err)
	}
	c := found[0].Citation
	if c.Page != 2 || c.Title != "manual.pdf" || !strings.Contains(c.Quote, "filter twice") {
		t.Errorf("%+v", c)
	}
}

// A PDF whose pages lead in circles is left out, and holds up nobody.
func TestPDFInCircles(t *testing.T) {
	loop := strings.Replace(pdfOf("Install the pump."), "/Kids [4 0 R ] /Count 1", "/Kids [2 0 R ] /Count 9", 1)
	x, _ := folder(t, map[string]string{"loop.pdf": loop, "fine.md": "The pump is blue.\n"})
	if found, err := x.Retrieve(t.Context(), "is the pump blue", 5); err != nil || len(found) != 1 {
		t.Errorf("%d passages, %v", len(found), err)
	}
}

func TestHTMLIsWhatOneSees(t *testing.T) {
	d, err := read("a.html", []byte(`<html><head><title>Site - Setup</title><style>p{}</style></head><body>
<nav>menu</nav><h1>Setup</h1><p>First   paragraph,
with <b>bold</b> words.</p><div hidden>unseen</div>
<h2>Steps</h2><ol><li>Open it.</li><li>Close it.<ul><li>Gently.</li></ul></li></ol>
<table><tr><th>Key</th><td>Value</td></tr></table><pre>a  b
c</pre><footer>legal</footer></body></html>`))
	if err != nil {
		t.Fatal(err)
	}
	want := "# Setup\n\nFirst paragraph, with bold words.\n\n## Steps\n\n1. Open it.\n2. Close it.\n- Gently.\n\n| Key | Value\n\n```\na  b\nc\n```"
	if got := textOf(d.blocks); got != want || d.title != "Setup" {
		t.Errorf("title %q, text\n%s\nwant\n%s", d.title, got, want)
	}
	for _, b := range d.blocks {
		if b.whole != strings.HasPrefix(b.text, "1. ") {
			t.Errorf("whole %v: %q", b.whole, b.text)
		}
	}
}

func TestEncodings(t *testing.T) {
	for name, data := range map[string]string{
		"GBK":      "\xc4\xea\xbc\xd9\xca\xae\xcc\xec",
		"UTF-8":    "\xef\xbb\xbf年假十天",
		"UTF-16LE": "\xff\xfe\x74\x5e\x47\x50\x41\x53\x29\x59",
	} {
		d, err := read("a.txt", []byte(data))
		if err != nil || textOf(d.blocks) != "年假十天" {
			t.Errorf("%s: %q, %v", name, textOf(d.blocks), err)
		}
	}
}

// TestStepsStayTogether: a procedure is never cut between its steps.
func TestStepsStayTogether(t *testing.T) {
	var steps strings.Builder
	for i := range 30 {
		fmt.Fprintf(&steps, "%d. Turn valve number %d until the lamp beside it is green, then wait for the sound.\n", i+1, i+1)
	}
	prose := strings.Repeat("Some prose that fills the page and matters little. ", 60)
	d, err := read("a.md", []byte("# Start\n\n"+prose+"\n\n"+steps.String()+"\n"+prose))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range chunk(d) {
		for _, c := range p.children {
			if strings.Contains(c.text, "valve number 1 ") && !strings.Contains(c.text, "valve number 30 ") {
				t.Errorf("steps were cut: %q", c.text)
			}
		}
	}
}

func TestTablesKeepTheirHeader(t *testing.T) {
	rows := "| name | meaning |\n|---|---|\n"
	for i := range 60 {
		rows += fmt.Sprintf("| VALUE_%d | what the value number %d means to people |\n", i, i)
	}
	d, err := read("a.md", []byte("# Settings\n\n"+rows))
	if err != nil {
		t.Fatal(err)
	}
	tables := 0
	for _, p := range chunk(d) {
		for _, c := range p.children {
			if strings.Contains(c.text, "VALUE_") {
				tables++
				if !strings.Contains(c.text, "| name | meaning |\n|---|---|\n") {
					t.Errorf("no header: %q", c.text)
				}
			}
		}
	}
	if tables < 2 {
		t.Errorf("%d parts of a long table", tables)
	}
}

// FuzzChunk checks that no document breaks the chunker, that nothing of it is lost
// and that parts stay within bounds.
func FuzzChunk(f *testing.F) {
	f.Add("a.md", "# T\n\ntext\n\n1. a\n2. b\n\n## S\n\n```\ncode\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n")
	f.Add("a.md", "---\ntitle: x\n---\n> quote\n> - item\n\n[a]: b\n<div>\n</div>\n")
	f.Add("a.html", "<h1>T</h1><ol><li><p>a<ol><li>b</ol></ol><table><tr><td>x")
	f.Add("a.txt", strings.Repeat("年假。", 3000)+"\n\n"+strings.Repeat("x", 9000))
	f.Fuzz(func(t *testing.T, name, text string) {
		if !readable(name) || strings.HasSuffix(strings.ToLower(name), ".pdf") {
			return
		}
		d, err := read(name, []byte(text))
		if err != nil {
			return
		}
		var children strings.Builder
		for _, p := range chunk(d) {
			if n := pipeline.EstimateTokens(p.text); n > 2*parentTokens {
				t.Errorf("a parent of %d tokens", n)
			}
			for _, c := range p.children {
				children.WriteString(c.text)
				if n := pipeline.EstimateTokens(c.text); n > 2*parentTokens {
					t.Errorf("a child of %d tokens", n)
				}
			}
		}
		if want, got := squeeze(textOf(d.blocks)), squeeze(children.String()); len(got) < len(want) {
			t.Errorf("lost text: %d bytes of %d", len(got), len(want))
		}
	})
}

func squeeze(s string) string { return strings.Join(strings.Fields(s), "") }
