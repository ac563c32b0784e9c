package extract

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"compress/zlib"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
)

func TestRead(t *testing.T) {
	gbk, err := simplifiedchinese.GBK.NewEncoder().Bytes([]byte("部门,预算\n研发,12万元\n市场,8万元\n"))
	if err != nil {
		t.Fatal(err)
	}
	png := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR")
	for _, c := range []struct {
		name, kind, text string
		data             []byte
		err              error
	}{
		{name: "notes.txt", kind: "text/plain", data: []byte("one\r\n\r\n\r\n\r\ntwo  \n"), text: "one\n\ntwo"},
		{name: "README.md", kind: "text/markdown", data: []byte("<p align=center>\n# Title"), text: "<p align=center>\n# Title"},
		{name: "main.go", kind: "text/plain", data: []byte("package main\n\n\tvar x = 1\n"), text: "package main\n\n\tvar x = 1"},
		{name: "data.json", kind: "text/plain", data: []byte(`{"a": [1, 2]}`), text: `{"a": [1, 2]}`},
		{name: "预算.csv", kind: "text/csv", data: gbk, text: "部门,预算\n研发,12万元\n市场,8万元"},
		{name: "bom.txt", kind: "text/plain", data: []byte("\xef\xbb\xbfhello"), text: "hello"},
		{name: "wide.txt", kind: "text/plain", data: []byte("\xff\xfeh\x00i\x00\x0d\x4e"), text: "hi不"},
		{name: "page.html", kind: "text/html", data: []byte("<!doctype html><title>A</title><script>alert('x')</script><p>one <b>two</b></p><table><tr><td>3</td><td>4</td></tr></table>"), text: "A\n\none two\n\n\t3\t4"},
		{name: "report.pdf", kind: PDF, data: samplePDF("The budget is 12 EUR."), text: "The budget is 12 EUR."},
		{name: "renamed.txt", kind: PDF, data: samplePDF("still a PDF"), text: "still a PDF"},
		{name: "plan.docx", kind: DOCX, data: sampleDOCX("<w:p><w:r><w:t>First &amp; second</w:t></w:r></w:p><w:tbl><w:tr><w:tc><w:p><w:r><w:t>a</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>b</w:t></w:r></w:p></w:tc></w:tr></w:tbl>"), text: "First & second\na \tb"},
		{name: "cat.txt", kind: "image/png", data: png},
		{name: "report.pdf", kind: PDF, data: []byte("%PDF-1.7\nnothing of the kind"), err: ErrDamaged},
		{name: "locked.pdf", kind: PDF, data: append(samplePDF("x"), "/Encrypt"...), err: ErrProtected},
		{name: "hidden.pdf", kind: PDF, data: append(samplePDF("x"), "/En#63rypt"...), err: ErrProtected},
		{name: "song.mp3", data: []byte("ID3\x03\x00\x00\x00\x00\x00\x00"), err: ErrKind},
		{name: "program.txt", data: []byte("\x7fELF\x02\x01\x01\x00\x00"), err: ErrKind},
		{name: "files.zip", data: archive(map[string]string{"a.txt": "a"}), err: ErrKind},
	} {
		d, err := Read(c.name, c.data)
		if d.Kind != c.kind || strings.TrimSpace(d.Text) != strings.TrimSpace(c.text) || !errors.Is(err, c.err) {
			t.Errorf("%s: kind %q, text %q, error %v; want %q, %q, %v", c.name, d.Kind, d.Text, err, c.kind, c.text, c.err)
		}
	}
}

// Small files that unpack to a lot are refused before anybody unpacks them.
func TestBombs(t *testing.T) {
	huge := strings.Repeat("\x00", maxUnpacked+1)
	docx := archive(map[string]string{document: `<w:document><w:p><w:t>` + strings.Repeat(" ", maxUnpacked) + `</w:t></w:p></w:document>`})
	once := pdfOf(deflate(huge))
	twice := pdfOf(deflate(string(deflate(huge))))
	for name, data := range map[string][]byte{"bomb.docx": docx, "bomb.pdf": once, "matryoshka.pdf": twice} {
		if len(data) > 1<<20 {
			t.Fatalf("%s is no bomb: %d bytes", name, len(data))
		}
		if d, err := Read(name, data); !errors.Is(err, ErrTooLarge) || d.Text != "" {
			t.Errorf("%s: %d bytes of text, error %v", name, len(d.Text), err)
		}
	}
}

