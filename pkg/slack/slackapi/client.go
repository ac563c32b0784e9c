package slackapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/slack-go/slack"

	"parley/pkg/pipeline"
)

// DefaultBaseURL is Slack's Web API.
const DefaultBaseURL = "https://slack.com/api/"

// Timeouts of one call. The responder's function has 30 s.
const (
	callTimeout = 8 * time.Second
	fileTimeout = 60 * time.Second
)

// Config is what a Client needs.
type Config struct {
	// Token returns the bot token. It is asked before each call, so it may rotate.
	Token func() string
	// Refused is called when Slack refuses the token, to have it read anew; may
	// be nil. If Token then returns another, the call is made once more.
	Refused func(ctx context.Context) error
	// BaseURL is DefaultBaseURL if empty. Its host is trusted with the token.
	BaseURL string
	// HTTPClient's transport is used, with this package's timeouts; may be nil.
	HTTPClient *http.Client
	Log        *slog.Logger     // nil: slog.Default
	Metrics    pipeline.Metrics // may be nil
	Now        func() time.Time // nil: time.Now
}

// Client calls Slack's Web API for one installation. It is safe for concurrent
// use.
type Client struct {
	cfg   Config
	base  *url.URL
	api   *http.Client
	files *http.Client

	pace pace
	mu   sync.Mutex
	self identity
}

// New returns a client. It makes no call. A senseless BaseURL is an error.
func New(cfg Config) (*Client, error) {
	if cfg.Token == nil {
		return nil, errors.New("slack client: no Token")
	}
	if cfg.BaseURL == "" {
		cfg.BaseURL = DefaultBaseURL
	}
	if !strings.HasSuffix(cfg.BaseURL, "/") {
		cfg.BaseURL += "/"
	}
	base, err := url.Parse(cfg.BaseURL)
	if err != nil || base.Host == "" {
		return nil, fmt.Errorf("slack client: BaseURL %q is no URL", cfg.BaseURL)
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	c := &Client{cfg: cfg, base: base}
	transport := http.DefaultTransport
	if cfg.HTTPClient != nil && cfg.HTTPClient.Transport != nil {
		transport = cfg.HTTPClient.Transport
	}
	c.api = &http.Client{Transport: tee{transport}, Timeout: callTimeout}
	c.files = &http.Client{Transport: transport, Timeout: fileTimeout, CheckRedirect: c.checkRedirect}
	return c, nil
}

// Poster shows answers.
func (c *Client) Poster() *Poster { return &Poster{c: c} }

// Reader reads threads and files.
func (c *Client) Reader() *Reader { return &Reader{c: c} }

// paces is the part of a pipeline.Journal that says when a method may be called.
type paces interface {
	NotBefore(method string) time.Time
	Throttle(method string, until time.Time)
}

// echo is what is read of Slack's answers.
type echo struct {
	OK        bool            `json:"ok"`
	Error     string          `json:"error"`
	Channel   json.RawMessage `json:"channel"` // an id, or an object with one
	TS        string          `json:"ts"`
	MessageTS string          `json:"message_ts"`
	Message   struct {
		TS       string `json:"ts"`
		ThreadTS string `json:"thread_ts"`
	} `json:"message"`
	Messages []message `json:"messages"`
	File     *file     `json:"file"`
	View     struct {
		Hash string `json:"hash"`
	} `json:"view"`
	URL      string `json:"url"` // of the workspace, ending in a slash
	UserID   string `json:"user_id"`
	BotID    string `json:"bot_id"`
	Metadata struct {
		NextCursor string `json:"next_cursor"`
	} `json:"response_metadata"`
}

// call makes one Web API call through f. Its answer is read from the body Slack
// sent, whatever slack-go makes of it. write says that the call changes
// something: its failure may then be one of unknown outcome.
func (c *Client) call(ctx context.Context, method string, p paces, write bool, f func(context.Context, *slack.Client) error) (echo, error) {
	if p == nil {
		p = &c.pace
	}
	if wait := p.NotBefore(method).Sub(c.cfg.Now()); wait > 0 {
		return echo{}, throttled(method, wait)
	}
	token := c.cfg.Token()
	e, err := c.try(ctx, method, token, f)
	if refused(err) && c.cfg.Refused != nil {
		if again := c.cfg.Refused(ctx); again != nil {
			c.cfg.Log.Warn("read slack token anew", "err", again)
		} else if next := c.cfg.Token(); next != token {
			e, err = c.try(ctx, method, next, f)
		}
	}
	err = classify(method, write, err)
	if wait := pipeline.Classify(err); err != nil && wait.Throttled {
		p.Throttle(method, c.cfg.Now().Add(wait.After))
	}
	return e, err
}

// try makes a call once.
func (c *Client) try(ctx context.Context, method, token string, f func(context.Context, *slack.Client) error) (echo, error) {
	ctx, got := withReply(ctx)
	err := f(ctx, slack.New(token, slack.OptionAPIURL(c.cfg.BaseURL), slack.OptionHTTPClient(c.api)))
	var e echo
	if got.status != http.StatusOK || json.Unmarshal(got.body, &e) != nil {
		if err == nil {
			err = fmt.Errorf("%s: the answer is no JSON", method)
		}
		return echo{}, err
	}
	if !e.OK {
		if e.Error == "" {
			e.Error = "unknown_error"
		}
		return e, slack.SlackErrorResponse{Err: e.Error}
	}
	return e, nil // also where slack-go stumbled over the rest of the answer
}
