package markdown

import (
	"strings"
)

// Split cuts md into parts that each stay within l and can be posted as messages
// of their own, in order. It cuts between blocks where it can, else between list
// items, lines, sentences, words and characters, in that order of preference.
// Never inside a link, an inline code span or a <...>, unless that alone exceeds
// l. A fence or table begins a part of its own rather than being cut; one that
// exceeds a part is continued in the next, with its opening line or its header
// repeated. Fences are closed at the end of each part.
//
// Parts together hold all of md; blank lines and spaces at a cut are dropped.
// Empty text has no parts. A limit too small to hold a repeated header gives the
// table up as such; no limit is too small for a single character.
//
// Split decides from the front: what follows a part has no influence on it, as
// long as it does not change what the end of that part means (as a line of ===
// turns the line above it into a heading). So for text that grows, all parts but
// the last stay identical from the moment they are cut. The last part shrinks
// once, when it is cut itself.
func Split(md string, l Limits) []string {
	if strings.TrimSpace(md) == "" {
		return nil
	}
	d := newDocument(md, l)
	var parts []string
	for c := d.next(0); c.pos < len(md); {
		end := d.cut(c)
		if part := d.render(c, end); part != "" {
			parts = append(parts, part)
		}
		c = d.next(end)
	}
	return parts
}

// cursor is where a part begins.
type cursor struct {
	pos    int
	block  *whole // the fence or table it continues
	dedent int    // columns of indentation its lines lose, up to byte until
	until  int
}

// next begins the part after a cut at end.
func (d *document) next(end int) cursor {
	for end < len(d.md) && d.at(end).block == nil && strings.TrimSpace(d.md[end:d.at(end).end]) == "" {
		end = d.at(end).end
	}
	if end >= len(d.md) {
		return cursor{pos: end}
	}
	ln := d.at(end)
	c := cursor{pos: end, block: ln.block, until: d.topEnd(ln)}
	switch {
	case ln.block != nil:
		c.dedent = ln.block.dedent
	case end > ln.start:
		c.pos += len(d.md[end:ln.end]) - len(strings.TrimLeft(d.md[end:ln.end], " \t"))
	case !ln.keep:
		c.dedent = indentOf(d.md[ln.start:ln.end])
	}
	return c
}

// at is the line that holds byte pos.
func (d *document) at(pos int) line { return d.lines[d.lineAt(pos)] }

func indentOf(s string) int { return width(s[:len(s)-len(strings.TrimLeft(s, " \t"))]) }

// topEnd is where the top-level block that holds ln ends.
func (d *document) topEnd(ln line) int {
	for _, later := range d.lines[d.lineAt(ln.start):] {
		if later.top != ln.top {
			return later.start
		}
	}
	return len(d.md)
}

// render is the part from c to end as it is posted.
func (d *document) render(c cursor, end int) string {
	var b strings.Builder
	for pos := c.pos; pos < end; {
		stop := min(end, d.at(pos).end)
		b.WriteString(c.strip(d.md[pos:stop], pos))
		pos = stop
	}
	text := strings.TrimRight(b.String(), " \t\n")
	if text == "" {
		return ""
	}
	if c.block != nil {
		text = c.block.open + text
	}
	if w := d.openAt(end); w != nil {
		text += w.close
	}
	return text
}

// strip takes a part's indentation off a line that begins at pos.
func (c cursor) strip(line string, pos int) string {
	if pos >= c.until {
		return line
	}
	for left := c.dedent; left > 0 && line != "" && (line[0] == ' ' || line[0] == '\t'); {
		left -= width(line[:1])
		line = line[1:]
	}
	return line
}

// openAt returns the fence or table that a cut at end leaves open.
func (d *document) openAt(end int) *whole {
	if end < len(d.md) {
		return d.at(end).block
	}
	last := d.lines[len(d.lines)-1]
	for _, w := range []*whole{last.block, last.opens} {
		if w != nil && !w.closed {
			return w
		}
	}
	return nil
}

// closing is what a part pays for a cut at end.
func (d *document) closing(end int) size {
	if w := d.openAt(end); w != nil {
		return sizeOf(w.close)
	}
	return size{}
}

// cut returns where the part that begins at c ends.
func (d *document) cut(c cursor) int {
	var used size
	if c.block != nil {
		used = sizeOf(c.block.open)
	}
	early, late, lateRank := -1, -1, never // the last place for a cut, and the best in the second half
	tiny := true                           // early leaves less than a third
	for i := d.lineAt(c.pos); i < len(d.lines); i++ {
		ln := d.lines[i]
		begin := max(ln.start, c.pos)
		if begin > c.pos && d.allowed(c, ln) {
			early, tiny = begin, used.within(d.limits, 1./3)
			if ln.rank <= lateRank && !used.within(d.limits, 0.5) {
				late, lateRank = begin, ln.rank
			}
		}
		grown := used.plus(sizeOf(c.strip(d.md[begin:ln.end], begin)))
		if grown.plus(d.closing(ln.end)).fits(d.limits) {
			used = grown
			continue
		}
		switch {
		case late > 0:
			return late
		case early > 0 && (!tiny || d.intact(c, ln)):
			return early
		}
		return d.within(c, begin, ln.end, used)
	}
	return len(d.md)
}

// allowed reports whether the part that begins at c may end before ln.
func (d *document) allowed(c cursor, ln line) bool {
	return ln.rank != never && !d.intact(c, line{block: ln.block})
}

// intact reports whether ln belongs to a fence or table that begins later than
// the part: that is moved to the next part, not cut.
func (d *document) intact(c cursor, ln line) bool {
	return ln.block != nil && ln.block.start > c.pos || ln.opens != nil && ln.opens.start > c.pos
}
