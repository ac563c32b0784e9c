package dingapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"parley/pkg/pipeline"
)

// Config is what a Client needs. ClientID, Secret and Log must be set.
type Config struct {
	ClientID string
	// Secret returns the client secret valid now. It is called when a token is
	// fetched.
	Secret func(ctx context.Context) (string, error)
	// RobotCode answers for messages that do not name their robot: ClientID.
	RobotCode string
	// APIURL and OAPIURL are "https://api.dingtalk.com" and
	// "https://oapi.dingtalk.com". Their hosts are trusted with webhooks and
	// files besides DingTalk's own.
	APIURL, OAPIURL string
	// CardTemplateID turns cards on. Every update of a card is a metered call.
	CardTemplateID string
	// CardCallbackHTTP sends the presses of a card's buttons to the address that
	// RegisterCardCallback registered, instead of to a Stream connection.
	CardCallbackHTTP bool
	// HTTPClient is http.DefaultClient. Its redirects and timeout do not count.
	HTTPClient *http.Client
	Metrics    pipeline.Metrics // may be nil
	Log        *slog.Logger
	Now        func() time.Time // time.Now
}

// callTimeout bounds one call. DingTalk's own gateway gives up after about three
// seconds.
const callTimeout = 8 * time.Second

// Client speaks DingTalk's OpenAPI for one app. It is safe for concurrent use.
type Client struct {
	cfg     Config
	http    *http.Client
	trusted []string // hosts
	token   tokenCache
}

// New returns a Client. It does not call DingTalk.
func New(c Config) (*Client, error) {
	if c.ClientID == "" || c.Secret == nil || c.Log == nil {
		return nil, errors.New("dingapi: ClientID, Secret and Log must be set")
	}
	set(&c.RobotCode, c.ClientID)
	set(&c.APIURL, "https://api.dingtalk.com")
	set(&c.OAPIURL, "https://oapi.dingtalk.com")
	if c.HTTPClient == nil {
		c.HTTPClient = http.DefaultClient
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	cl := &Client{cfg: c}
	for _, raw := range []*string{&cl.cfg.APIURL, &cl.cfg.OAPIURL} {
		*raw = strings.TrimRight(*raw, "/")
		u, err := url.Parse(*raw)
		if err != nil || u.Host == "" {
			return nil, fmt.Errorf("dingapi: %q is no URL", *raw)
		}
		cl.trusted = append(cl.trusted, u.Host)
	}
	cl.http = &http.Client{
		Transport: c.HTTPClient.Transport,
		// A redirect could lead a webhook or a token anywhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return cl, nil
}

func set(s *string, v string) {
	if *s == "" {
		*s = v
	}
}

func (c *Client) measure(name string, labels ...string) {
	if c.cfg.Metrics != nil {
		c.cfg.Metrics.Measure(name, 1, labels...)
	}
}
