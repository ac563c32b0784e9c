package extract

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

// document is the part of a Word document that holds its text.
const document = "word/document.xml"

// packed tells what a ZIP archive holds.
func packed(data []byte) string {
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return ""
	}
	for _, f := range archive.File {
		switch f.Name {
		case document:
			return DOCX
		case "xl/workbook.xml":
			return XLSX
		}
	}
	return ""
}

// docxText is the text of a Word document: a line for each paragraph, a tab
// between the cells of a table.
func docxText(data []byte) (string, error) {
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return "", ErrDamaged
	}
	part, err := archive.Open(document)
	if err != nil {
		return "", ErrDamaged
	}
	defer part.Close()
	bounded := &bounded{r: part, left: maxUnpacked}
	text, err := wordText(xml.NewDecoder(bounded))
	switch {
	case bounded.over:
		return "", ErrTooLarge
	case err != nil:
		return text, ErrDamaged
	}
	return text, nil
}

// ends is what ends a paragraph: one in a table must not end its row.
var ends = map[bool]byte{false: '\n', true: ' '}

// wordText reads WordprocessingML. It is ECMA-376's w:p, w:t, w:tab, w:br, w:tc.
func wordText(d *xml.Decoder) (string, error) {
	var b strings.Builder
	inText, cells := false, 0
	for b.Len() <= MaxText {
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			return b.String(), nil
		}
		if err != nil {
			return b.String(), err
		}
		switch t := token.(type) {
		case xml.StartElement:
			inText = t.Name.Local == "t"
			switch t.Name.Local {
			case "tc":
				cells++
			case "tab":
				b.WriteByte('\t')
			case "br", "cr":
				b.WriteByte('\n')
			}
		case xml.EndElement:
			inText = false
			switch t.Name.Local {
			case "p":
				b.WriteByte(ends[cells > 0])
			case "tc":
				cells--
				b.WriteByte('\t')
			case "tr":
				b.WriteByte('\n')
			}
		case xml.CharData:
			if inText {
				b.Write(t)
			}
		}
	}
	return b.String(), nil
}

// bounded reads up to left bytes and notes when there were more.
type bounded struct {
	r    io.Reader
	left int64
	over bool
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		b.over = true
		return 0, ErrTooLarge
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}
