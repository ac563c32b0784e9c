package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"parley/pkg/config"
	"parley/pkg/pipeline"
	"parley/pkg/slack/slackapi"
)

// check is one thing that must be right. Its find returns what is right about it,
// or an error that says what to do; errOff means that it does not apply.
type check struct {
	name string
	find func(ctx context.Context) (string, error)
}

// errOff: the check is about something that is not configured.
type errOff struct{ why string }

func (e errOff) Error() string { return e.why }

// checkTimeout is how long one check may take: a doctor that hangs helps nobody.
const checkTimeout = 10 * time.Second

func doctorCommand() *cobra.Command {
	var stack, profiles string
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Check that everything Parley needs is there and works",
		Long: `Checks what Parley needs, one line each, with what to do about what is wrong. With
--stack it checks a deployment: secrets, tokens and scopes, queues, table, model
access by a call of one token, knowledge base, and that the endpoint is reached and
verifies signatures. Without, it checks what the environment names.

With --profiles it checks a file of profiles, without any account or network, and
with both flags whether that file would work in that deployment.`,
		Example: `  parley doctor
  parley doctor --stack parley-prod
  parley doctor --profiles profiles.yaml`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var checks []check
			var err error
			switch {
			case stack != "":
				checks, err = stackChecks(c.Context(), stack, profiles)
			case profiles != "":
				checks, err = fileChecks(profiles)
			default:
				checks, err = localChecks()
			}
			if err != nil {
				return err
			}
			return examine(c.Context(), c.OutOrStdout(), checks)
		},
	}
	c.Flags().StringVar(&stack, "stack", "", "CloudFormation stack of a deployment")
	c.Flags().StringVar(&profiles, "profiles", "", "file of profiles")
	return c
}

// finding is what a check came to.
type finding struct {
	fine string
	err  error
}

// examine runs all checks at once and prints them in order.
func examine(ctx context.Context, w io.Writer, checks []check) error {
	findings := make([]finding, len(checks))
	var all sync.WaitGroup
	for i, c := range checks {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, checkTimeout)
			defer cancel()
			fine, err := c.find(ctx)
			if err != nil && ctx.Err() != nil {
				err = fmt.Errorf("no answer within %v: %w", checkTimeout, err)
			}
			findings[i] = finding{fine, err}
		})
	}
	all.Wait()
	wrong := 0
	for i, c := range checks {
		f := findings[i]
		var off errOff
		switch {
		case errors.As(f.err, &off):
			fmt.Fprintf(w, "  off   %-18s %s\n", c.name, off.why)
		case f.err != nil:
			wrong++
			fmt.Fprintf(w, "  WRONG %-18s %v\n", c.name, f.err)
		default:
			fmt.Fprintf(w, "  ok    %-18s %s\n", c.name, f.fine)
		}
	}
	if wrong > 0 {
		return fmt.Errorf("%d of %d checks failed", wrong, len(checks))
	}
	return nil
}

// localChecks are about what the environment of this machine names.
func localChecks() ([]check, error) {
	var s config.Slack
	var d config.DingTalk
	var m config.Model
	var c config.Chat
	var a config.Admins
	if err := errors.Join(config.Load(&s), config.Load(&d), config.Load(&m), config.Load(&c), config.Load(&a)); err != nil {
		return nil, err
	}
	return []check{
		slackCheck(s.APIURL, s.BotToken),
		adminsCheck(a.IDs),
		dingtalkCheck(d, d.ClientID, d.ClientSecret),
		modelCheck(m),
	}, nil
}

// slackScopes are the bot scopes of the manifest without which something fails.
var slackScopes = []string{"app_mentions:read", "chat:write", "channels:history", "im:history", "commands", "files:read", "files:write"}

func slackCheck(apiURL, token string) check {
	return check{"slack token", func(ctx context.Context) (string, error) {
		if token == "" {
			return "", errOff{"SLACK_BOT_TOKEN is not set"}
		}
		client, err := slackapi.New(slackapi.Config{Token: func() string { return token }, BaseURL: apiURL, HTTPClient: httpClient(), Log: quiet()})
		if err != nil {
			return "", err
		}
		who, err := client.Identify(ctx)
		if err != nil {
			return "", fmt.Errorf("%w; install the app to the workspace and copy its bot token anew", err)
		}
		if missing := lacking(who.Scopes, slackScopes); len(missing) > 0 {
			return "", fmt.Errorf("the token lacks %v; add the scopes and reinstall the app", missing)
		}
		return fmt.Sprintf("%s in %s", who.Bot, who.Team), nil
	}}
}

// adminsCheck says who sees the administrators' part of the Home tab. Whether the tab
// is switched on no token can ask.
func adminsCheck(ids []string) check {
	return check{"administrators", func(context.Context) (string, error) {
		if len(ids) == 0 {
			return "", errOff{"ADMINS is not set: nobody sees queues and dead letters in the Home tab"}
		}
		return strings.Join(ids, ", ") + " in the Home tab, if that is switched on in the app", nil
	}}
}

// lacking returns what is wanted and not there. An empty list of scopes means that
// the server did not say.
func lacking(have, want []string) []string {
	if len(have) == 0 {
		return nil
	}
	there := map[string]bool{}
	for _, s := range have {
		there[s] = true
	}
	var out []string
	for _, s := range want {
		if !there[s] {
			out = append(out, s)
		}
	}
	return out
}

func modelCheck(m config.Model) check {
	return check{"model", func(ctx context.Context) (string, error) {
		model, err := bedrockModel(ctx, m, quiet())
		if err != nil {
			return "", errOff{err.Error()}
		}
		for d, err := range model.Stream(ctx, pipeline.Prompt{MessageID: "doctor", Question: "Say ok.", MaxTokens: 1}) {
			if err != nil {
				return "", fmt.Errorf("%s does not answer: %w; check that access to the model is granted in this region", m.ID, err)
			}
			if d.Stop != "" {
				return m.ID + " answers", nil
			}
		}
		return "", fmt.Errorf("%s ended without an answer", m.ID)
	}}
}
