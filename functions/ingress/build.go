package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"parley/pkg/config"
	"parley/pkg/dingtalk"
	"parley/pkg/emf"
	"parley/pkg/pipeline"
	"parley/pkg/secrets"
	"parley/pkg/slack"
	"parley/pkg/sqsqueue/sqssend"
)

// settings is what the function reads from its environment.
type settings struct {
	function config.Function
	aws      config.AWS
	ingress  config.Ingress
	slack    config.Slack
	dingtalk config.DingTalk
}

func (s *settings) load(from func(any) error) error {
	return errors.Join(from(&s.function), from(&s.aws), from(&s.ingress), from(&s.slack), from(&s.dingtalk))
}

// build wires the stage. The platforms that have a secret are served.
func build(ctx context.Context, s settings, log *slog.Logger, metrics io.Writer) (*pipeline.Ingress, error) {
	cfg := awsConfig(s.aws)
	queues := sqssend.NewClient(endpoint(cfg, s.aws.SQSEndpoint))
	store := secrets.NewClient(endpoint(cfg, s.aws.SecretsEndpoint))
	in := &pipeline.Ingress{
		Parsers:  map[string]pipeline.Parser{},
		Requests: sqssend.New(queues, s.ingress.Requests),
		Control:  sqssend.New(queues, s.ingress.Control),
		Metrics:  emf.New(metrics, "Parley", s.function.Name),
		Log:      log,
	}
	var fetched []*secrets.Secret
	if s.slack.SecretARN != "" {
		secret := secrets.New(store, s.slack.SecretARN, secrets.SigningSecret)
		parser, err := slack.NewParser(slack.Config{
			Secrets:   secret.Valid(secrets.SigningSecret, log),
			FollowUps: s.ingress.Forwards(),
			APIURL:    s.slack.APIURL, Language: s.ingress.Language,
		})
		if err != nil {
			return nil, err
		}
		guarded := secret.Guard(parser, log)
		for _, path := range []string{slack.PathEvents, slack.PathCommands, slack.PathInteractions} {
			in.Parsers[path] = guarded
		}
		fetched = append(fetched, secret)
	}
	if s.dingtalk.SecretARN != "" {
		secret := secrets.New(store, s.dingtalk.SecretARN, secrets.ClientSecret)
		parser := secret.Guard(dingtalk.NewParser(dingtalk.Config{
			Secrets:   secret.Valid(secrets.ClientSecret, log),
			RobotCode: s.dingtalk.RobotCode, CorpID: s.dingtalk.CorpID,
			PersonalGroups: s.ingress.GroupMemory == "person",
			TrustedHosts:   hosts(s.dingtalk.APIURL, s.dingtalk.OAPIURL),
		}), log)
		in.Parsers[dingtalk.MessagesPath], in.Parsers[dingtalk.CardsPath] = parser, parser
		fetched = append(fetched, secret)
	}
	prefetch(ctx, fetched, log)
	return in, nil
}

// prefetch reads the secrets before the first event is asked for, in little more
// than a second. One that cannot be had is no reason not to start: the platform is
// told 503 and asks again.
func prefetch(ctx context.Context, all []*secrets.Secret, log *slog.Logger) {
	var reading sync.WaitGroup
	for _, s := range all {
		reading.Go(func() {
			if _, err := s.All(ctx); err != nil {
				log.ErrorContext(ctx, "read secret", "err", err)
			}
		})
	}
	reading.Wait()
}

// awsConfig is made by hand from what Lambda tells the process: the SDK's loader
// would look in files and metadata services first, and link them.
func awsConfig(a config.AWS) aws.Config {
	return aws.Config{
		Region: a.Region,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: a.AccessKeyID, SecretAccessKey: a.SecretAccessKey, SessionToken: a.SessionToken}, nil
		}),
		// Connections are kept for the next event: a handshake costs more than all
		// the rest. HTTP/1.1 is what SQS speaks.
		HTTPClient: &http.Client{Transport: &http.Transport{
			MaxIdleConnsPerHost: 8,
			IdleConnTimeout:     5 * time.Minute,
			TLSHandshakeTimeout: 2 * time.Second,
		}},
		BaseEndpoint: optional(a.Endpoint),
	}
}

func endpoint(cfg aws.Config, url string) aws.Config {
	if url != "" {
		cfg.BaseEndpoint = &url
	}
	return cfg
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// hosts are those of the configured addresses, as the parser wants them.
func hosts(addresses ...string) []string {
	var out []string
	for _, a := range addresses {
		if u, err := url.Parse(a); err == nil {
			out = append(out, u.Host)
		}
	}
	return out
}
