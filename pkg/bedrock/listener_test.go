package bedrock

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

// FuzzListener checks that how a model cuts its text into events changes nothing:
// every byte but white space at the end is said once, and every marker of a passage
// is heard once.
func FuzzListener(f *testing.F) {
	f.Add("14 days [1][2], noon [2]. No [3].", uint8(1))
	f.Add("one\n\n two [12", uint8(3))
	f.Add("[[1]] [1 ] [001] 退款[2]。 ", uint8(2))
	f.Fuzz(func(t *testing.T, text string, size uint8) {
		const passages = 2
		l := newListener(passages)
		var said strings.Builder
		var heard []int
		for piece := range slices.Chunk([]byte(text), int(size)+1) {
			for _, d := range l.write(string(piece)) {
				said.WriteString(d.Text)
				if d.Cite != 0 {
					heard = append(heard, d.Cite)
				}
			}
		}
		if !strings.HasPrefix(text, said.String()) || strings.TrimRightFunc(text[said.Len():], unicode.IsSpace) != "" {
			t.Errorf("said %q of %q", said.String(), text)
		}
		var want []int
		for _, m := range marker.FindAllStringSubmatch(text, -1) {
			if n, _ := strconv.Atoi(m[1]); n >= 1 && n <= passages {
				want = append(want, n)
			}
		}
		if !slices.Equal(heard, want) {
			t.Errorf("heard %v in %q, want %v", heard, text, want)
		}
	})
}
