package deployed

import (
	"context"

	"parley/pkg/config"
	"parley/pkg/dingtalk/dingapi"
	"parley/pkg/pipeline"
	"parley/pkg/secrets"
	"parley/pkg/slack/slackapi"
)

// Slack is the API of the Slack workspace, nil where there is no secret to call it
// with. A secret that cannot be read just now is an error, a reason to start again
// while messages wait in the queue; one that nobody has filled in yet is not.
func (f Function) Slack(ctx context.Context, c config.Slack) (*slackapi.Client, error) {
	if c.SecretARN == "" {
		return nil, nil
	}
	secret := secrets.New(secrets.NewClient(f.AWS), c.SecretARN, secrets.BotToken)
	if _, err := secret.Current(ctx); f.passing(err) {
		return nil, err
	}
	return slackapi.New(slackapi.Config{
		Token: secret.Bearer(secrets.BotToken, f.Log), Refused: secret.Anew(), BaseURL: c.APIURL, Log: f.Log, Metrics: f.Metrics,
	})
}

// DingTalk is the API of the DingTalk organisation, nil on the same terms.
func (f Function) DingTalk(ctx context.Context, c config.DingTalk) (*dingapi.Client, error) {
	if c.SecretARN == "" {
		return nil, nil
	}
	secret := secrets.New(secrets.NewClient(f.AWS), c.SecretARN, secrets.ClientID, secrets.ClientSecret)
	v, err := secret.Current(ctx)
	if f.passing(err) {
		return nil, err
	}
	if err != nil {
		return nil, nil
	}
	return dingapi.New(dingapi.Config{
		ClientID: v[secrets.ClientID[0]], Secret: secret.Value(secrets.ClientSecret), RobotCode: c.RobotCode,
		APIURL: c.APIURL, OAPIURL: c.OAPIURL, CardTemplateID: c.CardTemplateID, CardCallbackHTTP: c.CardTemplateID != "" && c.CardCallbackURL != "",
		Metrics: f.Metrics, Log: f.Log,
	})
}

// passing reports whether err will pass by itself. What will not is logged.
func (f Function) passing(err error) bool {
	if err == nil {
		return false
	}
	if pipeline.Classify(err).Permanent {
		f.Log.Error("platform without credentials", "err", err)
		return false
	}
	return true
}
