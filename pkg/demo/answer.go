package demo

import (
	"cmp"
	"fmt"
	"regexp"
	"sort"
	"strings"

	"parley/pkg/pipeline"
)

var summarise = regexp.MustCompile(`(?i)\b(summar(y|ise|ize)|sum up|tl;?dr)|总结|概括|摘要`)

// answer is what the model says without a script: the first of its few abilities
// that fits.
func answer(p pipeline.Prompt) []segment {
	if text, ok := recall(p); ok {
		return []segment{{text: text}}
	}
	if summarise.MatchString(p.Question) {
		if text, ok := summary(p); ok {
			return []segment{{text: text}}
		}
	}
	if segments, ok := fromPassages(p); ok {
		return segments
	}
	if text, ok := fromContext(p); ok {
		return []segment{{text: text}}
	}
	return []segment{echo(p)}
}

// echo repeats the question and says what else the model was given, so that one
// can see whether memory works.
func echo(p pipeline.Prompt) segment {
	quoted := clip(strings.Join(strings.Fields(p.Question), " "), 300)
	var b strings.Builder
	switch n := len(p.History); n {
	case 0:
		fmt.Fprint(&b, in(p.Question,
			fmt.Sprintf("You said: “%s”. This is our first turn; I see no earlier ones.", quoted),
			fmt.Sprintf("您说：“%s”。这是我们的第一轮对话，之前没有内容。", quoted)))
	case 1:
		fmt.Fprint(&b, in(p.Question,
			fmt.Sprintf("You said: “%s”. I see 1 earlier turn.", quoted),
			fmt.Sprintf("您说：“%s”。我能看到之前的 1 轮对话。", quoted)))
	default:
		fmt.Fprint(&b, in(p.Question,
			fmt.Sprintf("You said: “%s”. I see %d earlier turns.", quoted, n),
			fmt.Sprintf("您说：“%s”。我能看到之前的 %d 轮对话。", quoted, n)))
	}
	if len(p.Passages) > 0 {
		b.WriteString(in(p.Question, " None of the passages I was given answers it.", "我得到的资料中没有答案。"))
	}
	for _, a := range p.Attachments {
		fmt.Fprintf(&b, "\n- %s", attached(a))
	}
	return segment{text: b.String()}
}

// attached is what can be said of a file.
func attached(a pipeline.Attachment) string {
	name := clip(a.Name, 80)
	switch {
	case a.Problem != "":
		return fmt.Sprintf("I could not read %s: %s", name, a.Problem)
	case a.Data == nil:
		return fmt.Sprintf("%s (%s)", name, a.MIMEType)
	}
	return fmt.Sprintf("%s (%s, %d bytes)", name, a.MIMEType, len(a.Data))
}

// ranked is a sentence with how well it matches a question.
type ranked struct {
	text     string
	about    string  // its heading
	passage  int     // from 1
	weight   float64 // 0 counts as 1
	position int
	score    float64
}

// rank scores sentences by the question's terms they contain, and half as much by
// those their heading does; rarer terms weigh more, long sentences a little less.
func rank(question string, sentences []ranked) []ranked {
	terms := termsOf(question)
	in := make(map[string]int)
	for _, s := range sentences {
		for t := range termsOf(s.text) {
			in[t]++
		}
	}
	var hits []ranked
	for i, s := range sentences {
		words, about := termsOf(s.text), termsOf(s.about)
		for t := range terms {
			switch {
			case words[t]:
				s.score += 1 / float64(in[t])
			case about[t]:
				s.score += 1 / float64(2*max(in[t], 1))
			}
		}
		s.position = i
		s.score *= cmp.Or(s.weight, 1) / (1 + float64(len(words))/100)
		if s.score > 0 {
			hits = append(hits, s)
		}
	}
	sort.SliceStable(hits, func(i, j int) bool { return hits[i].score > hits[j].score })
	return hits
}

// fromContext quotes the best line of the thread or of attached text.
func fromContext(p pipeline.Prompt) (string, bool) {
	var all []ranked
	for _, line := range lines(material(p)) {
		all = append(all, ranked{text: line})
	}
	hits := rank(p.Question, all)
	if len(hits) == 0 {
		return "", false
	}
	said := in(p.Question, "The thread says: ", "讨论中提到：")
	if p.Context == "" {
		said = in(p.Question, "The document says: ", "文档中写道：")
	}
	var unread strings.Builder
	for _, a := range p.Attachments {
		if a.Problem != "" {
			fmt.Fprintf(&unread, "\n- %s", attached(a))
		}
	}
	return said + clip(hits[0].text, 400) + unread.String(), true
}

// summary lists the lines of the thread, or of the conversation, that share most
// with the others, in the order they were said.
func summary(p pipeline.Prompt) (string, bool) {
	source := lines(material(p))
	if len(source) == 0 {
		for _, e := range p.History {
			source = append(source, lines(e.Question)...)
		}
	}
	if len(source) == 0 {
		return "", false
	}
	all := make([]ranked, len(source))
	for i, line := range source {
		all[i] = ranked{text: line}
	}
	top := rank(strings.Join(source, "\n"), all)
	top = top[:min(3, len(top))]
	sort.Slice(top, func(i, j int) bool { return top[i].position < top[j].position })
	var b strings.Builder
	b.WriteString(in(p.Question,
		fmt.Sprintf("Of %d messages, these say most:\n", len(source)),
		fmt.Sprintf("共 %d 条消息，要点如下：\n", len(source))))
	for _, line := range top {
		fmt.Fprintf(&b, "\n- %s", clip(line.text, 200))
	}
	return b.String(), true
}

// material is the text that came with the question, or with earlier ones.
func material(p pipeline.Prompt) string {
	parts := []string{p.Context}
	for _, a := range p.Attachments {
		switch {
		case a.Text != "":
			parts = append(parts, a.Text)
		case strings.HasPrefix(a.MIMEType, "text/"):
			parts = append(parts, string(a.Data))
		}
	}
	for _, e := range p.History {
		parts = append(parts, e.Attachments)
	}
	return strings.Join(parts, "\n")
}
