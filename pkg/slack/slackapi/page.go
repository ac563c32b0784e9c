package slackapi

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/slackutilsx"

	"parley/pkg/chat"
	"parley/pkg/phrase"
	"parley/pkg/pipeline"
	slackin "parley/pkg/slack"
)

// settings offers what the person may choose for themselves.
func (a *answer) settings(h *chat.Home) []slack.Block {
	blocks := []slack.Block{a.heading("home.settings")}
	if slices.Contains(h.Unread, chat.HomeSettings) {
		return append(blocks, a.section(a.words.Say("home.unread")))
	}
	var languages []choice
	for _, tag := range phrase.Languages() {
		languages = append(languages, choice{tag, phrase.In(tag).Say("language.name")})
	}
	blocks = append(blocks, a.menu("language", "home.language", h.Language, languages))
	if len(h.Models) == 0 {
		return blocks
	}
	var models []choice
	for _, name := range h.Models {
		models = append(models, choice{name, name})
	}
	return append(blocks, a.menu("model", "home.model", h.Model, models))
}

// choice is an option of a menu.
type choice struct{ value, text string }

// menu lets the person choose one of several, or the default.
func (a *answer) menu(press, key, chosen string, choices []choice) slack.Block {
	choices = append([]choice{{"default", a.words.Say(key + ".default")}}, choices...)
	var options []*slack.OptionBlockObject
	for _, c := range choices {
		options = append(options, slack.NewOptionBlockObject(c.value, label(c.text), nil))
	}
	menu := slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, nil, slackin.ActionHome+press, options...)
	menu.InitialOption = options[0]
	if i := slices.IndexFunc(choices, func(c choice) bool { return c.value == chosen }); i > 0 {
		menu.InitialOption = options[i]
	}
	return slack.NewSectionBlock(mrkdwn(a.words.Say(key)), nil, slack.NewAccessory(menu))
}

// recent lists what is remembered, with a way to each conversation and one to
// forget it.
func (a *answer) recent(h *chat.Home, workspace string) []slack.Block {
	blocks := []slack.Block{a.heading("home.recent")}
	if text := a.or(h, chat.HomeRecent, ""); text != "" {
		return append(blocks, a.section(text))
	}
	for _, r := range h.Recent {
		forget := a.press("forget", r.Conversation.Key(), "home.forget").WithStyle(slack.StyleDanger).WithConfirm(a.confirm("home.forget"))
		text := a.linked(r, workspace) + "\n" + a.words.Say("home.recent.turns", a.where(r.Conversation), r.Turns, a.age(r.SentAt))
		blocks = append(blocks, slack.NewSectionBlock(
			slack.NewTextBlockObject(slack.MarkdownType, text, false, true), nil, slack.NewAccessory(forget)))
	}
	if len(h.Recent) == 0 {
		blocks = append(blocks, a.section(a.words.Say("home.recent.none")))
	}
	return blocks
}

// linked is the title of a conversation, as a link to where it began or, outside
// threads, to its newest question.
func (a *answer) linked(r chat.Recalled, workspace string) string {
	title := slackutilsx.EscapeMessage(strings.ReplaceAll(or(short(r.Title), "…"), "|", "/"))
	ts := or(r.Conversation.Thread, slackin.TSOf(r.SentAt))
	if workspace == "" || slackin.TimeOf(ts).IsZero() {
		return title
	}
	return fmt.Sprintf("<%sarchives/%s/p%s|%s>", workspace, r.Conversation.Channel, strings.ReplaceAll(ts, ".", ""), title)
}

// where names the place of a conversation.
func (a *answer) where(c chat.Conversation) string {
	switch {
	case c.Thread != "" && slackin.TimeOf(c.Thread).IsZero():
		return a.words.Say("home.recent.private") // by a slash command
	case strings.HasPrefix(c.Channel, "D"):
		return a.words.Say("home.recent.direct")
	}
	return "<#" + c.Channel + ">"
}

