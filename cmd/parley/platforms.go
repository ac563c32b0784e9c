package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/bedrockagentruntime"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"

	"parley/pkg/bedrock"
	"parley/pkg/chat"
	"parley/pkg/config"
	"parley/pkg/dingtalk/dingapi"
	"parley/pkg/pipeline"
	"parley/pkg/profiles"
	"parley/pkg/slack"
	"parley/pkg/slack/slackapi"
	"parley/pkg/webchat"
)

// platforms turns on what there are credentials for.
func (l *local) platforms(ctx context.Context) error {
	var s config.Slack
	var d config.DingTalk
	if err := errors.Join(config.Load(&s), config.Load(&d)); err != nil {
		return configMistake(err)
	}
	if err := errors.Join(l.slack(s), l.dingtalk(d), l.sockets()); err != nil {
		return err
	}
	if l.flags.page {
		l.web()
	}
	return nil
}

// sockets prepares the connectors that --connect asked for.
func (l *local) sockets() error {
	ingress := l.system.Ingress()
	for _, platform := range l.flags.connect {
		if l.system.Posters[chat.Platform(platform)] == nil {
			return fmt.Errorf("--connect %s: the platform has no credentials to answer with", platform)
		}
		r, err := newReceiver(platform, l.at, ingress.Accept, l.log)
		if err != nil {
			return err
		}
		l.receivers = append(l.receivers, r)
	}
	return nil
}

func (l *local) slack(s config.Slack) error {
	if !s.On() {
		l.off = append(l.off, "slack       off: SLACK_SIGNING_SECRET and SLACK_BOT_TOKEN are not set")
		return nil
	}
	parser, err := slackParser(s, l.chat, l.at)
	if err != nil {
		return err
	}
	for _, path := range []string{slack.PathEvents, slack.PathCommands, slack.PathInteractions} {
		l.system.Parsers[path] = parser
	}
	api, err := slackapi.New(slackapi.Config{
		Token: func() string { return s.BotToken }, BaseURL: s.APIURL,
		HTTPClient: httpClient(), Log: l.log,
	})
	if err != nil {
		return err
	}
	l.system.Posters[chat.Slack], l.system.Readers[chat.Slack] = api.Poster(), api.Reader()
	return nil
}

func (l *local) dingtalk(d config.DingTalk) error {
	if !d.On() {
		l.off = append(l.off, "dingtalk    off: DINGTALK_CLIENT_ID and DINGTALK_CLIENT_SECRET are not set")
		return nil
	}
	parser := dingtalkParser(d, l.chat)
	l.system.Parsers["/dingtalk/messages"], l.system.Parsers["/dingtalk/cards"] = parser, parser
	api, err := dingtalkClient(d, l.log)
	if err != nil {
		return err
	}
	l.system.Posters[chat.DingTalk], l.system.Readers[chat.DingTalk] = dingapi.NewPoster(api), dingapi.NewReader(api)
	return nil
}

// trustedHosts are the hosts that the configuration itself names.
func trustedHosts(addresses ...string) []string {
	var hosts []string
	for _, a := range addresses {
		if u, err := url.Parse(a); err == nil {
			hosts = append(hosts, u.Host)
		}
	}
	return hosts
}

// web serves the page.
func (l *local) web() {
	l.hub = webchat.New(webchat.Config{
		Log: l.log, Memory: l.store, Addr: l.flags.addr,
		Hints: []string{
			"What can you do?", "你好，你会做什么？", "demo:slow", "demo:table", "demo:long 5",
			"demo:throttle 2", "demo:flaky", "demo:fail",
		},
		Endpoints: l.off,
	})
	l.system.Parsers["/web/messages"] = l.hub
	l.system.Posters[chat.Web] = l.hub
}

// httpClient is what the chat APIs are called with. Its timeout is well below the
// responder's patience with one snapshot.
func httpClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 16
	return &http.Client{Transport: transport, Timeout: 8 * time.Second}
}

// bedrockModel calls Bedrock with the credentials of the environment.
func bedrockModel(ctx context.Context, m config.Model, log *slog.Logger) (pipeline.Model, error) {
	cfg, err := loadAWS(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w, or use --model demo", err)
	}
	return bedrock.NewModel(bedrockruntime.NewFromConfig(cfg), bedrock.ModelConfig{
		ModelID: m.ID, FallbackModelID: m.Fallback, MaxTokens: m.MaxTokens,
		GuardrailID: m.GuardrailID, GuardrailVersion: m.GuardrailVersion, Log: log,
	})
}

// bedrockRetriever searches a knowledge base with the credentials of the environment.
func bedrockRetriever(ctx context.Context, k profiles.Knowledge) (pipeline.Retriever, error) {
	cfg, err := loadAWS(ctx)
	if err != nil {
		return nil, err
	}
	return bedrock.NewRetriever(bedrockagentruntime.NewFromConfig(cfg), bedrock.RetrieverConfig{
		KnowledgeBaseID: k.Base, CitationBaseURL: k.CitationURL, Filter: k.Filter, RerankModelARN: k.Rerank,
	})
}
