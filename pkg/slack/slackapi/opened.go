package slackapi

import (
	"context"
	"fmt"

	"github.com/slack-go/slack"

	"parley/pkg/pipeline"
	slackin "parley/pkg/slack"
)

// suggest offers a person who has opened the agent something to ask, about what
// they have open beside it if there is anything. Under agent_view the prompts stand
// above the messages, in the older assistant view in their thread
// (docs.slack.dev/reference/methods/assistant.threads.setSuggestedPrompts).
func (a *answer) suggest(ctx context.Context) error {
	keys := []string{"prompt.explain", "prompt.draft", "prompt.help"}
	if a.route.Viewing != "" {
		keys = append([]string{"prompt.summary"}, keys...)
	}
	params := slack.AssistantThreadsSetSuggestedPromptsParameters{
		Title: a.words.Say("prompt.title"), ChannelID: a.route.Channel, ThreadTS: a.route.ThreadTS,
	}
	for _, key := range keys {
		params.AddPrompt(a.words.Say(key), a.words.Say(key+".text"))
	}
	_, err := a.c.call(ctx, methodPrompts, a.j, true, func(ctx context.Context, api *slack.Client) error {
		return api.SetAssistantThreadsSuggestedPromptsContext(ctx, params)
	})
	if err != nil {
		return fmt.Errorf("suggest prompts: %w", err)
	}
	return nil
}

// title names the session after its first question, for the list of sessions. It
// is best effort, and only for direct messages: in a channel people see the
// question itself.
func (a *answer) title(ctx context.Context) {
	first := a.route.ThreadTS == a.route.TS && a.route.ChannelType == slackin.TypeIM
	now := a.c.cfg.Now()
	if a.r.Title == "" || !first || now.Before(a.c.pace.NotBefore(methodRename)) ||
		!a.c.pace.spend(methodRename, editsPerMinute, editsAtOnce, now) {
		return
	}
	_, err := a.c.call(ctx, methodRename, a.j, true, func(ctx context.Context, api *slack.Client) error {
		_, err := api.RenameAgentSessionContext(ctx, slack.AgentSessionRenameParameters{
			Title: short(a.r.Title), ChannelID: a.route.Channel, ThreadTS: a.route.ThreadTS,
		})
		return err
	})
	if permanent(err) && !refused(err) {
		a.c.pace.Throttle(methodRename, now.Add(noStreamFor)) // the app is no agent
	}
	if err != nil {
		a.c.cfg.Log.Info("name the session", "err", err)
	}
}

// viewing reads what the person had open when they asked: the thread of a message,
// or the newest messages of a channel. Slack lets the app read where it is a member.
func (c *Client) viewing(ctx context.Context, route slackin.Route, max int) ([]message, error) {
	if route.ViewingTS != "" {
		route.Channel, route.ThreadTS = route.Viewing, route.ViewingTS
		return c.thread(ctx, nil, route, "", "")
	}
	e, err := c.call(ctx, methodHistory, nil, false, func(ctx context.Context, api *slack.Client) error {
		_, err := api.GetConversationHistoryContext(ctx, &slack.GetConversationHistoryParameters{
			ChannelID: route.Viewing, Limit: min(max, viewingLimit),
		})
		return err
	})
	if err != nil {
		if permanent(err) && !refused(err) {
			err = pipeline.Permanent(pipeline.ReasonChat, fmt.Errorf("the app cannot read what the person has open: %w", err))
		}
		return nil, err
	}
	return e.Messages, nil
}

// viewingLimit is how many messages of a channel are read: it is a glance.
const viewingLimit = 15
