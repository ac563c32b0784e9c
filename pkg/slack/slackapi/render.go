package slackapi

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/slackutilsx"

	"parley/pkg/chat"
	"parley/pkg/markdown"
	"parley/pkg/pipeline"
	slackin "parley/pkg/slack"
)

// Slack takes 12,000 characters of Markdown in a message, and about 13,200 of
// blocks as JSON (slackapi/bolt-js#2509). How it counts is not documented, so
// there is a margin.
var partLimits = markdown.Limits{Runes: 11_000, JSON: 12_400}

const (
	maxPayload  = 12_900 // of all blocks of a message, as JSON
	maxFallback = 3_900  // of 4,000 characters that chat.update takes
	maxContext  = 2_900  // of 3,000 characters of a text object
	maxLabel    = 200
)

// part is one message of an answer as it is to be shown.
type part struct {
	text string        // Markdown, safe
	tail []slack.Block // sources and buttons below it
	hash string
}

func newPart(text string, tail []slack.Block) part {
	data, err := json.Marshal(tail)
	if err != nil {
		panic(err) // blocks of strings always marshal
	}
	return part{text: text, tail: tail, hash: chat.Hash(text, string(data))}
}

// plain is Parley's own words, or interim text, without anything below.
func (a *answer) plain(text string) part {
	if parts := a.split(markdown.Safe(text)); len(parts) > 0 {
		return newPart(parts[0], nil)
	}
	return newPart("…", nil)
}

// bare is p without sources and buttons.
func (p part) bare() part { return part{text: p.text, hash: p.hash} }

func (p part) blocks() []slack.Block {
	return append([]slack.Block{slack.NewMarkdownBlock("", p.text)}, p.tail...)
}

// options show p by chat.postMessage or chat.update.
func (p part) options() []slack.MsgOption {
	return []slack.MsgOption{
		slack.MsgOptionText(fallback(p.text), false), slack.MsgOptionBlocks(p.blocks()...),
		slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl(),
	}
}

// fallback is what notifications and screen readers get.
func fallback(text string) string {
	for max := maxFallback; max > 100; max /= 2 { // escapes and emoji count for more than one
		if s := slackutilsx.EscapeMessage(markdown.Plain(text, max)); len(utf16.Encode([]rune(s))) <= maxFallback {
			return s
		}
	}
	return "…"
}

// parts is the snapshot as messages, at least one. What belongs below the answer
// stands below the last.
func (a *answer) parts() []part {
	text := a.body()
	switch {
	case a.r.Kind == chat.Stopped && text == "":
		text = a.words.Say("stopped")
	case a.r.Kind == chat.Stopped:
		closed := strings.Join(markdown.Split(text, markdown.Limits{}), "") // not inside a fence
		text = closed + "\n\n" + a.words.Say("stopped.mark")
	case a.r.Kind == chat.Failed && text == "":
		text = pipeline.Apology(a.r)
	case text == "":
		text = "…"
	}
	tail := a.tail()
	texts := a.split(text)
	last := len(texts) - 1
	if room := maxPayload - jsonSize(tail); jsonSize(slack.NewMarkdownBlock("", texts[last])) > room {
		texts = append(texts[:last], markdown.Split(texts[last], markdown.Limits{Runes: partLimits.Runes, JSON: room - 100})...)
	}
	parts := make([]part, len(texts))
	for i, t := range texts {
		parts[i] = newPart(t, nil)
	}
	parts[len(parts)-1] = newPart(texts[len(texts)-1], tail)
	return parts
}

// jsonSize is how many characters v takes as Slack counts them: slack-go's
// escapes of < and > are not part of it.
func jsonSize(v any) int {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // blocks of strings always marshal
	}
	return len([]rune(b.String()))
}

// tail is what stands below an answer: its sources and its buttons.
func (a *answer) tail() []slack.Block {
	var blocks []slack.Block
	if s := a.sources(); s != "" {
		blocks = append(blocks, slack.NewContextBlock("", slack.NewTextBlockObject(slack.MarkdownType, s, false, false)))
	}
	switch reason := pipeline.Reason(a.r.Reason); {
	case a.r.Rating != nil:
		blocks = append(blocks, a.complaints()...)
	case a.r.Proposal:
		blocks = append(blocks, a.decision()...)
	case a.r.Kind == chat.Final:
		blocks = append(blocks, a.feedback()...)
	case a.r.Kind == chat.Failed && reason != pipeline.ReasonRefused && reason != pipeline.ReasonBudget:
		blocks = append(blocks, a.button(slackin.ActionRetry, "retry")...)
	}
	return blocks
}

