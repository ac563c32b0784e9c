package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"parley/pkg/chat"
	"parley/pkg/config"
	"parley/pkg/dingtalk/dingapi"
	"parley/pkg/dynamostore"
	"parley/pkg/pipeline"
	"parley/pkg/secrets"
	"parley/pkg/slack/slackapi"
	"parley/pkg/sqsqueue"
	"parley/pkg/sqsqueue/sqslambda"
)

// deployment is what the function is built from.
type deployment struct {
	aws     aws.Config
	log     *slog.Logger
	metrics pipeline.Metrics
	version string
}

// responder builds the function.
func (d deployment) responder(ctx context.Context) (*sqslambda.Batch, error) {
	var c config.Responder
	if err := config.Load(&c); err != nil {
		return nil, err
	}
	posters, err := d.posters(ctx)
	if err != nil {
		return nil, err
	}
	queues := sqs.NewFromConfig(d.aws)
	stage := &pipeline.Responder{
		Deliveries: dynamostore.New(dynamodb.NewFromConfig(d.aws), c.Table, 0), // it keeps no turns
		Posters:    posters, Letters: sqsqueue.New(queues, c.RepliesDead),
		Metrics: d.metrics, Log: d.log, Version: d.version,
	}
	return &sqslambda.Batch{Queue: sqsqueue.New(queues, c.Replies), Handler: stage.Handle, Log: d.log}, nil
}

// posters are the posting half of the platforms that have a secret. A secret that
// cannot be read just now is a reason to start again, while the answers wait in
// the queue; one that nobody has filled in yet is not.
func (d deployment) posters(ctx context.Context) (map[chat.Platform]pipeline.Poster, error) {
	var (
		s config.Slack
		t config.DingTalk
	)
	if err := errors.Join(config.Load(&s), config.Load(&t)); err != nil {
		return nil, err
	}
	store := secrets.NewClient(d.aws)
	posters := map[chat.Platform]pipeline.Poster{}
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
		posters[chat.Slack] = api.Poster()
	}
	if t.SecretARN == "" {
		return posters, nil
	}
	secret := secrets.New(store, t.SecretARN, secrets.ClientID, secrets.ClientSecret)
	v, err := secret.Current(ctx)
	if err != nil {
		if d.passing(err) {
			return nil, err
		}
		return posters, nil
	}
	api, err := dingapi.New(dingapi.Config{
		ClientID: v[secrets.ClientID[0]], Secret: secret.Value(secrets.ClientSecret), RobotCode: t.RobotCode,
		APIURL: t.APIURL, OAPIURL: t.OAPIURL, CardTemplateID: t.CardTemplateID, CardCallbackHTTP: t.CardTemplateID != "" && t.CardCallbackURL != "",
		Metrics: d.metrics, Log: d.log,
	})
	if err != nil {
		return nil, err
	}
	d.register(ctx, api, t)
	posters[chat.DingTalk] = dingapi.NewPoster(api)
	return posters, nil
}

// register tells DingTalk where presses on cards go. It holds what it was told, so
// that one process which cannot tell it is no reason not to show answers.
func (d deployment) register(ctx context.Context, api *dingapi.Client, t config.DingTalk) {
	if t.CardTemplateID == "" || t.CardCallbackURL == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := api.RegisterCardCallback(ctx, t.CardCallbackURL); err != nil {
		d.log.WarnContext(ctx, "register the address of card callbacks", "err", err)
	}
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
