package extract

import (
	"bytes"
	"compress/zlib"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"

	"github.com/ledongthuc/pdf"
)

// maxPages bounds how many pages of a PDF are read.
const maxPages = 2000

// pdfText is the text of a PDF, a blank line between its pages.
func pdfText(data []byte) (string, error) {
	_, pages, err := Pages(data, MaxText)
	return strings.Join(pages, "\n\n"), err
}

// Pages are the title of a PDF and the text of its pages, in order, until they come
// to max bytes. A page that cannot be read is empty, and so is one that is a
// picture. Its work is bounded whatever the bytes are.
func Pages(data []byte, max int) (title string, pages []string, err error) {
	defer func() { // the library panics over what it does not expect
		if recover() != nil && len(pages) == 0 {
			err = ErrDamaged
		}
	}()
	if err := checkPDF(data); err != nil {
		if errors.Is(err, errOpaque) {
			err = nil
		}
		return "", nil, err
	}
	// A document can lead its reader in circles: it may read each byte only so
	// often.
	source := &rationed{data: data, left: 64*int64(len(data)) + 64<<20}
	r, err := pdf.NewReader(source, int64(len(data)))
	if err != nil {
		return "", nil, ErrDamaged
	}
	title = strings.TrimSpace(r.Trailer().Key("Info").Key("Title").Text())
	size := 0
	for i := 1; i <= min(r.NumPage(), maxPages) && size <= max && source.left > 0; i++ {
		text := pageText(r, i)
		size += len(text)
		pages = append(pages, text)
	}
	return title, pages, nil
}

func pageText(r *pdf.Reader, n int) (text string) {
	defer func() {
		if recover() != nil {
			text = ""
		}
	}()
	page := r.Page(n)
	if page.V.IsNull() {
		return ""
	}
	text, err := page.GetPlainText(nil)
	if err != nil {
		return ""
	}
	return text
}

// rationed is a file of which only so many bytes are read in all.
type rationed struct {
	data []byte
	left int64
}

var errRation = errors.New("the document leads in circles")

func (r *rationed) ReadAt(p []byte, offset int64) (int, error) {
	if r.left <= 0 {
		return 0, errRation
	}
	n, err := bytes.NewReader(r.data).ReadAt(p, offset)
	r.left -= int64(n) + 1
	return n, err
}

var (
	streamStart = regexp.MustCompile(`stream\r?\n`)
	escapedName = regexp.MustCompile(`#[0-9A-Fa-f]{2}`)
	// Filters that unpack what another filter gives them. Two of these in a row
	// hide what the second unpacks to.
	textFilter = regexp.MustCompile(`/(ASCII85Decode|A85)\b`)
)

// errOpaque: the document may be whole, but what it unpacks to is not known. Like
// a scan, it says nothing here.
var errOpaque = errors.New("packed twice")

// checkPDF refuses what the library would unpack without bound. It tries every
// stream as the library would: unpacked once, and again where that is packed too.
func checkPDF(data []byte) error {
	names := escapedName.ReplaceAllFunc(data, func(e []byte) []byte {
		v, err := strconv.ParseUint(string(e[1:]), 16, 8)
		if err != nil {
			return e
		}
		return []byte{byte(v)}
	})
	if bytes.Contains(names, []byte("/Encrypt")) {
		return ErrProtected
	}
	if textFilter.Match(names) {
		return errOpaque
	}
	left := int64(maxUnpacked)
	for _, at := range streamStart.FindAllIndex(data, -1) {
		if left = unpacked(data[at[1]:], left, 0); left <= 0 {
			return ErrTooLarge
		}
	}
	return nil
}

// unpacked returns what is left of a budget once packed was unpacked, and again as
// long as that looks packed.
func unpacked(packed []byte, left int64, depth int) int64 {
	if len(packed) < 2 || packed[0]&0x0f != 8 || (int(packed[0])<<8|int(packed[1]))%31 != 0 {
		return left // no zlib
	}
	if depth == 4 {
		return 0
	}
	z, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		return left
	}
	defer z.Close()
	head := make([]byte, 1<<20)
	n, err := io.ReadFull(z, head)
	left -= int64(n)
	if err == nil {
		rest, _ := io.Copy(io.Discard, io.LimitReader(z, left+1)) // damage ends it, as it does for the reader
		left -= rest
	}
	if left <= 0 {
		return 0
	}
	return unpacked(head[:n], left, depth+1)
}
