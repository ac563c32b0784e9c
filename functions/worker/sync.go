package main

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/bedrockagent"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"parley/pkg/bedrock"
	"parley/pkg/chat"
	"parley/pkg/config"
	"parley/pkg/dingtalk"
	"parley/pkg/pipeline"
	"parley/pkg/slack"
	"parley/pkg/sqsqueue"
	"parley/pkg/sqsqueue/sqslambda"
)

// sync builds the function that keeps the knowledge base fresh.
func (d deployment) sync() (*sqslambda.Batch, error) {
	var c config.Sync
	if err := config.Load(&c); err != nil {
		return nil, err
	}
	knowledge, err := bedrock.NewKnowledge(bedrockagent.NewFromConfig(d.AWS), c.KnowledgeBase, c.Remembered)
	if err != nil {
		return nil, err
	}
	queues := sqs.NewFromConfig(d.AWS)
	stage := &pipeline.Refresher{
		Library: knowledge, Replies: sqsqueue.New(queues, c.Replies), Language: c.Language, Metrics: d.Metrics, Log: d.Log,
	}
	if c.Remembered != "" {
		stage.Days = c.RememberDays
	}
	platform, channel, _ := strings.Cut(c.Notices, ":")
	stage.Platform, stage.Channel = chat.Platform(platform), channel
	switch stage.Platform {
	case chat.Slack:
		stage.Route = slack.Route{Channel: channel}.JSON()
	case chat.DingTalk:
		stage.Route = dingtalk.Route{ConversationType: dingtalk.Group, ConversationID: channel}.JSON()
	}
	return &sqslambda.Batch{Queue: sqsqueue.New(queues, c.Sync), Handler: stage.Handle, Log: d.Log}, nil
}
