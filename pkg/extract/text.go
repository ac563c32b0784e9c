package extract

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/text/encoding/simplifiedchinese"
)

var (
	bom8    = []byte{0xef, 0xbb, 0xbf}
	bom16LE = []byte{0xff, 0xfe}
	bom16BE = []byte{0xfe, 0xff}
)

// sampled is how much of a file is looked at to tell text from other bytes.
const sampled = 64 << 10

// isText reports whether bytes that say nothing about themselves are text: UTF-8,
// or the Chinese encoding of files that come from Windows.
func isText(data []byte) bool {
	data = data[:min(len(data), sampled)]
	if bytes.IndexByte(data, 0) >= 0 || len(data) == 0 {
		return false
	}
	if utf8.Valid(trimPartial(data)) {
		return true
	}
	decoded, err := simplifiedchinese.GB18030.NewDecoder().Bytes(data[:len(data)&^1])
	return err == nil && bytes.Count(decoded, []byte("\uFFFD"))*50 < len(decoded) && !bytes.ContainsFunc(decoded, control)
}

func control(r rune) bool { return r < ' ' && r != '\n' && r != '\r' && r != '\t' && r != '\f' }

// trimPartial drops a character that the end of data cuts in two.
func trimPartial(data []byte) []byte {
	for i := 1; i < utf8.UTFMax && i <= len(data); i++ {
		if tail := data[len(data)-i:]; utf8.RuneStart(tail[0]) && !utf8.FullRune(tail) {
			return data[:len(data)-i]
		}
	}
	return data
}

// decode turns text in UTF-8, UTF-16 with a mark, or GB18030 into UTF-8.
func decode(data []byte) string {
	switch {
	case bytes.HasPrefix(data, bom8):
		return string(data[len(bom8):])
	case bytes.HasPrefix(data, bom16LE):
		return decode16(data[2:], binary.LittleEndian)
	case bytes.HasPrefix(data, bom16BE):
		return decode16(data[2:], binary.BigEndian)
	case utf8.Valid(data):
		return string(data)
	}
	if decoded, err := simplifiedchinese.GB18030.NewDecoder().Bytes(data); err == nil {
		return string(decoded)
	}
	return string(data)
}

func decode16(data []byte, order binary.ByteOrder) string {
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = order.Uint16(data[2*i:])
	}
	return string(utf16.Decode(units))
}

// unread are elements whose text nobody reads; breaks end a line.
var (
	unread = map[string]bool{"script": true, "style": true, "noscript": true, "template": true, "svg": true}
	breaks = map[string]bool{
		"p": true, "div": true, "br": true, "li": true, "tr": true, "h1": true, "h2": true, "h3": true, "h4": true, "h5": true,
		"h6": true, "section": true, "article": true, "table": true, "ul": true, "ol": true, "pre": true, "blockquote": true, "title": true,
	}
)

// htmlText is what a page says, a line for each block.
func htmlText(page string) (string, error) {
	var b strings.Builder
	hidden := ""
	for z := html.NewTokenizer(strings.NewReader(page)); ; {
		switch kind := z.Next(); kind {
		case html.ErrorToken:
			if err := z.Err(); !errors.Is(err, io.EOF) {
				return b.String(), ErrDamaged
			}
			return b.String(), nil
		case html.TextToken:
			if hidden == "" {
				b.WriteString(words(string(z.Text())))
			}
		case html.StartTagToken, html.EndTagToken, html.SelfClosingTagToken:
			raw, _ := z.TagName()
			tag := string(raw)
			switch {
			case hidden == "" && kind == html.StartTagToken && unread[tag]:
				hidden = tag
			case kind == html.EndTagToken && tag == hidden:
				hidden = ""
			case breaks[tag]:
				b.WriteByte('\n')
			case kind == html.StartTagToken && (tag == "td" || tag == "th"):
				b.WriteByte('\t')
			}
		}
	}
}

// words is text with its space folded, as a browser shows it.
func words(s string) string {
	folded := strings.Join(strings.Fields(s), " ")
	if folded == "" {
		if s != "" {
			return " "
		}
		return ""
	}
	if strings.TrimLeft(s, " \t\r\n") != s {
		folded = " " + folded
	}
	if strings.TrimRight(s, " \t\r\n") != s {
		folded += " "
	}
	return folded
}
