package pipeline

import (
	"strings"
	"unicode/utf8"
)

// scanner reads Markdown once, from left to right, and writes it without the links
// that judge refuses. Each decision depends on what was read so far and on nothing
// behind the place where it holds back.
type scanner struct {
	in       string
	done     bool // nothing follows in
	mark     string
	cites    bool // check citations against passages
	passages int
	judge    func(address string) bool

	out      []byte
	seamed   bool      // something was taken out at the end of out
	brackets []bracket // open ones of the paragraph
	fence    string    // that is open, "" outside
	loose    bool      // a backtick of the paragraph is not closed on its line: readers differ about what is code
}

// bracket is an opening one that may begin a link's text.
type bracket struct {
	at    int  // in out
	image bool // it has an exclamation mark before it
	line  bool // only markers of lists and quotes stand before it on its line
}

// seam is U+2060 WORD JOINER: where something was taken out, it keeps what is left
// from growing together into an address.
const seam = "\u2060"

func (s *scanner) run() string {
	s.out = make([]byte, 0, len(s.in))
	for pos := 0; pos < len(s.in); {
		end := len(s.in)
		whole := false
		if i := strings.IndexByte(s.in[pos:], '\n'); i >= 0 {
			end, whole = pos+i+1, true
		}
		if s.line(pos, end, whole || s.done) {
			return s.held()
		}
		pos = end
	}
	if !s.done && len(s.brackets) > 0 {
		s.out = s.out[:s.brackets[0].at]
	}
	return s.held()
}

// held is what can be shown. Of unfinished text the end may still become something
// else.
func (s *scanner) held() string {
	if s.done {
		return string(s.out)
	}
	text := string(s.out)
	text = text[:growing().FindStringIndex(text)[0]]
	return strings.TrimRight(text, " \t\n"+seam+"!")
}

// line reads the line in[pos:end] and reports whether it stopped to wait for more.
func (s *scanner) line(pos, end int, whole bool) (waits bool) {
	line := s.in[pos:end]
	if m := fence().FindStringSubmatch(line); m != nil {
		opens := s.fence == "" && !(m[1][0] == '`' && strings.Contains(m[2], "`"))
		closes := s.fence != "" && m[1][0] == s.fence[0] && len(m[1]) >= len(s.fence) && strings.TrimSpace(m[2]) == ""
		switch {
		case (opens || closes) && !whole:
			return true
		case opens:
			s.fence, s.brackets, s.loose = m[1], nil, false
			s.code(line)
			return false
		case closes:
			s.fence = ""
			s.out = append(s.out, line...)
			return false
		}
	}
	if s.fence != "" {
		s.code(line)
		return false
	}
	if strings.TrimSpace(line) == "" {
		s.brackets, s.loose = nil, false // nothing goes across an empty line
	}
	for i := pos; i < end; {
		n, wait := s.token(i, end, whole)
		if wait {
			if len(s.brackets) > 0 {
				s.out = s.out[:s.brackets[0].at]
			}
			return true
		}
		i += n
	}
	return false
}

// token reads what begins at i, on a line that ends at end.
func (s *scanner) token(i, end int, whole bool) (n int, wait bool) {
	rest := s.in[i:end]
	switch c := rest[0]; {
	case c == '\\' && len(rest) > 1 && rest[1] < utf8.RuneSelf:
		return s.copy(rest[:2]), false
	case c == '`':
		return s.span(rest, whole)
	case c == '<':
		return s.angle(rest, whole)
	case c == '[':
		return s.open(i, rest, whole)
	case c == ']':
		return s.close(rest, whole)
	case s.startsWord(c):
		if size := addressAt(rest); size > 0 {
			if size == len(rest) && !whole {
				return 0, true
			}
			return s.address(rest[:size]), false
		}
	}
	_, size := utf8.DecodeRuneInString(rest)
	return s.copy(rest[:size]), false
}

// startsWord reports whether an address may begin with c here.
func (s *scanner) startsWord(c byte) bool {
	letter := c|0x20 >= 'a' && c|0x20 <= 'z'
	if len(s.out) == 0 || s.seamed {
		return letter || c >= '0' && c <= '9'
	}
	last := s.out[len(s.out)-1]
	after := last|0x20 >= 'a' && last|0x20 <= 'z'
	return letter && !after || c >= '0' && c <= '9' && !after && !(last >= '0' && last <= '9')
}

// address writes a bare address, or the mark.
func (s *scanner) address(text string) int {
	if s.judge(text) {
		return s.copy(text)
	}
	s.blot()
	return len(text)
}

