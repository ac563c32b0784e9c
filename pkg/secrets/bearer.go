package secrets

import (
	"context"
	"log/slog"
)

// Bearer returns what presents the value of k with each call, for clients that
// cannot fail at that point: "" while the secret cannot be read.
func (s *Secret) Bearer(k Key, log *slog.Logger) func() string {
	return func() string {
		v, err := s.Current(context.Background())
		if err != nil {
			log.Error("no secret to present", "err", err)
		}
		return v[k[0]]
	}
}

// Anew returns what looks for a new version when the one presented was refused.
func (s *Secret) Anew() func(ctx context.Context) error {
	return func(ctx context.Context) error {
		seen, _ := s.kept()
		_, err := s.Refused(ctx, seen)
		return err
	}
}
