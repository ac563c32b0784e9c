package slackapi

import (
	"context"
	"strings"

	"github.com/slack-go/slack"
)

// Identity is whom a token speaks for.
type Identity struct {
	Team, Bot string
	Scopes    []string // as the X-OAuth-Scopes header lists them; empty if Slack did not say
}

// Identify asks Slack whom the token speaks for (auth.test).
func (c *Client) Identify(ctx context.Context) (Identity, error) {
	var id Identity
	_, err := c.call(ctx, methodWhoAmI, nil, false, func(ctx context.Context, api *slack.Client) error {
		r, err := api.AuthTestContext(ctx)
		if err != nil {
			return err
		}
		id.Team, id.Bot = r.Team, r.User
		for scope := range strings.SplitSeq(r.Header.Get("X-OAuth-Scopes"), ",") {
			if scope = strings.TrimSpace(scope); scope != "" {
				id.Scopes = append(id.Scopes, scope)
			}
		}
		return nil
	})
	return id, err
}
