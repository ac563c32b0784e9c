package docindex

import (
	"strings"
	"unicode"
)

// words rewrites text so that FTS5's unicode61 finds its words: letters and digits
// as they are, and for scripts written without spaces every pair of neighbouring
// characters. SQLite's own answer to such scripts, the trigram tokenizer, cannot
// find the words of two characters that most Chinese words are.
func words(text string) string {
	var b strings.Builder
	b.Grow(len(text) + len(text)/2)
	for _, w := range split(text) {
		b.WriteString(w)
		b.WriteByte(' ')
	}
	return b.String()
}

// split returns the words of text in lower case, pairs for ideographs and the like.
// A character that stands alone is a word.
func split(text string) []string {
	var all []string
	var word, run []rune
	flush := func() {
		if len(word) > 0 {
			all = append(all, strings.ToLower(string(word)))
		}
		if len(run) == 1 {
			all = append(all, string(run))
		}
		for i := 1; i < len(run); i++ {
			all = append(all, string(run[i-1:i+1]))
		}
		word, run = word[:0], run[:0]
	}
	for _, r := range text {
		r = narrow(r)
		switch {
		case unspaced(r):
			if len(word) > 0 {
				flush()
			}
			run = append(run, r)
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			if len(run) > 0 {
				flush()
			}
			word = append(word, r)
		default:
			flush()
		}
	}
	flush()
	return all
}

func unspaced(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul)
}

// narrow turns the full-width forms of ASCII, which people type between ideographs,
// into ASCII.
func narrow(r rune) rune {
	if r >= 0xff01 && r <= 0xff5e {
		return r - 0xfee0
	}
	return r
}

// maxTerms bounds the words of a question that are looked for.
const maxTerms = 40

// query returns the words of a question that say what it is about, each once.
func query(question string) []string {
	question = particles.Replace(question)
	seen := make(map[string]bool)
	var all []string
	for _, w := range split(question) {
		if seen[w] || empty[w] || len(w) == 1 && w[0] > '9' || single(w) {
			continue
		}
		seen[w] = true
		if all = append(all, w); len(all) == maxTerms {
			break
		}
	}
	return all
}

// single reports whether w is one ideograph: as a word it says too little.
func single(w string) bool {
	r := []rune(w)
	return len(r) == 1 && unspaced(r[0])
}

// particles ask, and say nothing about what is asked. Taken out first, they make
// no pairs with their neighbours.
var particles = func() *strings.Replacer {
	var pairs []string
	for _, p := range strings.Fields(`为什么 什么时候 是什么 有什么 什么样 什么 怎么样 怎么办 怎么 怎样 如何 哪里 哪儿 哪些 哪个 哪种 多少 多久 多长 几个
		是否 可不可以 能不能 会不会 有没有 可以 能否 请问 请告诉 告诉 一下 我们 你们 他们 它们 这个 那个 这些 那些 需要 应该 的话
		的 了 吗 呢 吧 啊 我 你 您 它 是 被 把 请 `) {
		pairs = append(pairs, p, " ")
	}
	return strings.NewReplacer(pairs...)
}()

// empty are words that are in every text.
var empty = func() map[string]bool {
	all := make(map[string]bool)
	for _, w := range strings.Fields(`a an the and or but if then else of to in on at by for from with without into onto over under about as is are was were be been
		being am do does did done doing have has had having can could may might must shall should will would i me my mine you your yours he him his she her
		hers it its we us our ours they them their theirs this that these those here there what which who whom whose when where why how much many
		please tell explain describe say says know need want get got let so than too very just also not no yes any some such only own same
		s t m re ve ll d don doesn didn isn aren wasn won`) {
		all[w] = true
	}
	return all
}()
