// Package scrub takes secrets and personal data out of text: keys and tokens,
// passwords, addresses of e-mail, numbers of telephones, cards and identity cards.
//
// It is pure and knows patterns, not meanings: a secret that looks like any other
// word stays, which is why people look at the result before it is kept. What it
// replaces it replaces wholly, by a word in brackets, and scrubbing twice changes
// nothing more.
package scrub

import (
	"regexp"
	"strings"
	"sync"
)

// rule replaces what a pattern matches, if check, where there is one, agrees. The
// first group of a pattern, where it has one, stays.
type rule struct {
	what    string
	pattern *regexp.Regexp
	check   func(match string) bool
}

// The rules, in order: whatever could be part of a longer secret comes after it.
// Compiling them takes a millisecond, which is for those to spend who scrub.
var rules = sync.OnceValue(func() []rule {
	return []rule{
		{what: "private key", pattern: regexp.MustCompile(`-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----(?s:.*?)(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\z)`)},
		{what: "token", pattern: regexp.MustCompile(`\bxox[a-z]-[A-Za-z0-9-]{8,}|\bxapp-[A-Za-z0-9-]{8,}|\bxoxe\.[A-Za-z0-9.-]{8,}`)},
		{what: "link", pattern: regexp.MustCompile(`https://hooks\.slack\.com/[A-Za-z0-9/_-]+|https://oapi\.dingtalk\.com/robot/send\?\S+`)},
		{what: "key", pattern: regexp.MustCompile(`\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b|\bLTAI[A-Za-z0-9]{12,28}\b|\bAIza[A-Za-z0-9_-]{35}`)},
		{what: "token", pattern: regexp.MustCompile(`\b(?:ghp|gho|ghu|ghs|ghr)_[A-Za-z0-9]{20,}|\bgithub_pat_[A-Za-z0-9_]{20,}|\bglpat-[A-Za-z0-9_-]{16,}|\bsk-[A-Za-z0-9_-]{20,}|\bsk_(?:live|test)_[A-Za-z0-9]{10,}|\bnpm_[A-Za-z0-9]{30,}`)},
		{what: "token", pattern: regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*`)},
		{what: "token", pattern: regexp.MustCompile(`(?i)(\bbearer\s+)[A-Za-z0-9._~+/=-]{12,}`)},
		{what: "password", pattern: regexp.MustCompile(`(://[^\s/:@\[\]]+:)[^\s/@\[\]]+@`)},
		{what: "secret", pattern: regexp.MustCompile(`(?i)((?:password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key|密码|口令|密钥)["']?\s*(?:[:=：＝]|\bis\b|是|为)\s*["']?)[^\s"'\[\],;，。；]{4,}`)},
		{what: "email", pattern: regexp.MustCompile(`[A-Za-z0-9][A-Za-z0-9._%+-]*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+`)},
		{what: "phone", pattern: regexp.MustCompile(`\+[1-9]\d{0,2}(?:[ ()./-]{0,2}\d){6,12}\b`)},
		{what: "identity number", pattern: regexp.MustCompile(`\b\d{17}[\dXx]\b`), check: chineseID},
		{what: "card number", pattern: regexp.MustCompile(`\b\d(?:[ -]?\d){12,18}\b`), check: luhn},
		{what: "identity number", pattern: regexp.MustCompile(`\b\d{3}-\d{2}-\d{4}\b`)},
		{what: "phone", pattern: regexp.MustCompile(`\b1[3-9]\d[ -]?\d{4}[ -]?\d{4}\b`)},
		{what: "phone", pattern: regexp.MustCompile(`\b0\d{2,3}-\d{7,8}\b|\(\d{3}\) ?\d{3}-\d{4}|\b\d{3}[-.]\d{3}[-.]\d{4}\b`)},
	}
})

// Text returns s without secrets and personal data, and how many there were.
func Text(s string) (clean string, found int) {
	for _, r := range rules() {
		s = r.pattern.ReplaceAllStringFunc(s, func(match string) string {
			if r.check != nil && !r.check(match) {
				return match
			}
			found++
			kept := ""
			if groups := r.pattern.FindStringSubmatch(match); len(groups) > 1 {
				kept = groups[1]
			}
			end := ""
			if strings.HasSuffix(match, "@") {
				end = "@"
			}
			return kept + "[" + r.what + "]" + end
		})
	}
	return s, found
}

// luhn reports whether the digits of s have the check digit of payment cards.
func luhn(s string) bool {
	sum, n := 0, 0
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] < '0' || s[i] > '9' {
			continue
		}
		d := int(s[i] - '0')
		if n%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
		n++
	}
	return n >= 13 && n <= 19 && sum%10 == 0
}

// chineseID reports whether s has the check character of GB 11643.
func chineseID(s string) bool {
	weights := [17]int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}
	sum := 0
	for i, w := range weights {
		sum += int(s[i]-'0') * w
	}
	return strings.ToUpper(s)[17] == "10X98765432"[sum%11]
}
