package markdown

import "unicode/utf8"

// Limits bound the size of one part. A zero bound is none.
type Limits struct {
	// Runes bounds characters. Those outside the basic multilingual plane, most
	// emoji among them, count as two, as they do on platforms that count UTF-16.
	Runes int
	// Bytes bounds the UTF-8 form.
	Bytes int
	// JSON bounds the characters of the text inside a JSON string, where a line
	// break or a quote takes two.
	JSON int
}

// size is how big a text is in each of the three measures.
type size struct{ runes, bytes, json int }

func sizeOf(s string) size {
	var z size
	for _, r := range s {
		z = z.plus(sizeOfRune(r))
	}
	return z
}

func sizeOfRune(r rune) size {
	z := size{1, utf8.RuneLen(r), 1}
	if z.bytes < 0 {
		z.bytes = 3 // an invalid byte, as its replacement is written
	}
	if r >= 0x10000 {
		z.runes, z.json = 2, 2
	}
	switch {
	case r == '"', r == '\\', r == '\n', r == '\t', r == '\r':
		z.json = 2
	case r < 0x20, r == '\u2028', r == '\u2029':
		z.json = 6
	}
	return z
}

func (z size) plus(o size) size { return size{z.runes + o.runes, z.bytes + o.bytes, z.json + o.json} }

// within reports whether z is at most the given share of l.
func (z size) within(l Limits, share float64) bool {
	ok := func(n, max int) bool { return max == 0 || float64(n) <= float64(max)*share }
	return ok(z.runes, l.Runes) && ok(z.bytes, l.Bytes) && ok(z.json, l.JSON)
}

func (z size) fits(l Limits) bool { return z.within(l, 1) }
