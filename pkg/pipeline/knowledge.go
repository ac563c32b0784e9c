package pipeline

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode"

	"parley/pkg/chat"
	"parley/pkg/phrase"
)

// Rewriter makes a follow-up a question that makes sense by itself, so that it can
// be searched for. It is asked only where there is a history and the question seems
// to need it; without one, or when it fails, the question before is searched for
// too.
type Rewriter interface {
	Rewrite(ctx context.Context, history []Exchange, question string) (query string, used chat.Usage, err error)
}

// Bounds of looking something up: an answer without sources is better than none,
// and none is worth a minute's wait.
const (
	rewriting  = 10 * time.Second
	retrieving = 20 * time.Second
	maxQuery   = 4000 // bytes
)

// What the model is told where there is knowledge, below the operator's own words.
const (
	groundNotice = "Passages from the organisation's documents come with this question. Rely on them for anything about the organisation, " +
		"and say so when they do not hold the answer. Give no web address that is not in them or in the conversation."
	emptyNotice = "The organisation's documents were searched for this question and hold nothing about it. " +
		"Say that you do not know rather than guess about the organisation, and give no web address that is not in the conversation."
)

// knowledge is what an attempt has looked up. The zero value is that of an
// installation without a knowledge base: answers pass as they are.
type knowledge struct {
	links *links
	note  string     // ends the answer
	used  chat.Usage // by rewriting
}

// research looks p's question up, adds what it finds, and prepares what keeps the
// answer to it. Whatever fails, the question is still answered.
func (a *attempt) research(ctx context.Context, p *Prompt) {
	words := phrase.In(a.language())
	if searchable(a.m.Text) {
		end := a.step(ctx, words.Say("step.search"))
		found, err := a.retrieve(ctx, *p)
		came := ""
		if titles := titlesOf(found); titles != "" {
			came = words.Say("step.found", titles)
		}
		end(came)
		switch {
		case err != nil:
			a.log.WarnContext(ctx, "retrieve", "err", err)
			measure(a.w.Metrics, MetricNoSources, 1, "why", "failed")
			a.known.note = words.Say("no.sources")
		case len(found) == 0:
			measure(a.w.Metrics, MetricNoSources, 1, "why", "nothing")
			a.known.note = words.Say("nothing.found")
			if whom := a.profile.AskWhom; whom != "" {
				a.known.note += " " + words.Say("ask.whom", whom)
			}
			p.System = strings.TrimSpace(p.System + "\n\n" + emptyNotice)
		default:
			p.Passages = found
			p.System = strings.TrimSpace(p.System + "\n\n" + groundNotice)
		}
	}
	a.known.links = linksOf(*p, a.profile.System, words.Say("link.removed"))
}

// retrieve searches for what the question means in its conversation.
func (a *attempt) retrieve(ctx context.Context, p Prompt) ([]Passage, error) {
	query := a.query(ctx, p.History, p.Question)
	ctx, cancel := context.WithTimeoutCause(ctx, retrieving, errors.New("the search took too long"))
	defer cancel()
	return a.profile.Retriever.Retrieve(ctx, query, a.w.config().Passages)
}

// query is the question as it can be searched for.
func (a *attempt) query(ctx context.Context, history []Exchange, question string) string {
	if len(history) == 0 || !dependent(a.m.Text) {
		return bounded(question)
	}
	if a.w.Rewriter != nil {
		ctx, cancel := context.WithTimeoutCause(ctx, rewriting, errors.New("rewriting the question took too long"))
		defer cancel()
		query, used, err := a.w.Rewriter.Rewrite(ctx, history, question)
		a.known.used = used
		if query = strings.TrimSpace(query); err == nil && query != "" {
			return bounded(query)
		}
		a.log.WarnContext(ctx, "rewrite the question", "err", err)
	}
	return bounded(previous(history) + "\n" + question)
}

