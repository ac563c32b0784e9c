package main

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/bedrockagent"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"parley/pkg/bedrock"
	"parley/pkg/config"
	"parley/pkg/dynamostore"
	"parley/pkg/extract"
	"parley/pkg/pipeline"
	"parley/pkg/profiles"
	"parley/pkg/sqsqueue"
	"parley/pkg/sqsqueue/sqslambda"
)

// control builds the control queue's function.
func (d deployment) control(ctx context.Context) (*sqslambda.Batch, error) {
	var c config.Control
	var h config.Home
	if err := errors.Join(config.Load(&c), config.Load(&h)); err != nil {
		return nil, err
	}
	queues := sqs.NewFromConfig(d.AWS)
	own := sqsqueue.New(queues, c.Control)
	base, err := homeProfile(c, h)
	if err != nil {
		return nil, err
	}
	store := d.store(c.Table, c.MemoryDays)
	stage := d.controller(store, queues, c.Requests, c.Replies, c.RequestsDead, base)
	live := profiles.NewLive(profiles.Deployment{Money: h.Money()})
	changes := d.profiles(c.Profiles, live)
	if err := changes.first(ctx); err != nil { // a stop must not wait for it
		d.Log.ErrorContext(ctx, "profiles", "err", err)
	}
	stage.Profiles = live
	stage.Home = d.home(store, stage.Replies, h.MemoryTurns, h.MemoryTokens)
	d.administer(stage.Home, store, queues, c, h)
	return &sqslambda.Batch{Queue: own, Log: d.Log, Handler: func(ctx context.Context, batch []pipeline.Delivery) []pipeline.Settlement {
		changes.refresh(ctx)
		return stage.Handle(ctx, batch)
	}}, nil
}

func (d deployment) controller(store *dynamostore.Store, queues *sqs.Client, requests, replies, letters string, base pipeline.Profile) *pipeline.Control {
	return &pipeline.Control{
		Cases: store, Memory: store,
		Requests: sqsqueue.New(queues, requests), Replies: sqsqueue.New(queues, replies), Letters: sqsqueue.New(queues, letters),
		Profile: base, Metrics: d.Metrics, Log: d.Log,
	}
}

func (d deployment) store(table string, days int) *dynamostore.Store {
	return dynamostore.New(dynamodb.NewFromConfig(d.AWS), table, time.Duration(days)*24*time.Hour)
}

// worker builds the requests queue's function.
func (d deployment) worker(ctx context.Context) (*sqslambda.Batch, error) {
	var (
		c config.Worker
		t config.Chat
		m config.Model
		l config.Limits
		r config.Remember
	)
	if err := errors.Join(config.Load(&c), config.Load(&t), config.Load(&m), config.Load(&l), config.Load(&r)); err != nil {
		return nil, err
	}
	price, err := bedrock.PriceOf(l.Prices, m.ID, l.Money())
	if err != nil {
		return nil, err
	}
	user, channel, workspace := l.Budgets()
	model, retriever, err := d.model(m)
	if err != nil {
		return nil, err
	}
	knowledge, err := d.knowledge(m, r)
	if err != nil {
		return nil, err
	}
	readers, err := d.readers(ctx)
	if err != nil {
		return nil, err
	}
	prompt := d.prompt(c.PromptParameter)
	live := profiles.NewLive(profiles.Deployment{Open: d.lookIn(m), Money: l.Money(), Price: price})
	changes := d.profiles(c.ProfilesParameter, live)
	if err := errors.Join(prompt.first(ctx), changes.first(ctx)); err != nil {
		return nil, err
	}
	base := pipeline.Profile{
		Retriever: retriever, Language: t.Language, FollowUps: t.FollowUps, External: t.AllowExternal(), AskWhom: m.AskWhom, Approvers: r.Approvers,
		Budget: pipeline.Budget{User: user, Channel: channel, Workspace: workspace, Money: l.Money()},
	}
	for _, choice := range m.ModelChoices() {
		base.Models = append(base.Models, pipeline.Choice(choice))
	}
	queues := sqs.NewFromConfig(d.AWS)
	own := sqsqueue.New(queues, c.Requests)
	store := d.store(c.Table, t.MemoryDays)
	stage := pipeline.Worker{
		Cases: store, Memory: store, Quotas: store, Price: price, Gate: pipeline.NewGate(),
		Visibility: own, Replies: sqsqueue.New(queues, c.Replies), Letters: sqsqueue.New(queues, c.RequestsDead),
		Control: d.controller(store, queues, c.Requests, c.Replies, c.RequestsDead, base), Profiles: live,
		Model: model, Rewriter: pipeline.ModelRewriter{Model: model}, Readers: readers, Extract: extract.Text, Knowledge: knowledge, Metrics: d.Metrics, Log: d.Log,
		People: store,
		Config: pipeline.WorkerConfig{
			Profile: base, MaxTokens: m.MaxTokens, MemoryTurns: t.MemoryTurns, MemoryTokens: t.MemoryTokens, RememberDays: r.Days, Version: d.Version,
			Seats: pipeline.Seats{User: l.UserConcurrency, Workspace: l.WorkspaceConcurrency},
		},
	}
	stage.Control.Profiles = live
	stage.Control.Home = d.home(store, stage.Replies, t.MemoryTurns, t.MemoryTokens) // for what is replayed
	return &sqslambda.Batch{Queue: own, Log: d.Log, Handler: func(ctx context.Context, batch []pipeline.Delivery) []pipeline.Settlement {
		now := stage // the prompt and the profiles may have changed since the last event
		now.Config.Profile.System = prompt.text(ctx)
		changes.refresh(ctx)
		return now.Handle(ctx, batch)
	}}, nil
}

// model returns the model and, where a knowledge base is configured, what finds
// passages in it.
func (d deployment) model(m config.Model) (pipeline.Model, pipeline.Retriever, error) {
	model, err := bedrock.NewModel(bedrockruntime.NewFromConfig(d.AWS), bedrock.ModelConfig{
		ModelID: m.ID, FallbackModelID: m.Fallback, MaxTokens: m.MaxTokens,
		GuardrailID: m.GuardrailID, GuardrailVersion: m.GuardrailVersion, Log: d.Log,
	})
	if err != nil {
		return nil, nil, err
	}
	retriever, err := d.lookIn(m)(profiles.Knowledge{})
	return model, retriever, err
}

// knowledge is what threads are remembered in, nil where there is nothing.
func (d deployment) knowledge(m config.Model, r config.Remember) (pipeline.Knowledge, error) {
	if m.KnowledgeBase == "" || r.Source == "" {
		return nil, nil
	}
	return bedrock.NewKnowledge(bedrockagent.NewFromConfig(d.AWS), m.KnowledgeBase, r.Source)
}
