package pipeline

import (
	"strings"
	"unicode/utf8"
)

// close reads a closing bracket and, if it ends a link's text, where that leads. A
// destination that goes on behind its line is torn off: models write none, and
// platforms differ about them.
func (s *scanner) close(rest string, whole bool) (int, bool) {
	dest, size, ok := "", 0, false
	if strings.HasPrefix(rest, "](") {
		dest, size, ok = destination(rest[2:])
	}
	if !whole && !ok && (len(rest) == 1 || rest[1] == '(') {
		return 0, true
	}
	if len(s.brackets) == 0 {
		return s.copy("]"), false
	}
	b := s.brackets[len(s.brackets)-1]
	s.brackets = s.brackets[:len(s.brackets)-1]
	switch {
	case strings.HasPrefix(rest, "](") && !ok, strings.HasPrefix(rest, "]:") && b.line:
		// The latter defines where [labels] lead. A space makes either plain text.
		s.out = append(s.out, "] "...)
		return 1, false
	case !ok:
		return s.copy("]"), false
	case s.judge(dest):
		return s.copy(rest[:2+size]), false
	}
	s.unlink(b)
	return 2 + size, false
}

// unlink leaves of the link that began at b its text.
func (s *scanner) unlink(b bracket) {
	text := b.at + 1
	if b.image {
		text++
	}
	said := string(s.out[text:])
	s.out = s.out[:b.at]
	if strings.TrimSpace(said) == "" {
		s.blot()
		return
	}
	s.join()
	s.copy(said)
	s.join()
}

// destination reads what stands between the parentheses of a link, up to and with
// the closing one: an address, and perhaps a title. ok is false if it is no such
// thing on this line.
func destination(s string) (dest string, size int, ok bool) {
	i := len(s) - len(strings.TrimLeft(s, " \t"))
	if strings.HasPrefix(s[i:], "<") {
		end := strings.IndexAny(s[i:], ">\n")
		if end < 0 || s[i+end] != '>' {
			return "", 0, false
		}
		dest, i = s[i+1:i+end], i+end+1
	} else {
		end := i + balanced(s[i:])
		dest, i = s[i:end], end
	}
	i += len(s[i:]) - len(strings.TrimLeft(s[i:], " \t"))
	if i < len(s) && strings.IndexByte(`"'(`, s[i]) >= 0 {
		closing := s[i : i+1]
		if closing == "(" {
			closing = ")"
		}
		end := strings.Index(s[i+1:], closing)
		if end < 0 {
			return "", 0, false
		}
		i += end + 2
		i += len(s[i:]) - len(strings.TrimLeft(s[i:], " \t"))
	}
	if i < len(s) && s[i] == ')' {
		return dest, i + 1, true
	}
	return "", 0, false
}

// balanced is the length of an address without spaces, in which parentheses pair.
func balanced(s string) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s) && s[i+1] > ' ' && s[i+1] < utf8.RuneSelf:
			i++
		case c <= ' ':
			return i
		case c == '(':
			depth++
		case c == ')':
			if depth--; depth < 0 {
				return i
			}
		}
	}
	return len(s)
}
