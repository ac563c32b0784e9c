package main

import (
	"context"
	"errors"
	"log/slog"

	"parley/pkg/config"
	"parley/pkg/dingtalk"
	"parley/pkg/dingtalk/dingstream"
	"parley/pkg/pipeline"
	"parley/pkg/slack"
	"parley/pkg/slack/slacksocket"
)

// accept makes what a platform sent durable.
type accept = func(context.Context, pipeline.Parsed) error

// receiver holds a platform's socket open until ctx ends.
type receiver struct {
	name   string
	run    func(ctx context.Context) error
	health func() (connected bool, status any)
}

// newReceiver builds the receiver of a platform from the environment.
func newReceiver(platform string, accept accept, log *slog.Logger) (receiver, error) {
	var c config.Chat
	if err := config.Load(&c); err != nil {
		return receiver{}, err
	}
	if platform == "slack" {
		return slackReceiver(c, accept, log)
	}
	return dingtalkReceiver(c, accept, log)
}

func slackReceiver(c config.Chat, accept accept, log *slog.Logger) (receiver, error) {
	var s config.Slack
	if err := config.Load(&s); err != nil {
		return receiver{}, err
	}
	if s.AppToken == "" {
		return receiver{}, errors.New("SLACK_APP_TOKEN is not set; Socket Mode needs an app-level token with connections:write (xapp-...)")
	}
	parser, err := slackParser(s, c)
	if err != nil {
		return receiver{}, err
	}
	r := slacksocket.New(slacksocket.Config{
		AppToken: s.AppToken, APIURL: s.APIURL, Parser: parser, Accept: accept, Log: log,
	})
	return receiver{"slack", r.Run, func() (bool, any) { s := r.Status(); return s.Connected, s }}, nil
}

// slackParser reads Slack's events with the credentials of the environment.
func slackParser(s config.Slack, c config.Chat) (*slack.Parser, error) {
	return slack.NewParser(slack.Config{
		Secrets: func() []string {
			if s.SigningSecret == "" {
				return nil
			}
			return []string{s.SigningSecret}
		},
		FollowUps: c.FollowUps != pipeline.FollowNever,
		APIURL:    s.APIURL,
		Language:  c.Language,
	})
}

func dingtalkReceiver(c config.Chat, accept accept, log *slog.Logger) (receiver, error) {
	var d config.DingTalk
	if err := config.Load(&d); err != nil {
		return receiver{}, err
	}
	if !d.On() {
		return receiver{}, errors.New("DINGTALK_CLIENT_ID and DINGTALK_CLIENT_SECRET are not set; Stream mode needs both")
	}
	r, err := dingstream.New(dingstream.Config{
		ClientID: d.ClientID,
		Secret:   func(context.Context) (string, error) { return d.ClientSecret, nil },
		Parser:   dingtalkParser(d, c), Accept: accept, APIURL: d.APIURL, HTTPClient: httpClient(), Log: log, Version: version,
		Lost: func(_ context.Context, p pipeline.Parsed, err error) {
			for _, m := range p.Messages {
				log.Error("message could not be queued in time", "msg_id", m.ID, "err", err)
			}
		},
	})
	if err != nil {
		return receiver{}, err
	}
	return receiver{"dingtalk", r.Run, func() (bool, any) { h := r.Health(); return h.Connected, h }}, nil
}

// dingtalkParser reads DingTalk's messages with the credentials of the environment.
func dingtalkParser(d config.DingTalk, c config.Chat) *dingtalk.Parser {
	return dingtalk.NewParser(dingtalk.Config{
		Secrets:        func() []string { return []string{d.ClientSecret} },
		RobotCode:      d.RobotCode,
		CorpID:         d.CorpID,
		PersonalGroups: c.GroupMemory == "person",
		TrustedHosts:   trustedHosts(d.APIURL, d.OAPIURL),
	})
}
