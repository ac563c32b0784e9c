// Package extract turns the bytes of a document into the text it says: plain text
// in the encodings people use, HTML, PDF and the text of Word documents.
//
// It is not a converter: layout, pictures and styles are lost, and a scanned page
// says nothing. It is pure (bytes in, text out), trusts neither names nor what a
// file claims to be, never panics, and its work is bounded whatever the bytes are:
// an archive or stream that unpacks to more than it may is refused.
package extract

import (
	"errors"
	"net/http"
	"path"
	"strings"
	"unicode/utf8"
)

// Kinds of documents besides the pictures and text types of net/http.
const (
	PDF  = "application/pdf"
	DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
	XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
)

// MaxText bounds a document's text in bytes. What comes after it is left out.
const MaxText = 1 << 20

// maxUnpacked bounds what the packed parts of one document may unpack to.
const maxUnpacked = 32 << 20

// Errors of Text. Each is a reason to tell people.
var (
	ErrKind      = errors.New("its format is not one Parley reads")
	ErrDamaged   = errors.New("it is damaged")
	ErrProtected = errors.New("it is protected by a password")
	ErrTooLarge  = errors.New("it unpacks to more than Parley reads")
)

// Document is what a file turned out to be.
type Document struct {
	// Kind is its MIME type by its bytes, "" if they tell nothing. A text's kind
	// may be narrowed by the file's name: text/csv, text/markdown, text/html.
	Kind string
	Text string // in UTF-8, with "\n" as line ends; "" for pictures and scans
}

// Read tells what data is and what it says. With an error the Kind still stands:
// a picture has no text and no error, a broken PDF has an error and its kind.
func Read(name string, data []byte) (Document, error) {
	d := Document{Kind: sniff(name, data)}
	var err error
	switch {
	case d.Kind == PDF:
		d.Text, err = pdfText(data)
	case d.Kind == DOCX:
		d.Text, err = docxText(data)
	case d.Kind == "text/html":
		d.Text, err = htmlText(decode(data))
	case strings.HasPrefix(d.Kind, "text/"):
		d.Text = decode(data)
	case strings.HasPrefix(d.Kind, "image/"), d.Kind == XLSX:
	default:
		err = ErrKind
	}
	d.Text = tidy(d.Text)
	return d, err
}

// sniff tells a file's kind from its bytes. The name only says which text it is.
func sniff(name string, data []byte) string {
	kind, _, _ := strings.Cut(http.DetectContentType(data), ";")
	switch {
	case kind == "application/zip":
		return packed(data)
	case kind == "text/xml" || kind == "text/plain" || kind == "application/octet-stream" && isText(data):
		return textKind(name)
	case kind == "text/html" && textKind(name) != "text/plain":
		return textKind(name) // a README or a program may begin with a tag
	case strings.HasPrefix(kind, "text/"), strings.HasPrefix(kind, "image/"), kind == PDF:
		return kind
	}
	return ""
}

// textKind narrows text down by the file's ending.
func textKind(name string) string {
	switch strings.ToLower(path.Ext(name)) {
	case ".html", ".htm":
		return "text/html"
	case ".md", ".markdown":
		return "text/markdown"
	case ".csv":
		return "text/csv"
	}
	return "text/plain"
}

// tidy makes text fit to be shown and stored: valid, without control characters,
// bounded, its lines without space at their ends and never two of them empty.
func tidy(s string) string {
	if len(s) > MaxText {
		s = s[:MaxText]
		for len(s) > 0 && !utf8.RuneStart(s[len(s)-1]) {
			s = s[:len(s)-1]
		}
		if len(s) > 0 && s[len(s)-1] >= utf8.RuneSelf {
			s = s[:len(s)-1]
		}
	}
	s = strings.ToValidUTF8(strings.NewReplacer("\r\n", "\n", "\r", "\n", "\f", "\n").Replace(s), "\uFFFD")
	s = strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == 0x7f {
			return -1
		}
		return r
	}, s)
	var b strings.Builder
	empty := 0
	for line := range strings.Lines(s) {
		if line = strings.TrimRight(line, " \t\n"); line == "" {
			empty++
			continue
		}
		if b.Len() > 0 {
			b.WriteString(strings.Repeat("\n", 1+min(empty, 1)))
		}
		b.WriteString(line)
		empty = 0
	}
	return b.String()
}

// Text is Read in the form the pipeline asks for.
func Text(name string, data []byte) (kind, text string, err error) {
	d, err := Read(name, data)
	return d.Kind, d.Text, err
}
