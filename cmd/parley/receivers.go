package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"parley/pkg/chat"
	"parley/pkg/config"
	"parley/pkg/dingtalk"
	"parley/pkg/dingtalk/dingapi"
	"parley/pkg/dingtalk/dingstream"
	"parley/pkg/phrase"
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
func newReceiver(platform string, at config.Profiles, accept accept, log *slog.Logger) (receiver, error) {
	var c config.Chat
	if err := config.Load(&c); err != nil {
		return receiver{}, err
	}
	if platform == "slack" {
		return slackReceiver(c, at, accept, log)
	}
	return dingtalkReceiver(c, accept, log)
}

func slackReceiver(c config.Chat, at config.Profiles, accept accept, log *slog.Logger) (receiver, error) {
	var s config.Slack
	if err := config.Load(&s); err != nil {
		return receiver{}, err
	}
	if s.AppToken == "" {
		return receiver{}, errors.New("SLACK_APP_TOKEN is not set; Socket Mode needs an app-level token with connections:write (xapp-...)")
	}
	parser, err := slackParser(s, c, at)
	if err != nil {
		return receiver{}, err
	}
	r := slacksocket.New(slacksocket.Config{
		AppToken: s.AppToken, APIURL: s.APIURL, Parser: parser, Accept: accept, Log: log,
	})
	return receiver{"slack", r.Run, func() (bool, any) { s := r.Status(); return s.Connected, s }}, nil
}

// slackParser reads Slack's events with the credentials of the environment. Where
// there are profiles, it is the worker that knows whose follow-ups are wanted.
func slackParser(s config.Slack, c config.Chat, at config.Profiles) (*slack.Parser, error) {
	return slack.NewParser(slack.Config{
		Secrets: func() []string {
			if s.SigningSecret == "" {
				return nil
			}
			return []string{s.SigningSecret}
		},
		FollowUps: c.FollowUps != pipeline.FollowNever || at.Any(),
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
	api, err := dingtalkClient(d, log)
	if err != nil {
		return receiver{}, err
	}
	r, err := dingstream.New(dingstream.Config{
		ClientID: d.ClientID,
		Secret:   func(context.Context) (string, error) { return d.ClientSecret, nil },
		Parser:   dingtalkParser(d, c), Accept: accept, APIURL: d.APIURL, HTTPClient: httpClient(), Log: log, Version: version,
		Lost: func(ctx context.Context, p pipeline.Parsed, err error) {
			for _, m := range p.Messages {
				log.Error("message could not be queued in time", "msg_id", m.ID, "err", err)
				tellLost(ctx, dingapi.NewPoster(api), m, c.Language, log)
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

// dingtalkClient calls DingTalk with the credentials of the environment.
func dingtalkClient(d config.DingTalk, log *slog.Logger) (*dingapi.Client, error) {
	return dingapi.New(dingapi.Config{
		ClientID: d.ClientID, Secret: func(context.Context) (string, error) { return d.ClientSecret, nil }, RobotCode: d.RobotCode,
		APIURL: d.APIURL, OAPIURL: d.OAPIURL, CardTemplateID: d.CardTemplateID,
		HTTPClient: httpClient(), Log: log, Metrics: logMetrics{log},
	})
}

// tellLost tells a person that their message was not taken: DingTalk does not
// promise to deliver it again, and no stage has it.
func tellLost(ctx context.Context, poster pipeline.Poster, m chat.Message, language string, log *slog.Logger) {
	if l := phrase.Detect(m.Text); l != "" {
		language = l
	}
	r := chat.Reply{
		MessageID: m.ID, Conversation: m.Conversation, Fence: 1, Seq: 1, Kind: chat.Notice, Route: m.Route,
		Asker: m.Author, AskedAt: m.SentAt, Language: language, Markdown: phrase.In(language).Say("lost"),
	}
	if _, err := poster.Post(ctx, pipeline.PostRequest{Reply: r}, unrecorded{}); err != nil {
		log.Error("tell the person", "msg_id", m.ID, "err", err)
	}
}

// unrecorded is a pipeline.Journal for a post that no delivery record follows.
type unrecorded struct{}

func (unrecorded) Checkpoint(context.Context, pipeline.Placement) error { return nil }
func (unrecorded) Owner(context.Context, string) (string, error)        { return "", nil }
func (unrecorded) NotBefore(string) time.Time                           { return time.Time{} }
func (unrecorded) Throttle(string, time.Time)                           {}
