package docindex

import (
	"fmt"
	"path"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
)

// document is a file as text, in pieces that belong together.
type document struct {
	title  string
	url    string // where people can read it, if it says so itself
	blocks []block
}

// block is a heading, a paragraph, a list, a table or the like.
type block struct {
	text    string
	heading string // those it stands under, outermost first, without the title
	level   int    // of the heading it begins with, 0 for other blocks
	page    int    // from 1, 0 where there are none
	whole   bool   // steps in order: better long than cut
}

// formats are the files that are read, by extension.
var formats = map[string]func(name string, data []byte) (document, error){
	".md":       readMarkdown,
	".markdown": readMarkdown,
	".txt":      readText,
	".text":     readText,
	".html":     readHTML,
	".htm":      readHTML,
	".pdf":      readPDF,
}

func readable(name string) bool {
	return formats[strings.ToLower(path.Ext(name))] != nil
}

// read makes a document of a file. It panics for no input.
func read(name string, data []byte) (d document, err error) {
	defer func() {
		if p := recover(); p != nil { // the PDF reader panics on some broken files
			err = fmt.Errorf("the file is broken: %v", p)
		}
	}()
	d, err = formats[strings.ToLower(path.Ext(name))](name, data)
	if err != nil {
		return document{}, err
	}
	kept := d.blocks[:0]
	for _, b := range d.blocks {
		if b.text = strings.TrimSpace(strings.ToValidUTF8(b.text, "\uFFFD")); b.text != "" {
			kept = append(kept, b)
		}
	}
	d.blocks = kept
	d.title = strings.Join(strings.Fields(strings.ToValidUTF8(d.title, "\uFFFD")), " ")
	if d.title == "" {
		d.title = path.Base(name)
	}
	return d, nil
}

// readText takes paragraphs as they are.
func readText(_ string, data []byte) (document, error) {
	text, err := decode(data)
	if err != nil {
		return document{}, err
	}
	var d document
	for _, paragraph := range strings.Split(text, "\n\n") {
		d.blocks = append(d.blocks, block{text: paragraph})
	}
	return d, nil
}

// decode makes UTF-8 of text: UTF-8 and UTF-16 by their marks, otherwise what is
// not UTF-8 is taken for GB 18030, which holds GBK and is what Chinese Windows
// writes.
func decode(data []byte) (string, error) {
	label := "utf-8"
	switch {
	case len(data) >= 2 && data[0] == 0xff && data[1] == 0xfe:
		label = "utf-16le"
	case len(data) >= 2 && data[0] == 0xfe && data[1] == 0xff:
		label = "utf-16be"
	case !utf8.Valid(data):
		label = "gb18030"
	}
	text := string(data)
	if label != "utf-8" {
		encoding, _ := charset.Lookup(label)
		decoded, err := encoding.NewDecoder().Bytes(data)
		if err != nil {
			return "", fmt.Errorf("decode as %s: %w", label, err)
		}
		text = string(decoded)
	}
	if strings.ContainsRune(text, 0) {
		return "", fmt.Errorf("this is not a text file")
	}
	return strings.ReplaceAll(strings.TrimPrefix(text, "\uFEFF"), "\r\n", "\n"), nil
}

// outline keeps the headings above what is being read.
type outline struct {
	levels []int
	names  []string
}

// enter goes under a heading and returns the path to it.
func (o *outline) enter(level int, name string) string {
	for len(o.levels) > 0 && o.levels[len(o.levels)-1] >= level {
		o.levels, o.names = o.levels[:len(o.levels)-1], o.names[:len(o.names)-1]
	}
	o.levels, o.names = append(o.levels, level), append(o.names, name)
	return o.path()
}

func (o *outline) path() string { return strings.Join(o.names, " › ") }

// begin enters the heading that opens a section and adds it to d. The first
// heading of level one is the document's title and stands in no path.
func (o *outline) begin(d *document, level int, name string, page int) {
	name = strings.Join(strings.Fields(name), " ")
	if name == "" {
		return
	}
	text := strings.Repeat("#", level) + " " + name
	if level == 1 && (d.title == "" || d.title == name) {
		d.title = name
		o.levels, o.names = nil, nil
		d.blocks = append(d.blocks, block{text: text, level: level, page: page})
		return
	}
	d.blocks = append(d.blocks, block{text: text, heading: o.enter(level, name), level: level, page: page})
}
