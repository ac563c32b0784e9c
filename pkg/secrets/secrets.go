// Package secrets reads a platform's credentials from AWS Secrets Manager: one
// secret in JSON for each chat app.
//
// A secret is fetched once and kept for five minutes. When a platform refuses
// what was kept (a signature that does not verify, a token that is not accepted)
// it is fetched anew, at most twice a minute, together with the version before,
// so that a rotation has no gap and needs no deployment. The version before is
// valid for a day after it was replaced: a leaked secret must not live on.
//
// No value of a secret is ever part of an error. Parsing and checking platforms'
// credentials is not done here.
package secrets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"golang.org/x/sync/singleflight"

	"parley/pkg/awsjson"
	"parley/pkg/pipeline"
)

const (
	fetchTime  = 1200 * time.Millisecond // of one look, both versions
	keptFor    = 5 * time.Minute
	againIn    = 30 * time.Second // after a look that failed
	graceOf    = 24 * time.Hour   // of the version before
	refusals   = 2                // looks in refusalsIn
	refusalsIn = time.Minute

	stageCurrent  = "AWSCURRENT"
	stagePrevious = "AWSPREVIOUS"
)

// Key is a value that a secret must hold, under the first of its names that the
// JSON has. The first name is the one that Values uses.
type Key []string

// The keys of the apps' secrets. DingTalk's are also accepted as its console and
// AWS's sample spell them.
var (
	SigningSecret = Key{"signing_secret"}
	BotToken      = Key{"bot_token"}
	AppToken      = Key{"app_token"}
	ClientID      = Key{"client_id", "AppKey", "app_key"}
	ClientSecret  = Key{"client_secret", "AppSecret", "app_secret"}
)

// Values are the contents of one version of a secret, by the first name of each
// key.
type Values map[string]string

// Secret is one secret. It is safe for concurrent use.
type Secret struct {
	client *awsjson.Client
	arn    string
	keys   []Key
	flight singleflight.Group

	mu        sync.Mutex
	versions  []Values // newest first
	fetchedAt time.Time
	refusedAt []time.Time // the looks that refusals caused, newest last
}

// NewClient returns a client for Secrets.
func NewClient(cfg aws.Config) *awsjson.Client {
	return awsjson.New(cfg, awsjson.Service{Name: "secretsmanager", ID: "Secrets Manager", Target: "secretsmanager", Version: "1.1"})
}

// New returns the secret at arn, of which each of keys must be there.
func New(client *awsjson.Client, arn string, keys ...Key) *Secret {
	return &Secret{client: client, arn: arn, keys: keys}
}

// Current returns the newest version, from memory while it is fresh. When it
// cannot be fetched anew, the version at hand stays good.
func (s *Secret) Current(ctx context.Context) (Values, error) {
	all, err := s.All(ctx)
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// All returns the versions that are valid now, newest first: at least one.
func (s *Secret) All(ctx context.Context) ([]Values, error) {
	versions, fresh := s.kept()
	if fresh {
		return versions, nil
	}
	look := func(ctx context.Context) error { return s.look(ctx, len(versions) > 1) }
	if err := s.once(ctx, "stale", look); err != nil {
		if versions == nil {
			return nil, err
		}
		s.putOff()
	}
	versions, _ = s.kept()
	return versions, nil
}

// Refused says that a platform did not accept seen, which All returned, and looks
// again, with the version before. changed reports whether there is something else
// to try now. More than twice a minute nothing is looked up and nothing has
// changed: a stranger's bad signatures must not cost a call each.
func (s *Secret) Refused(ctx context.Context, seen []Values) (changed bool, err error) {
	if now, _ := s.kept(); !same(seen, now) {
		return true, nil // somebody else looked meanwhile
	}
	err = s.once(ctx, "refused", func(ctx context.Context) error {
		if !s.mayLook() {
			return nil
		}
		return s.look(ctx, true)
	})
	now, _ := s.kept()
	return !same(seen, now), err
}

func (s *Secret) kept() (versions []Values, fresh bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.versions, s.versions != nil && time.Since(s.fetchedAt) < keptFor
}

// putOff makes stale versions good for a while, when nothing newer can be had.
func (s *Secret) putOff() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fetchedAt = time.Now().Add(againIn - keptFor)
}

