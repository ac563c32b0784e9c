package pipeline

import (
	"html"
	"net/url"
	"strconv"
	"strings"
)

// links keeps an answer to what was looked up: it takes out links that lead to
// places that were not retrieved and citations of passages that do not exist, so
// that nobody who can write into a document can make Parley send people, or what
// they said, anywhere else.
//
// A link is what CommonMark and its usual extensions make of text, Slack's
// <address|label> among it, and an address with a path that lacks its scheme. Of a
// link its text is kept. A bare address is replaced by a mark; in code, too, where
// only this machine's own addresses are left alone.
type links struct {
	known    map[string]bool // addresses in their canonical form
	passages int
	mark     string // in place of a bare address
}

// newLinks knows the addresses in texts and urls.
func newLinks(passages int, mark string, urls []string, texts ...string) *links {
	l := &links{known: make(map[string]bool), passages: passages, mark: mark}
	for _, u := range urls {
		l.known[canonical(u)] = true
	}
	for _, t := range texts {
		s := scanner{in: t, done: true, judge: func(address string) bool {
			l.known[canonical(address)] = true
			return true
		}}
		s.run()
	}
	return l
}

// clean returns md without foreign links. While the answer grows (done is false)
// it holds back an end that may become one, and what it returns for a text is a
// prefix of what it returns for any longer one.
func (l *links) clean(md string, done bool) string {
	s := scanner{in: md, done: done, mark: l.mark, cites: true, passages: l.passages, judge: l.allowed}
	return s.run()
}

func (l *links) allowed(address string) bool { return l.known[canonical(address)] }

// canonical is an address in the one form that is compared. The scheme of the web
// and a last slash make no difference.
func canonical(address string) string {
	address = strings.TrimSpace(html.UnescapeString(unescape().ReplaceAllString(address, "$1")))
	lower := strings.ToLower(address)
	for _, scheme := range []string{"https://", "http://", "mailto:"} {
		if strings.HasPrefix(lower, scheme) {
			address = address[len(scheme):]
			break
		}
	}
	host, rest := address, ""
	if i := strings.IndexAny(address, "/?#"); i >= 0 {
		host, rest = address[:i], address[i:]
	}
	return strings.ToLower(host) + strings.TrimSuffix(rest, "/")
}

var unescape = pattern("\\\\([!-/:-@\\[-`{-~])")

// Patterns at the place where something may begin.
var (
	// schemed: also with what Markdown lets people write for the colon and slashes.
	schemed = pattern(`(?i)^(?:[a-z][a-z0-9+.-]{0,30}(?:\\?:|&#0*58;|&#x0*3a;|&colon;)(?:\\?/|&#0*47;|&#x0*2f;|&sol;){2}|mailto:|xmpp:|tel:|javascript:|www\.)`)
	mail    = pattern(`^[A-Za-z0-9._%+-]+@[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+`)
	pathed  = pattern(`(?i)^(?:[a-z0-9-]+\.)+(?:com|net|org|io|dev|app|ai|co|cn|info|biz|xyz|top|site|online|shop|club|link|click|live|tv|cc|ru|uk|de|jp|fr|eu|us|ly|gl|gd|me)(?::\d+)?/`)
	angled  = pattern(`^<([A-Za-z][A-Za-z0-9+.-]*:[^<>|\s]*|[^\s<>|@]+@[^\s<>|@]+)(?:\|([^<>\n]*))?>`)
	element = pattern(`(?i)^<[a-z][^<>]*\b(?:href|src|srcset|action|background)\s*=[^<>]*>`)
	numbers = pattern(`^\[\d{1,3}(?:\s*[,，、;；]\s*\d{1,3})*\]`)
	number  = pattern(`\d+`)
	fence   = pattern("^[ \t>]*(?:(?:[-*+]|\\d{1,9}[.)])[ \t]+)*(`{3,}|~{3,})([^\n]*)")
	marker  = pattern(`^[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*$`)
	leads   = pattern(`(?i)^\(\s*<?(?:[\\/]|mailto:|xmpp:|tel:|javascript:)`)
	// growing is an end of text that what follows may make part of an address.
	growing = pattern("[^\\s()\\[\\]<>\"{}。，、；！？（）「」《》“”|*]*$")
)

// addressAt returns the length of the address that s begins with, 0 if none.
func addressAt(s string) int {
	begin := schemed().FindString(s)
	if begin == "" {
		if m := mail().FindString(s); m != "" {
			return len(strings.TrimRight(m, "-_"))
		}
		if begin = pathed().FindString(s); begin == "" {
			return 0
		}
	}
	end := len(begin)
	host := !strings.HasSuffix(begin, "/") || strings.HasSuffix(begin, "//") || strings.HasSuffix(begin, `\/`)
	for i, r := range s[len(begin):] {
		if r <= ' ' || strings.ContainsRune("<>\"`[]|{}^", r) || strings.ContainsRune("。，、；：！？（）「」《》“”\u2060\u3000", r) {
			break
		}
		if strings.ContainsRune("/?#", r) {
			host = false
		}
		if r > 0x7e && !host {
			break // people write ideographs right behind an address
		}
		end = len(begin) + i + len(string(r))
	}
	return len(begin) + len(untrailed(s[len(begin):end]))
}

// untrailed drops what ends a sentence rather than an address.
func untrailed(s string) string {
	for s != "" {
		last := s[len(s)-1]
		if !strings.ContainsRune(".,;:!?'*_~)", rune(last)) || last == ')' && strings.Count(s, "(") >= strings.Count(s, ")") {
			break
		}
		s = s[:len(s)-1]
	}
	return s
}

// local reports whether an address is one of this machine, which examples are full
// of and which leads nobody anywhere.
func local(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	host := u.Hostname()
	return host == "localhost" || host == "127.0.0.1" || host == "0.0.0.0" || host == "::1"
}

// citations returns the markers among cited, such as "[1, 7]", that name a passage.
func citations(cited string, passages int) string {
	var b strings.Builder
	for _, digits := range number().FindAllString(cited, -1) {
		if n, err := strconv.Atoi(digits); err == nil && n >= 1 && n <= passages {
			b.WriteString("[" + strconv.Itoa(n) + "]")
		}
	}
	return b.String()
}
