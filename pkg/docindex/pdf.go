package docindex

import (
	"errors"
	"fmt"
	"strings"

	"parley/pkg/extract"
)

// maxPDF bounds what is indexed of a PDF, in bytes of text; what follows is not read.
const maxPDF = 16 << 20

// readPDF takes the text of each page. There are no headings in a PDF, only pages.
// Pictures of text are not read.
func readPDF(_ string, data []byte) (document, error) {
	title, pages, err := extract.Pages(data, maxPDF)
	if err != nil {
		return document{}, fmt.Errorf("read PDF: %w", err)
	}
	d := document{title: title}
	for n, text := range pages {
		for _, paragraph := range strings.Split(text, "\n\n") {
			d.blocks = append(d.blocks, block{text: strings.ReplaceAll(paragraph, "\x00", ""), page: n + 1})
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
