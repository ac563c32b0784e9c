package slackapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

// hookLife is how long a response_url works, counted from the command; Slack says
// 30 minutes and five posts (docs.slack.dev/interactivity/handling-user-interaction).
const hookLife = 29 * time.Minute

// hook shows the answer to the person alone, and only its end: that is how a slash
// command is answered.
func (a *answer) hook(ctx context.Context) error {
	a.at.Mode = modeHook
	switch {
	case a.r.Kind == chat.Withdrawn:
		return a.unhook(ctx)
	case !a.r.Kind.Terminal():
		return nil
	}
	for i, p := range a.parts() {
		if i < len(a.at.Posts) && a.at.Posts[i].Hash == p.hash {
			continue
		}
		// The first part replaces what the command was answered with, and so may
		// be sent again; later ones are ephemeral messages of their own.
		if err := a.privately(ctx, p, i == 0); err != nil {
			return err
		}
		a.placed(i, p)
		if err := a.j.Checkpoint(ctx, a.at); err != nil {
			return err
		}
	}
	return nil
}

// confide shows the end of an answer to the asker alone, in its thread. What stood
// there for everybody to see, an apology perhaps, is taken away.
func (a *answer) confide(ctx context.Context) error {
	if a.at.Mode != modeHook {
		if err := a.resolve(ctx); err != nil {
			return err
		}
		if err := a.withdraw(ctx); err != nil {
			return err
		}
	}
	if err := a.hook(ctx); err != nil || !a.r.Kind.Terminal() {
		return err
	}
	a.unsign(ctx)
	return nil
}

// placed records a part that has no id on the platform.
func (a *answer) placed(i int, p part) {
	post := pipeline.Post{ID: modeHook + "/" + chat.Hash(a.r.MessageID)[:16] + "/" + strconv.Itoa(i), Hash: p.hash}
	if i < len(a.at.Posts) {
		a.at.Posts[i] = post
		return
	}
	a.at.Posts = append(a.at.Posts, post)
}

// whisper answers the press of a button to the person who pressed it, in the place
// of the message that holds the button if replace is set.
func (a *answer) whisper(ctx context.Context, replace bool) error {
	a.at.Mode = modeHook
	p := a.parts()[0]
	if len(a.at.Posts) > 0 && a.at.Posts[0].Hash == p.hash {
		return nil
	}
	if err := a.privately(ctx, p, replace); err != nil {
		return err
	}
	a.placed(0, p)
	return nil
}

// privately shows p to the person who asked: through the response_url, else by an
// ephemeral message, else in a direct message.
func (a *answer) privately(ctx context.Context, p part, replace bool) error {
	err := errGone
	if a.route.ResponseURL != "" && (a.r.AskedAt.IsZero() || a.c.cfg.Now().Sub(a.r.AskedAt) < hookLife) {
		m := &slack.WebhookMessage{
			Text: fallback(p.text), Blocks: &slack.Blocks{BlockSet: p.blocks()},
			ResponseType: slack.ResponseTypeEphemeral, ReplaceOriginal: replace,
		}
		if !replace {
			m.ThreadTimestamp = a.route.ThreadTS
		}
		err = a.respond(ctx, m)
	}
	if !errors.Is(err, errGone) {
		return err
	}
	user := or(a.route.User, a.r.Asker.ID)
	if user == "" {
		return pipeline.Permanent(pipeline.ReasonChat, errGone)
	}
	_, err = a.c.call(ctx, methodEphemeral, a.j, true, func(ctx context.Context, api *slack.Client) error {
		options := p.options()
		if a.route.ThreadTS != "" {
			options = append(options, slack.MsgOptionTS(a.route.ThreadTS))
		}
		_, err := api.PostEphemeralContext(ctx, a.route.Channel, user, options...)
		return err
	})
	if permanent(err) && !refused(err) {
		return a.directly(ctx, user, p)
	}
	if err != nil {
		return fmt.Errorf("answer privately: %w", err)
	}
	return nil
}

// directly sends p as a direct message: a user's id stands for the conversation.
func (a *answer) directly(ctx context.Context, user string, p part) error {
	_, err := a.c.call(ctx, methodPost, a.j, true, func(ctx context.Context, api *slack.Client) error {
		_, _, err := api.PostMessageContext(ctx, user, append(p.options(), a.metadata(0))...)
		return err
	})
	if err != nil {
		return fmt.Errorf("answer in a direct message: %w", err)
	}
	return nil
}

// unhook takes back what the response_url showed; what it cannot take back only
// the person sees.
func (a *answer) unhook(ctx context.Context) error {
	if a.route.ResponseURL != "" && len(a.at.Posts) > 0 {
		if err := a.respond(ctx, &slack.WebhookMessage{DeleteOriginal: true}); err != nil && !errors.Is(err, errGone) {
			return err
		}
	}
	a.at.Posts = nil
	return nil
}

// errGone: the response_url was used up or is too old.
var errGone = errors.New("the response_url does not work any more")

// respond posts to the response_url.
func (a *answer) respond(ctx context.Context, m *slack.WebhookMessage) error {
	u, err := url.Parse(a.route.ResponseURL)
	if err != nil || !a.c.trusts(u) {
		return errGone // not Slack's: nothing is sent there
	}
	if err := a.ready(methodHook); err != nil {
		return err
	}
	err = slack.PostWebhookCustomHTTPContext(ctx, u.String(), a.c.api, m)
	var status slack.StatusCodeError
	if errors.As(err, &status) && (status.Code == http.StatusNotFound || status.Code == http.StatusGone) {
		return errGone
	}
	return classify(methodHook, true, err)
}

// trusts reports whether u is Slack's own, or the API's that was configured: the
// places that may see the token or an answer.
func (c *Client) trusts(u *url.URL) bool {
	if u.Scheme == c.base.Scheme && strings.EqualFold(u.Host, c.base.Host) {
		return true
	}
	host := strings.ToLower(u.Host) // with its port, if it names one
	for _, own := range []string{"slack.com", "slack-gov.com"} {
		if u.Scheme == "https" && (host == own || strings.HasSuffix(host, "."+own)) {
			return true
		}
	}
	return false
}
