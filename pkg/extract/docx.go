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
	// The archive says how large it is, and nothing beyond that is unpacked.
	if info, err := part.Stat(); err != nil || info.Size() > maxUnpacked {
		return "", ErrTooLarge
	}
	text, err := wordText(xml.NewDecoder(part))
	if err != nil {
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
