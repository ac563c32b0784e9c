package slackapi

import (
	"context"
	"fmt"
	"slices"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/slackutilsx"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
	slackin "parley/pkg/slack"
)

// home publishes a person's home tab. Publishing it again changes nothing that
// people see. The hash of the tab as this installation left it goes along, so that
// Slack refuses to put an older tab over a newer one
// (docs.slack.dev/reference/methods/views.publish).
func (a *answer) home(ctx context.Context) error {
	if a.r.Home == nil {
		return pipeline.Permanent(pipeline.ReasonUnreadable, fmt.Errorf("publish home: the snapshot has no page"))
	}
	request := slack.PublishViewContextRequest{UserID: a.route.User, View: slack.HomeTabViewRequest{
		Type: slack.VTHomeTab, CallbackID: slackin.CallbackHome, Blocks: slack.Blocks{BlockSet: a.page(a.r.Home, a.c.workspace(ctx))},
	}}
	if a.at.Key != "" {
		hash := a.at.Key
		request.Hash = &hash
	}
	e, err := a.c.call(ctx, methodViews, a.j, true, func(ctx context.Context, api *slack.Client) error {
		_, err := api.PublishViewContext(ctx, request)
		return err
	})
	switch {
	case err == nil:
		a.at.Key = e.View.Hash
		return nil
	case is(err, "hash_conflict"):
		// Somebody published since. If it was a newer page, the record says so by
		// the time this one is tried again; else it goes over what stands there.
		a.at.Key = ""
		return pipeline.Transient(pipeline.ReasonUnavailable, fmt.Errorf("publish home: %w", err))
	case unknown(err):
		a.at.Key = ""
	}
	return fmt.Errorf("publish home: %w", err)
}

// page is a home in blocks. One that is refused is a note and nothing else.
func (a *answer) page(h *chat.Home, workspace string) []slack.Block {
	blocks := []slack.Block{header(a.words.Say("home.title"))}
	if h.Note != "" {
		blocks = append(blocks, a.section(h.Note))
	}
	usage := a.or(h, chat.HomeUsage, h.Usage)
	if usage == "" {
		return blocks
	}
	blocks = append(blocks, a.section(a.words.Say("home.can")), a.heading("home.usage"), a.section(usage))
	blocks = append(blocks, a.settings(h)...)
	blocks = append(blocks, a.recent(h, workspace)...)
	return append(blocks, a.admin(h)...)
}

// or is text, or the word that its part could not be read.
func (a *answer) or(h *chat.Home, part chat.HomePart, text string) string {
	if slices.Contains(h.Unread, part) {
		return a.words.Say("home.unread")
	}
	return text
}

// section is Parley's own words. A home tab takes no Markdown, and what people
// wrote must not become markup or a mention.
func (a *answer) section(text string) slack.Block {
	return slack.NewSectionBlock(mrkdwn(text), nil, nil)
}

// mrkdwn is text as it stands, in Slack's markup.
func mrkdwn(text string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.MarkdownType, bounded(slackutilsx.EscapeMessage(text), maxContext), false, true)
}

// bounded is at most max characters of s.
func bounded(s string, max int) string {
	if r := []rune(s); len(r) > max {
		return string(r[:max-1]) + "…"
	}
	return s
}

// heading begins a part of the page.
func (a *answer) heading(key string) slack.Block { return header(a.words.Say(key)) }

func header(text string) slack.Block { return slack.NewHeaderBlock(label(text)) }
