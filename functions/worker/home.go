package main

import (
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"parley/pkg/config"
	"parley/pkg/dynamostore"
	"parley/pkg/pipeline"
	"parley/pkg/sqsqueue"
)

// home makes people's own pages.
func (d deployment) home(store *dynamostore.Store, replies pipeline.Outbox, turns, tokens int) *pipeline.Home {
	return &pipeline.Home{
		Meter: pipeline.Meter{Quotas: store}, Memory: store, People: store, Cases: store, Replies: replies,
		Turns: turns, Tokens: tokens, Version: d.Version, Log: d.Log,
	}
}

// homeProfile is what the control queue's function knows of the deployment's own
// profile.
func homeProfile(c config.Control, h config.Home) (pipeline.Profile, error) {
	user, channel, workspace := h.Budgets()
	p := pipeline.Profile{
		Language: c.Language, External: h.AllowExternal(),
		Budget: pipeline.Budget{User: user, Channel: channel, Workspace: workspace, Money: h.Money()},
	}
	choices, err := config.ParseChoices(h.Choices)
	for _, choice := range choices {
		p.Models = append(p.Models, pipeline.Choice(choice))
	}
	return p, err
}

// administer adds what the people named in ADMINS see and may do. The dead letters
// of the control queue are among those of requests.
func (d deployment) administer(home *pipeline.Home, store *dynamostore.Store, queues *sqs.Client, c config.Control, h config.Home) {
	requests, replies := sqsqueue.New(queues, c.Requests), sqsqueue.New(queues, c.Replies)
	home.Admins = h.IDs
	home.Operator = &pipeline.Operator{Cases: store, Memory: store, Deliveries: store, Queues: []pipeline.DeadQueue{
		{Name: "requests", Dead: sqsqueue.NewDeadLetters(queues, c.RequestsDead), Source: requests},
		{Name: "replies", Dead: sqsqueue.NewDeadLetters(queues, h.RepliesDead), Source: replies},
	}}
	home.Watched = []pipeline.Watched{
		{Name: "requests", Queue: requests, Dead: sqsqueue.New(queues, c.RequestsDead)},
		{Name: "control", Queue: sqsqueue.New(queues, c.Control)},
		{Name: "replies", Queue: replies, Dead: sqsqueue.New(queues, h.RepliesDead)},
	}
}