// mayLook counts a look against the budget of refusals.
func (s *Secret) mayLook() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for len(s.refusedAt) > 0 && now.Sub(s.refusedAt[0]) >= refusalsIn {
		s.refusedAt = s.refusedAt[1:]
	}
	if len(s.refusedAt) >= refusals {
		return false
	}
	s.refusedAt = append(s.refusedAt, now)
	return true
}

// once looks for all who ask at the same time. One caller's end does not end the
// look for the others.
func (s *Secret) once(ctx context.Context, why string, look func(context.Context) error) error {
	done := s.flight.DoChan(why, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTime)
		defer cancel()
		return nil, look(ctx)
	})
	select {
	case <-ctx.Done():
		return pipeline.Transient(pipeline.ReasonStore, fmt.Errorf("read secret %s: %w", s.arn, ctx.Err()))
	case r := <-done:
		return r.Err
	}
}

func (s *Secret) look(ctx context.Context, previous bool) error {
	current, since, err := s.version(ctx, stageCurrent)
	if err != nil {
		return err
	}
	versions := []Values{current}
	if previous && time.Since(since) < graceOf {
		// The current version is good by itself: whatever is wrong with the one
		// before, there is nothing older to accept then.
		if before, _, err := s.version(ctx, stagePrevious); err == nil {
			versions = append(versions, before)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.versions, s.fetchedAt = versions, time.Now()
	return nil
}

// version fetches one version and when it was made.
func (s *Secret) version(ctx context.Context, stage string) (Values, time.Time, error) {
	var out struct {
		SecretString *string
		CreatedDate  float64 // seconds since 1970
	}
	err := s.client.Call(ctx, "GetSecretValue", map[string]string{"SecretId": s.arn, "VersionStage": stage}, &out)
	if err != nil {
		return nil, time.Time{}, s.classify(err)
	}
	v, err := s.parse(out.SecretString)
	if err != nil {
		return nil, time.Time{}, pipeline.Permanent(pipeline.ReasonConfig, err)
	}
	return v, time.UnixMilli(int64(out.CreatedDate * 1000)), nil
}

// parse reads the JSON of a secret. Its errors name the secret and the key and
// nothing of the value.
func (s *Secret) parse(text *string) (Values, error) {
	if text == nil {
		return nil, fmt.Errorf("secret %s is binary: store it as JSON text, such as {%q: \"...\"}", s.arn, s.keys[0][0])
	}
	var all map[string]any
	if json.Unmarshal([]byte(*text), &all) != nil {
		return nil, fmt.Errorf("secret %s is not a JSON object: store it as {%q: \"...\"}", s.arn, s.keys[0][0])
	}
	out := Values{}
	for _, k := range s.keys {
		v := k.in(all)
		if v == "" {
			return nil, fmt.Errorf("secret %s has no text under the key %q", s.arn, k[0])
		}
		out[k[0]] = v
	}
	return out, nil
}

func (k Key) in(all map[string]any) string {
	for _, name := range k {
		if v, ok := all[name].(string); ok && v != "" {
			return v
		}
	}
	return ""
}

// classify says what an operator must do where one must. The codes are Secrets
// Manager's, and AWS's common ones.
func (s *Secret) classify(err error) error {
	wrapped := fmt.Errorf("read secret %s: %w", s.arn, err)
	var refused *awsjson.Error
	if !errors.As(err, &refused) {
		return pipeline.Transient(pipeline.ReasonStore, wrapped)
	}
	switch refused.Code {
	case "ResourceNotFoundException":
		return pipeline.Permanent(pipeline.ReasonConfig, fmt.Errorf("secret %s does not exist or has no value yet: put one with `aws secretsmanager put-secret-value`: %w", s.arn, err))
	case "AccessDeniedException", "DecryptionFailure", "InvalidParameterException", "InvalidRequestException", "UnrecognizedClientException":
		return pipeline.Permanent(pipeline.ReasonConfig, wrapped)
	case "ThrottlingException":
		return pipeline.Throttled(pipeline.ReasonStore, 0, wrapped)
	}
	return pipeline.Transient(pipeline.ReasonStore, wrapped)
}

func same(a, b []Values) bool { return slices.EqualFunc(a, b, maps.Equal) }