// age is how long ago t was, in one unit that reads the same in every language.
func (a *answer) age(t time.Time) string {
	switch d := a.c.cfg.Now().Sub(t); {
	case d < time.Hour:
		return fmt.Sprintf("%d min", max(d, 0)/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	default:
		return fmt.Sprintf("%d d", d/(24*time.Hour))
	}
}

// press is a button of the page.
func (a *answer) press(press, value, key string) *slack.ButtonBlockElement {
	return slack.NewButtonBlockElement(slackin.ActionHome+press, value, label(a.words.Say(key)))
}

// confirm asks whether the press that key names is meant.
func (a *answer) confirm(key string) *slack.ConfirmationBlockObject {
	return slack.NewConfirmationBlockObject(label(a.words.Say(key+".title")), label(a.words.Say(key+".text")),
		label(a.words.Say(key)), label(a.words.Say("home.cancel")))
}

// admin is how the installation does, for those whose page has it.
func (a *answer) admin(h *chat.Home) []slack.Block {
	if h.Admin == nil {
		return nil
	}
	var queues []string
	for _, q := range h.Admin.Queues {
		queues = append(queues, a.words.Say("home.queue", q.Name, q.Waiting, q.InFlight, q.Dead))
	}
	blocks := []slack.Block{slack.NewDividerBlock(), a.heading("home.admin")}
	if text := a.or(h, chat.HomeQueues, strings.Join(queues, "\n")); text != "" {
		blocks = append(blocks, a.section(text))
	}
	return append(append(blocks, a.letters(h)...), a.heading("home.health"), a.section(a.health(h)))
}

// letters lists dead letters, each with a way to try it again.
func (a *answer) letters(h *chat.Home) []slack.Block {
	blocks := []slack.Block{a.heading("home.letters")}
	switch text := a.or(h, chat.HomeLetters, ""); {
	case text != "":
		return append(blocks, a.section(text))
	case len(h.Admin.Letters) == 0 && !h.Admin.More:
		return append(blocks, a.section(a.words.Say("home.letters.none")))
	}
	for _, l := range h.Admin.Letters {
		line := a.words.Say("home.letter", l.Reason, l.Queue, a.age(l.AskedAt), or(l.Ref, "?"))
		if !l.Told {
			line += a.words.Say("home.letter.untold")
		}
		blocks = append(blocks, slack.NewSectionBlock(mrkdwn(line), nil, slack.NewAccessory(a.press("replay", l.ID, "retry"))))
	}
	if h.Admin.More {
		blocks = append(blocks, a.section(a.words.Say("home.letters.more")))
	}
	return append(blocks, slack.NewActionBlock("",
		a.press("replay_all", "all", "home.replay_all").WithStyle(slack.StylePrimary).WithConfirm(a.confirm("home.replay_all"))))
}

func (a *answer) health(h *chat.Home) string {
	lines := []string{a.words.Say("home.version", or(h.Admin.Version, "?"))}
	switch trouble := h.Admin.Trouble; {
	case slices.Contains(h.Unread, chat.HomeHealth):
		lines = append(lines, a.words.Say("home.unread"))
	case trouble == "":
		lines = append(lines, a.words.Say("home.trouble.none"))
	default:
		lines = append(lines, a.words.Say("home.trouble", trouble, a.age(h.Admin.TroubleAt)))
		if h.Admin.PausedUntil.After(a.c.cfg.Now()) {
			lines = append(lines, a.words.Say("home.paused"))
		}
	}
	return strings.Join(lines, "\n")
}

// workspace is the address of the workspace, "" while Slack does not tell it: links
// are worth less than the page.
func (c *Client) workspace(ctx context.Context) string {
	self, err := c.whoami(ctx)
	if err != nil {
		if e := pipeline.Classify(err); !e.Permanent {
			c.cfg.Log.InfoContext(ctx, "ask for the workspace's address", "err", err)
		}
		return ""
	}
	return self.url
}