// A document that is larger than its archive says is damaged, and what it says
// before that is all that is unpacked of it.
func TestBombThatLies(t *testing.T) {
	var packed, b bytes.Buffer
	f, err := flate.NewWriter(&packed, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(f, `<w:document><w:p><w:t>`+strings.Repeat(" ", 1<<20))
	f.Close()
	z := zip.NewWriter(&b)
	w, err := z.CreateRaw(&zip.FileHeader{Name: document, Method: zip.Deflate, CompressedSize64: uint64(packed.Len()), UncompressedSize64: 100})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(packed.Bytes()); err != nil {
		t.Fatal(err)
	}
	z.Close()
	if d, err := Read("liar.docx", b.Bytes()); !errors.Is(err, ErrDamaged) || len(d.Text) > 100 {
		t.Errorf("%d bytes of text, error %v", len(d.Text), err)
	}
}

func TestLongTextIsBounded(t *testing.T) {
	d, err := Read("long.txt", []byte(strings.Repeat("文", MaxText)))
	if err != nil || len(d.Text) > MaxText || len(d.Text) < MaxText-10 || !utf8.ValidString(d.Text) || strings.Contains(d.Text, "\uFFFD") {
		t.Errorf("%d bytes, valid %v, %v", len(d.Text), utf8.ValidString(d.Text), err)
	}
}

// FuzzRead checks that no bytes make Read panic, hang or say what is not text.
func FuzzRead(f *testing.F) {
	f.Add("a.pdf", samplePDF("hello"))
	f.Add("a.docx", sampleDOCX("<w:p><w:r><w:t>hello</w:t></w:r></w:p>"))
	f.Add("a.html", []byte("<p>hello<script>"))
	f.Add("a.txt", []byte("\xff\xfeh\x00"))
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		d, err := Read(name, data)
		if len(d.Text) > MaxText || !utf8.ValidString(d.Text) || strings.ContainsAny(d.Text, "\x00\r\x1b") {
			t.Fatalf("text %.100q", d.Text)
		}
		if d.Kind == "" && err == nil && len(data) > 0 {
			t.Fatal("neither a kind nor an error")
		}
	})
}

func deflate(s string) []byte {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	fmt.Fprint(z, s)
	z.Close()
	return b.Bytes()
}

// samplePDF is a PDF of one page that says text.
func samplePDF(text string) []byte {
	return pdfOf(deflate("BT /F1 12 Tf 72 720 Td (" + text + ") Tj ET"))
}

// pdfOf is a PDF whose one page has the given packed content.
func pdfOf(content []byte) []byte {
	var b bytes.Buffer
	var at []int
	object := func(body string) {
		at = append(at, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", len(at), body)
	}
	b.WriteString("%PDF-1.4\n")
	object("<< /Type /Catalog /Pages 2 0 R >>")
	object("<< /Type /Pages /Kids [3 0 R] /Count 1 >>")
	object("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>")
	object(fmt.Sprintf("<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream", len(content), content))
	object("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>")
	table := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(at)+1)
	for _, offset := range at {
		fmt.Fprintf(&b, "%010d 00000 n \n", offset)
	}
	fmt.Fprintf(&b, "trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(at)+1, table)
	return b.Bytes()
}

func sampleDOCX(body string) []byte {
	return archive(map[string]string{
		"[Content_Types].xml": "<Types/>",
		document:              `<?xml version="1.0"?><w:document xmlns:w="w"><w:body>` + body + `</w:body></w:document>`,
	})
}

func archive(files map[string]string) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, content := range files {
		w, err := z.Create(name)
		if err != nil {
			panic(err)
		}
		fmt.Fprint(w, content)
	}
	z.Close()
	return b.Bytes()
}