// previous is the last question of a history that stood by itself, with those that
// followed up on it.
func previous(history []Exchange) string {
	var asked []string
	for i := len(history) - 1; i >= 0 && len(asked) < 3; i-- {
		asked = append([]string{history[i].Question}, asked...)
		if !dependent(history[i].Question) {
			break
		}
	}
	return strings.Join(asked, "\n")
}

func bounded(query string) string {
	if len(query) > maxQuery {
		query = strings.ToValidUTF8(query[len(query)-maxQuery:], "")
	}
	return query
}

// linksOf knows the links that people, the operator and the passages have brought
// into p.
func linksOf(p Prompt, system, mark string) *links {
	texts := []string{system, p.Question, p.Context}
	for _, e := range p.History {
		texts = append(texts, e.Question, e.Answer)
	}
	var urls []string
	for _, passage := range p.Passages {
		texts = append(texts, passage.Text)
		if passage.Citation.URL != "" {
			urls = append(urls, passage.Citation.URL)
		}
	}
	for _, f := range p.Attachments {
		if strings.HasPrefix(f.MIMEType, "text/") {
			texts = append(texts, string(f.Data))
		}
	}
	return newLinks(len(p.Passages), mark, urls, texts...)
}

// shown is what people may see of an answer that has got this far.
func (k knowledge) shown(text string) string {
	if k.links == nil {
		return text
	}
	text, _ = fitting(k.links.clean(text, false), maxAnswer)
	return text
}

// whole is the answer at its end, "" if there is none.
func (k knowledge) whole(text string) string {
	if k.links != nil {
		text, _ = fitting(k.links.clean(text, true), maxAnswer)
	}
	return strings.TrimSpace(text)
}

// searchable reports whether text asks for something: greetings, thanks and
// commands are not looked up.
func searchable(text string) bool {
	bare := strings.ToLower(strings.Join(strings.FieldsFunc(text, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '\''
	}), " "))
	return bare != "" && !courtesy().MatchString(bare) && !command().MatchString(strings.TrimSpace(text))
}

var (
	courtesy = pattern(`^(?:(?:hi|hello|hey|howdy|yo|hiya|greetings|good (?:morning|afternoon|evening|night|day)|bye|goodbye|see you|cheers|` +
		`thanks?|thank you|thx|ty|much appreciated|ok(?:ay)?|great|perfect|nice|cool|awesome|well done|got it|sounds good|lgtm|welcome|` +
		`there|all|everyone|team|parley|again|so much|very much|a lot|how are you|what'?s up|who are you|what can you do|` +
		`你好啊?|您好|大家好|早上好|上午好|中午好|下午好|晚上好|早安?|晚安|嗨|哈喽|再见|拜拜|谢谢你?您?|多谢|感谢|辛苦了|好的?|收到|明白了?|知道了|太好了|不客气|在吗|你是谁|你会做什么|你能做什么)\s*)+$`)
	command = pattern(`^(?:[/!][\pL\d_-]+|[A-Za-z]+:[A-Za-z]+(?:\s+\d+)?|(?i:help|reset|stop|retry|continue|usage)|帮助|重置|停止|重试|继续)$`)
)

// dependent reports whether a question seems to mean something only behind the one
// before: it is very short, or short and points back.
func dependent(question string) bool {
	question = strings.TrimSpace(question)
	if phrase.Detect(question) == "zh" {
		n := len([]rune(question))
		return n <= 6 || n <= 30 && backward().MatchString(question)
	}
	n := len(strings.Fields(question))
	return n <= 3 || n <= 12 && backward().MatchString(question)
}

var backward = pattern(`(?i)^(?:and|but|or|so|then|also|what about|how about|what if|why not|why|how so|which one|same|else)\b` +
	`|\b(?:it|its|that|this|they|them|their|those|these|he|she|him|her|the same|the former|the latter|instead|above)\b` +
	`|^(?:那|那么|还有|另外|然后|所以|但是|为什么|换成|如果)|它|他们|她们|这个|那个|这些|那些|上面|刚才|前者|后者|呢[？?]?$`)