// blot writes the mark of what was taken out.
func (s *scanner) blot() {
	if n := len(s.out); n > 0 && s.out[n-1] == ']' {
		s.copy(" ") // the mark must not become a link's destination
	}
	s.copy(s.mark)
}

// code writes text that is shown as it is.
func (s *scanner) code(text string) {
	for i := 0; i < len(text); {
		if s.startsWord(text[i]) {
			if size := addressAt(text[i:]); size > 0 && strings.Contains(text[i:i+size], "//") {
				if a := text[i : i+size]; local(a) || s.judge(a) {
					s.copy(a)
				} else {
					s.copy(s.mark)
				}
				i += size
				continue
			}
		}
		_, size := utf8.DecodeRuneInString(text[i:])
		i += s.copy(text[i : i+size])
		if text[i-1] == ']' && leads().MatchString(text[i:]) {
			s.copy(" ") // should a reader take this for prose
		}
	}
}

// span reads code between backticks. One that is not closed on its line is none,
// and where readers differ it is all taken for prose.
func (s *scanner) span(rest string, whole bool) (int, bool) {
	ticks := rest[:len(rest)-len(strings.TrimLeft(rest, "`"))]
	if s.loose {
		return s.copy(ticks), !whole && len(ticks) == len(rest)
	}
	for i := len(ticks); ; {
		at := strings.Index(rest[i:], ticks)
		if at < 0 {
			if !whole {
				return 0, true
			}
			s.loose = true
			return s.copy(ticks), false
		}
		begin := i + at
		run := len(rest[begin:]) - len(strings.TrimLeft(rest[begin:], "`"))
		if i = begin + run; run == len(ticks) {
			if i == len(rest) && !whole {
				return 0, true // the run may be longer
			}
			s.copy(ticks)
			s.code(rest[len(ticks):begin])
			s.copy(ticks)
			return i, false
		}
	}
}

// angle reads <address>, Slack's <address|label>, and elements that lead somewhere.
func (s *scanner) angle(rest string, whole bool) (int, bool) {
	if !whole && !strings.Contains(rest, ">") {
		return 0, true
	}
	if m := angled().FindStringSubmatch(rest); m != nil {
		switch {
		case s.judge(m[1]):
			s.copy(m[0])
		case m[2] == "":
			s.blot()
		default:
			label := *s
			label.in, label.done, label.out, label.brackets = m[2], true, nil, nil
			s.join()
			s.copy(label.run())
			s.join()
		}
		return len(m[0]), false
	}
	if m := element().FindString(rest); m != "" {
		s.join()
		return len(m), false
	}
	return s.copy("<"), false
}

// join keeps what is written apart from what follows.
func (s *scanner) join() { s.seamed = true }

// copy writes text, behind a seam where the two could make an address together.
func (s *scanner) copy(text string) int {
	if s.seamed && text != "" {
		if n := len(s.out); n > 0 && joinable(s.out[n-1]) && joinable(text[0]) {
			s.out = append(s.out, seam...)
		}
		s.seamed = false
	}
	s.out = append(s.out, text...)
	return len(text)
}

func joinable(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || strings.IndexByte(".:/@_-&;\\%+", c) >= 0
}

// open reads an opening bracket, or a whole citation.
func (s *scanner) open(i int, rest string, whole bool) (int, bool) {
	bol := strings.LastIndexByte(s.in[:i], '\n') + 1
	b := bracket{at: len(s.out), line: marker().MatchString(s.in[bol:i])}
	if m := numbers().FindString(rest); m != "" && s.cites {
		next := rest[len(m):]
		_, _, link := destination(strings.TrimPrefix(next, "("))
		link = link && strings.HasPrefix(next, "(")
		if !whole && (next == "" || next[0] == '(' && !link) {
			return 0, true
		}
		if !link {
			s.cite(citations(m, s.passages), strings.HasPrefix(next, "(") || b.line && strings.HasPrefix(next, ":"))
			return len(m), false
		}
	}
	if b.at > 0 && s.out[b.at-1] == '!' {
		b.at, b.image = b.at-1, true
	}
	s.brackets = append(s.brackets, b)
	return s.copy("["), false
}

// cite writes the markers that are left of a citation. Where a link or definition could
// begin a space keeps it from being one.
func (s *scanner) cite(kept string, apart bool) {
	if n := len(s.out); kept == "" {
		if n > 0 && s.out[n-1] == ' ' && !apart {
			s.out = s.out[:n-1]
		}
		if apart && n > 0 && s.out[n-1] == ']' {
			s.copy(" ")
		}
		s.join()
		return
	}
	s.copy(kept)
	if apart {
		s.copy(" ")
	}
}
