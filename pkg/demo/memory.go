package demo

import (
	"fmt"
	"regexp"
	"strings"

	"parley/pkg/pipeline"
)

// What people state and ask about themselves. Values end at punctuation, so that
// "my name is Ada, and yours?" gives "Ada".
var (
	statesEN = regexp.MustCompile(`(?i)\b(?:my|the) ([a-z][a-z -]{0,30}?) is ([^.!?,;\n]+)`)
	callsEN  = regexp.MustCompile(`(?i)\b(?:call me|i am called|i'm called) ([^.!?,;\n]+)`)
	asksEN   = regexp.MustCompile(`(?i)\b(?:what(?:'s|’s| is| was)|tell me|remember) (my|the) ([a-z][a-z -]{0,30}?)\s*(?:[?.!,]|$)`)
	statesZH = regexp.MustCompile(`(\p{Han}{1,8}?)是([^，。！？；,.!?;\s]+)`)
	callsZH  = regexp.MustCompile(`我叫([^，。！？；,.!?;\s]+)`)
	asksZH   = regexp.MustCompile(`(\p{Han}{1,8}?)(?:是|叫)(?:什么|多少|谁|哪)`)
	asking   = regexp.MustCompile(`^(?i:what|who|where|which|how)\b|^(什么|多少|谁|哪)`)
	askedEN  = regexp.MustCompile(`(?i)\bwhat (?:did|have) i (?:just )?(?:ask|asked|say|said|tell|told)`)
	askedZH  = regexp.MustCompile(`我(?:刚才|刚刚|之前|上次)?(?:都)?(?:问|说)(?:过|了)?(?:些)?什么`)
	leadZH   = regexp.MustCompile(`^(?:请|记住|你|还|我的|我)+`)
)

// recall answers questions about what was said earlier, and acknowledges what is
// told now.
func recall(p pipeline.Prompt) (string, bool) {
	if askedEN.MatchString(p.Question) || askedZH.MatchString(p.Question) {
		return earlier(p), true
	}
	known := make(map[string]string)
	for _, e := range p.History {
		learn(known, e.Question)
	}
	told := learn(known, p.Question)
	key, own := asks(p.Question)
	switch value, ok := known[key]; {
	case key != "" && ok:
		return in(p.Question,
			fmt.Sprintf("You told me: %s.", value),
			fmt.Sprintf("您告诉过我：%s。", value)), true
	case key != "" && own && len(p.Passages) == 0:
		return in(p.Question,
			fmt.Sprintf("You have not told me that yet. I see %d earlier turns.", len(p.History)),
			fmt.Sprintf("您还没有告诉我。我能看到之前的 %d 轮对话。", len(p.History))), true
	case key == "" && told != "" && !strings.ContainsAny(p.Question, "?？"):
		return in(p.Question,
			fmt.Sprintf("I will remember: %s.", told),
			fmt.Sprintf("我记住了：%s。", told)), true
	}
	return "", false
}

// learn adds the facts that text states to known and returns the last value. Later
// statements replace earlier ones.
func learn(known map[string]string, text string) (last string) {
	note := func(key, value string) {
		if value = strings.TrimSpace(value); value != "" && !asking.MatchString(value) {
			known[factKey(key)] = value
			last = value
		}
	}
	for _, f := range statesEN.FindAllStringSubmatch(text, -1) {
		note(f[1], f[2])
	}
	for _, f := range statesZH.FindAllStringSubmatch(text, -1) {
		note(f[1], f[2])
	}
	for _, re := range []*regexp.Regexp{callsEN, callsZH} {
		for _, f := range re.FindAllStringSubmatch(text, -1) {
			note("name", f[1])
		}
	}
	return last
}

// asks returns what fact a question is about, "" if none; own is true if only the
// person could know it.
func asks(question string) (key string, own bool) {
	if f := asksEN.FindStringSubmatch(question); f != nil {
		return factKey(f[2]), strings.EqualFold(f[1], "my")
	}
	if strings.Contains(strings.ToLower(question), "who am i") || strings.Contains(question, "我是谁") {
		return "name", true
	}
	if strings.Contains(question, "我叫什么") {
		return "name", true
	}
	if f := asksZH.FindStringSubmatch(question); f != nil {
		return factKey(f[1]), strings.Contains(f[1], "我的")
	}
	return "", false
}

// factKey makes different wordings of one thing equal, so that what was said in one
// language can be asked in the other where it matters most.
func factKey(words string) string {
	key := strings.ToLower(strings.Join(strings.Fields(words), " "))
	key = leadZH.ReplaceAllString(key, "")
	switch key {
	case "名字", "姓名", "full name":
		return "name"
	}
	return key
}

// earlier lists the questions of the window.
func earlier(p pipeline.Prompt) string {
	var b strings.Builder
	for i, e := range p.History {
		fmt.Fprintf(&b, "\n%d. %s", i+1, clip(strings.Join(strings.Fields(e.Question), " "), 200))
	}
	if b.Len() == 0 {
		return in(p.Question, "This is the first thing you asked me.", "这是您问我的第一个问题。")
	}
	return in(p.Question, "Before this you said:\n", "在此之前您说过：\n") + b.String()
}