// sources lists citations as links, as many as fit.
func (a *answer) sources() string {
	if a.r.Kind == chat.Failed || len(a.r.Citations) == 0 {
		return ""
	}
	list := "*" + a.words.Say("sources") + "*"
	for _, c := range a.r.Citations {
		line := "\n[" + strconv.Itoa(c.Number) + "] " + source(c)
		if len([]rune(list+line)) > maxContext {
			break
		}
		list += line
	}
	return list
}

// source is one citation in mrkdwn.
func source(c chat.Citation) string {
	label := or(c.Title, c.URL, "?")
	if c.Heading != "" {
		label += " › " + c.Heading
	}
	if c.Page > 0 {
		label += fmt.Sprintf(", p. %d", c.Page)
	}
	label = slackutilsx.EscapeMessage(markdown.Safe(short(label)))
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return label
	}
	address := strings.NewReplacer("&", "&amp;", "|", "%7C", "<", "%3C", ">", "%3E").Replace(u.String())
	return "<" + address + "|" + strings.ReplaceAll(label, "|", "/") + ">"
}

func short(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > maxLabel {
		return string(r[:maxLabel-1]) + "…"
	}
	return s
}

// value is what a button under the answer carries, "" if it would not fit.
func (a *answer) value(verdict string) string {
	v, err := slackin.ButtonValue{
		Subject: a.r.MessageID, Fence: a.r.Fence, Reason: a.r.Reason, Verdict: verdict, Conversation: a.r.Conversation,
	}.Encode()
	if err != nil {
		return ""
	}
	return v
}

func label(s string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.PlainTextType, s, false, false)
}

func (a *answer) button(action, key string) []slack.Block {
	v := a.value("")
	if v == "" {
		return nil
	}
	return []slack.Block{slack.NewActionBlock("", slack.NewButtonBlockElement(action, v, label(a.words.Say(key))))}
}

// feedback asks whether the answer was good and offers another one.
func (a *answer) feedback() []slack.Block {
	up, down := a.value(chat.Up), a.value(chat.Down)
	if up == "" || down == "" {
		return nil
	}
	choice := func(key, value string) *slack.FeedbackButton {
		return slack.NewFeedbackButton(label(a.words.Say(key)), value).WithAccessibilityLabel(a.words.Say(key))
	}
	rate := slack.NewContextActionsBlock("", slack.NewFeedbackButtonsBlockElement(slackin.ActionFeedback,
		choice("feedback.up", up), choice("feedback.down", down)))
	return append([]slack.Block{rate}, a.again()...)
}

// again offers another answer, by the same model or by another one.
func (a *answer) again() []slack.Block {
	var buttons []slack.BlockElement
	add := func(action, text string, v slackin.ButtonValue) {
		if value, err := v.Encode(); err == nil {
			buttons = append(buttons, slack.NewButtonBlockElement(action, value, label(text)))
		}
	}
	v := slackin.ButtonValue{Subject: a.r.MessageID, Fence: a.r.Fence, Conversation: a.r.Conversation}
	if slices.ContainsFunc(a.r.Citations, func(c chat.Citation) bool { return c.Quote != "" }) {
		add(slackin.ActionPassages, a.words.Say("passages.show"), v)
	}
	add(slackin.ActionRegenerate, a.words.Say("regenerate"), v)
	for i, name := range a.r.Choices {
		v.Model = name
		add(slackin.ActionModel+strconv.Itoa(i), a.words.Say("try.model", name), v)
	}
	v.Model = ""
	if _, worth := markdown.AsFile(a.r.Markdown); worth && a.route.ThreadTS != "" && !a.r.Private {
		add(slackin.ActionFile, a.words.Say("file"), v)
	}
	if len(buttons) == 0 {
		return nil
	}
	return []slack.Block{slack.NewActionBlock("", buttons...)}
}

// decision asks whether what is proposed may be kept.
func (a *answer) decision() []slack.Block {
	v := a.value("")
	if v == "" {
		return nil
	}
	return []slack.Block{slack.NewActionBlock("",
		slack.NewButtonBlockElement(slackin.ActionApprove, v, label(a.words.Say("approve"))).WithStyle(slack.StylePrimary),
		slack.NewButtonBlockElement(slackin.ActionReject, v, label(a.words.Say("reject"))))}
}
