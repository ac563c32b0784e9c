package main

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"parley/functions/internal/deployed"
	"parley/pkg/chat"
	"parley/pkg/config"
	"parley/pkg/dingtalk/dingapi"
	"parley/pkg/dynamostore"
	"parley/pkg/pipeline"
	"parley/pkg/sqsqueue"
	"parley/pkg/sqsqueue/sqslambda"
)

// responder builds the function.
func responder(ctx context.Context, f deployed.Function) (*sqslambda.Batch, error) {
	var c config.Responder
	if err := config.Load(&c); err != nil {
		return nil, err
	}
	posters, err := posters(ctx, f)
	if err != nil {
		return nil, err
	}
	queues := sqs.NewFromConfig(f.AWS)
	stage := &pipeline.Responder{
		Deliveries: dynamostore.New(dynamodb.NewFromConfig(f.AWS), c.Table, 0), // it keeps no turns
		Posters:    posters, Letters: sqsqueue.New(queues, c.RepliesDead),
		Metrics: f.Metrics, Log: f.Log, Version: f.Version,
	}
	return &sqslambda.Batch{Queue: sqsqueue.New(queues, c.Replies), Handler: stage.Handle, Log: f.Log}, nil
}

// posters are the posting half of the platforms.
func posters(ctx context.Context, f deployed.Function) (map[chat.Platform]pipeline.Poster, error) {
	var (
		s config.Slack
		t config.DingTalk
	)
	if err := errors.Join(config.Load(&s), config.Load(&t)); err != nil {
		return nil, err
	}
	posters := map[chat.Platform]pipeline.Poster{}
	switch api, err := f.Slack(ctx, s); {
	case err != nil:
		return nil, err
	case api != nil:
		posters[chat.Slack] = api.Poster()
	}
	switch api, err := f.DingTalk(ctx, t); {
	case err != nil:
		return nil, err
	case api != nil:
		register(ctx, f, api, t)
		posters[chat.DingTalk] = dingapi.NewPoster(api)
	}
	return posters, nil
}

// register tells DingTalk where presses on cards go. It holds what it was told, so
// that one process which cannot tell it is no reason not to show answers.
func register(ctx context.Context, f deployed.Function, api *dingapi.Client, t config.DingTalk) {
	if t.CardTemplateID == "" || t.CardCallbackURL == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := api.RegisterCardCallback(ctx, t.CardCallbackURL); err != nil {
		f.Log.WarnContext(ctx, "register the address of card callbacks", "err", err)
	}
}
