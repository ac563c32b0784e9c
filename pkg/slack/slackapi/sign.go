package slackapi

import (
	"context"
	"time"

	"github.com/slack-go/slack"
)

// signs is the name under which an installation is remembered that has none.
const signs = "working signs"

// sign shows Slack's own working sign in the thread. shown is false where the app
// cannot have one. assistant.threads.setStatus is the one call that shows words,
// works in channels with chat:write alone, and under agent sessions also marks
// the session as busy, which brings the Stop button
// (docs.slack.dev/changelog/2026/03/05/set-status-scope-update).
func (a *answer) sign(ctx context.Context) (shown bool, err error) {
	now := a.c.cfg.Now()
	if now.Before(a.c.pace.NotBefore(signs)) {
		return false, nil
	}
	a.c.pace.every("sign "+a.r.MessageID, signEvery, now)
	status := a.words.Say("status")
	if doing := short(a.r.Doing()); doing != "" {
		status = a.words.Say("status.step", doing)
	}
	err = a.setStatus(ctx, status)
	switch {
	case permanent(err) && !refused(err):
		a.c.cfg.Log.Info("no working signs for this app", "err", err)
		a.c.pace.Throttle(signs, now.Add(time.Hour))
		return false, nil
	case err != nil && !unknown(err):
		return false, err
	}
	a.at.Sign = true
	return true, nil
}

// refreshSign keeps the sign up while there is nothing else to see.
func (a *answer) refreshSign(ctx context.Context) (bool, error) {
	if len(a.at.Posts) > 0 || !a.c.pace.every("sign "+a.r.MessageID, signEvery, a.c.cfg.Now()) {
		return false, nil
	}
	return a.sign(ctx)
}

// unsign takes the sign away. If that fails, Slack does so by itself.
func (a *answer) unsign(ctx context.Context) {
	if !a.at.Sign {
		return
	}
	if err := a.setStatus(ctx, ""); err != nil {
		a.c.cfg.Log.Info("take working sign away", "err", err)
	}
	a.at.Sign = false
}

func (a *answer) setStatus(ctx context.Context, status string) error {
	_, err := a.c.call(ctx, methodStatus, a.j, true, func(ctx context.Context, api *slack.Client) error {
		return api.SetAssistantThreadsStatusContext(ctx, slack.AssistantThreadsSetStatusParameters{
			ChannelID: a.route.Channel, ThreadTS: a.route.ThreadTS, Status: status,
		})
	})
	return err
}
