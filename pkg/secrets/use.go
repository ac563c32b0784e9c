package secrets

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"parley/pkg/pipeline"
)

// Value returns the value of k from the newest version, for what takes a
// credential when it needs one.
func (s *Secret) Value(k Key) func(ctx context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		v, err := s.Current(ctx)
		return v[k[0]], err
	}
}

// Valid returns the values of k in all valid versions, newest first, from memory
// or, when that is stale, within the time of one fetch. Without any it returns
// none, and whoever verifies with them refuses everything.
func (s *Secret) Valid(k Key, log *slog.Logger) func() []string {
	return func() []string {
		all, err := s.All(context.Background())
		if err != nil {
			log.Error("no secret to verify with", "err", err)
			return nil
		}
		out := make([]string, len(all))
		for i, v := range all {
			out[i] = v[k[0]]
		}
		return out
	}
}

// Guard returns p with a second chance: what p refuses as unsigned is parsed once
// more when the secret turns out to have changed. While there is no secret to
// verify with, nothing can be called unsigned: the error is a transient one, after
// which the platform sends its request again. p verifies with Valid.
func (s *Secret) Guard(p pipeline.Parser, log *slog.Logger) pipeline.Parser {
	return guard{p, s, log}
}

var errNone = errors.New("there is no secret to verify with")

type guard struct {
	parser pipeline.Parser
	secret *Secret
	log    *slog.Logger
}

// Parse implements pipeline.Parser.
func (g guard) Parse(r pipeline.Request, now time.Time) (pipeline.Parsed, error) {
	seen, _ := g.secret.kept()
	out, err := g.parser.Parse(r, now)
	if !errors.Is(err, pipeline.ErrUnauthorized) {
		return out, err
	}
	if seen == nil { // the first request of the process fetched them
		if seen, _ = g.secret.kept(); seen == nil {
			return out, pipeline.Transient(pipeline.ReasonStore, errNone)
		}
	}
	changed, lookErr := g.secret.Refused(context.Background(), seen)
	if lookErr != nil {
		g.log.Warn("look for a rotated secret", "err", lookErr)
	}
	if !changed {
		return out, err
	}
	g.log.Info("the secret was rotated")
	return g.parser.Parse(r, now)
}
