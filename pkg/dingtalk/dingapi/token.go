package dingapi

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"parley/pkg/pipeline"
)

// early is how long before its end a token is replaced.
const early = 5 * time.Minute

// tokenCache holds the app's access token. Fetching one is not metered, but
// rate-limited: concurrent callers share one fetch.
type tokenCache struct {
	flight singleflight.Group

	mu      sync.Mutex
	token   string
	renewAt time.Time
}

// get returns a valid token.
func (t *tokenCache) get(ctx context.Context, c *Client) (string, error) {
	if token, ok := t.cached(c.cfg.Now()); ok {
		return token, nil
	}
	// The fetch outlives a caller that gives up, for the sake of the others.
	done := t.flight.DoChan("token", func() (any, error) { return t.fetch(context.WithoutCancel(ctx), c) })
	select {
	case r := <-done:
		token, _ := r.Val.(string)
		return token, r.Err
	case <-ctx.Done():
		return "", pipeline.Transient(pipeline.ReasonUnavailable, fmt.Errorf("dingtalk token: %w", context.Cause(ctx)))
	}
}

func (t *tokenCache) cached(now time.Time) (string, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.token, t.token != "" && now.Before(t.renewAt)
}

// drop forgets token, unless it was replaced already.
func (t *tokenCache) drop(token string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.token == token {
		t.token = ""
	}
}

func (t *tokenCache) fetch(ctx context.Context, c *Client) (string, error) {
	secret, err := c.cfg.Secret(ctx)
	if err != nil {
		return "", pipeline.Transient(pipeline.ReasonConfig, fmt.Errorf("dingtalk secret: %w", err))
	}
	var out struct {
		Token   string `json:"accessToken"`
		Seconds int    `json:"expireIn"`
	}
	err = c.send(ctx, methodToken, "", map[string]string{"appKey": c.cfg.ClientID, "appSecret": secret}, &out)
	if err != nil {
		return "", harmless(err)
	}
	if out.Token == "" {
		return "", pipeline.Transient(pipeline.ReasonUnavailable, fmt.Errorf("dingtalk %s: no token in the answer", methodToken.path))
	}
	life := time.Duration(out.Seconds) * time.Second
	t.mu.Lock()
	defer t.mu.Unlock()
	t.token, t.renewAt = out.Token, c.cfg.Now().Add(max(life-early, life/2))
	return out.Token, nil
}

// harmless turns an unknown outcome into a failure: what has no effect can be
// repeated. A refused credential is the operator's to mend.
func harmless(err error) error {
	e := pipeline.Classify(err)
	switch {
	case e.Unknown:
		return pipeline.Transient(e.Reason, fmt.Errorf("dingtalk: %w", e.Err))
	case e.Permanent:
		return pipeline.Permanent(pipeline.ReasonConfig, err)
	}
	return err
}
