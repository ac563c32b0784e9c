package docindex

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/ledongthuc/pdf"
)

// maxPages bounds a PDF; what follows is not read.
const maxPages = 2000

// readPDF takes the text of each page. There are no headings in a PDF, only pages.
// Pictures of text are not read.
func readPDF(_ string, data []byte) (document, error) {
	r, err := pdf.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return document{}, fmt.Errorf("read PDF: %w", err)
	}
	d := document{title: strings.TrimSpace(r.Trailer().Key("Info").Key("Title").Text())}
	for n := 1; n <= min(r.NumPage(), maxPages); n++ {
		p := r.Page(n)
		if p.V.IsNull() {
			continue
		}
		text, err := p.GetPlainText(nil)
		if err != nil {
			return document{}, fmt.Errorf("read page %d: %w", n, err)
		}
		for _, paragraph := range strings.Split(text, "\n\n") {
			d.blocks = append(d.blocks, block{text: strings.ReplaceAll(paragraph, "\x00", ""), page: n})
		}
	}
	if strings.TrimSpace(textOf(d.blocks)) == "" {
		return document{}, errors.New("the PDF holds no text; is it scanned?")
	}
	return d, nil
}

func textOf(blocks []block) string {
	var b strings.Builder
	for i, block := range blocks {
		if i > 0 {
			b.WriteString("\n\n")
		}
		b.WriteString(block.text)
	}
	return b.String()
}
