package main

import (
	"context"
	"errors"

	"parley/pkg/chat"
	"parley/pkg/config"
	"parley/pkg/dingtalk/dingapi"
	"parley/pkg/pipeline"
	"parley/pkg/secrets"
	"parley/pkg/slack/slackapi"
)

// readers are the reading half of the platforms that have a secret: files and
// threads beside the question. A secret that cannot be read just now is a reason
// to start again; one that nobody has filled in yet is not.
func (d deployment) readers(ctx context.Context) (map[chat.Platform]pipeline.Reader, error) {
	var (
		s config.Slack
		t config.DingTalk
	)
	if err := errors.Join(config.Load(&s), config.Load(&t)); err != nil {
		return nil, err
	}
	store := secrets.NewClient(d.aws)
	readers := map[chat.Platform]pipeline.Reader{}
	if s.SecretARN != "" {
		secret := secrets.New(store, s.SecretARN, secrets.BotToken)
		if _, err := secret.Current(ctx); d.passing(err) {
			return nil, err
		}
		api, err := slackapi.New(slackapi.Config{
			Token: secret.Bearer(secrets.BotToken, d.log), Refused: secret.Anew(), BaseURL: s.APIURL, Log: d.log, Metrics: d.metrics,
		})
		if err != nil {
			return nil, err
		}
		readers[chat.Slack] = api.Reader()
	}
	if t.SecretARN != "" {
		secret := secrets.New(store, t.SecretARN, secrets.ClientID, secrets.ClientSecret)
		v, err := secret.Current(ctx)
		if d.passing(err) {
			return nil, err
		}
		if err == nil {
			api, err := dingapi.New(dingapi.Config{
				ClientID: v[secrets.ClientID[0]], Secret: secret.Value(secrets.ClientSecret), RobotCode: t.RobotCode,
				APIURL: t.APIURL, OAPIURL: t.OAPIURL, Metrics: d.metrics, Log: d.log,
			})
			if err != nil {
				return nil, err
			}
			readers[chat.DingTalk] = dingapi.NewReader(api)
		}
	}
	return readers, nil
}

// passing reports whether err will pass by itself. What will not is logged.
func (d deployment) passing(err error) bool {
	if err == nil {
		return false
	}
	if pipeline.Classify(err).Permanent {
		d.log.Error("platform without credentials", "err", err)
		return false
	}
	return true
}
