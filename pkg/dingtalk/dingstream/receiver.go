package dingstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"parley/pkg/dingtalk"
	"parley/pkg/pipeline"
)

// Config is what a Receiver needs. ClientID, Secret, Parser, Accept and Log must
// be set.
type Config struct {
	ClientID string
	// Secret returns the client secret valid now. It is called for each
	// connection.
	Secret func(ctx context.Context) (string, error)
	Parser *dingtalk.Parser
	// Accept makes what a frame says durable, as pipeline.Ingress does. It is
	// called for several conversations at once, and again after it failed.
	Accept func(ctx context.Context, p pipeline.Parsed) error
	// Lost is told what Accept did not take in time, so that the person can be
	// told. It may be nil.
	Lost func(ctx context.Context, p pipeline.Parsed, err error)
	// APIURL is "https://api.dingtalk.com".
	APIURL string
	// HTTPClient is http.DefaultClient.
	HTTPClient *http.Client
	// NetDial connects the WebSocket; nil is the network, by the proxy that the
	// environment names.
	NetDial func(ctx context.Context, network, addr string) (net.Conn, error)
	Metrics pipeline.Metrics // may be nil
	Log     *slog.Logger
	// Version is Parley's, for DingTalk's statistics.
	Version string
}

// Receiver holds a Stream connection. Its methods are safe for concurrent use.
type Receiver struct {
	cfg     Config
	lanes   lanes
	drainBy atomic.Pointer[time.Time] // set when Run's context has ended

	mu     sync.Mutex
	health Health
}

// Health says how a Receiver fares.
type Health struct {
	Connected bool
	Since     time.Time // of Connected's last change
	Err       error     // why not; nil before the first attempt
	// Config is true if Err is for the operator to mend: wrong credentials, a
	// robot not in Stream mode, an app version that is not published.
	Config bool
}

// New returns a Receiver; Run starts it.
func New(c Config) (*Receiver, error) {
	if c.ClientID == "" || c.Secret == nil || c.Parser == nil || c.Accept == nil || c.Log == nil {
		return nil, errors.New("dingstream: ClientID, Secret, Parser, Accept and Log must be set")
	}
	if c.APIURL == "" {
		c.APIURL = "https://api.dingtalk.com"
	}
	c.APIURL = strings.TrimRight(c.APIURL, "/")
	if u, err := url.Parse(c.APIURL); err != nil || u.Host == "" {
		return nil, fmt.Errorf("dingstream: %q is no URL", c.APIURL)
	}
	if c.HTTPClient == nil {
		c.HTTPClient = http.DefaultClient
	}
	return &Receiver{cfg: c}, nil
}

// Health returns how r fares now.
func (r *Receiver) Health() Health {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.health
}

// Run receives until ctx ends, connecting again for ever. It returns when what
// was received is durable and acknowledged, or was given up; that takes at most
// DrainLimit.
func (r *Receiver) Run(ctx context.Context) error {
	var links sync.WaitGroup
	defer links.Wait()
	for failures := 0; ctx.Err() == nil; {
		l, err := r.connect(ctx)
		if err != nil {
			r.failed(ctx, err, failures)
			sleep(ctx, backoff(err, failures))
			failures++
			continue
		}
		r.setHealth(Health{Connected: true})
		r.cfg.Log.Info("connected to DingTalk")
		links.Go(func() { l.serve(ctx) })
		select {
		case <-l.leaving:
		case <-ctx.Done():
		}
		if l.proven() {
			failures = 0
		}
		if err := l.ended(); err != nil || !l.proven() {
			r.failed(ctx, err, failures)
			sleep(ctx, backoff(err, failures))
			failures++
		} // else it was asked to leave: the successor comes at once
	}
	r.setHealth(Health{Err: context.Cause(ctx)})
	return nil
}

func (r *Receiver) failed(ctx context.Context, err error, failures int) {
	if ctx.Err() != nil {
		return
	}
	if err == nil {
		err = errors.New("asked to leave at once")
	}
	config := pipeline.Classify(err).Permanent
	r.setHealth(Health{Err: err, Config: config})
	level := slog.LevelWarn
	if config {
		level = slog.LevelError
	}
	r.cfg.Log.Log(ctx, level, "not connected to DingTalk", "attempt", failures+1, "err", err)
}

func (r *Receiver) setHealth(h Health) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h.Since = r.health.Since
	if h.Connected != r.health.Connected || h.Since.IsZero() {
		h.Since = time.Now()
	}
	r.health = h
}

// Waits between attempts to connect.
const (
	firstWait  = time.Second
	longest    = time.Minute
	configWait = time.Minute // nobody mends a configuration faster
)

// backoff is how long to wait after the given number of failures in a row and
// one more, within a fifth.
func backoff(err error, failures int) time.Duration {
	d := min(firstWait<<min(failures, 10), longest)
	if pipeline.Classify(err).Permanent {
		d = configWait
	}
	return time.Duration(float64(d) * (0.8 + 0.4*rand.Float64()))
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
