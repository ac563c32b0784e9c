package profiles

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

// Live is a set that is replaced while questions are answered. It is a
// pipeline.Profiles, of no profiles until the first Replace. It is safe for
// concurrent use, but Replace is one caller's.
type Live struct {
	deployment Deployment
	set        atomic.Pointer[Set]
	path       string // of Open
	last       []byte // what was last read there
}

// NewLive returns a Live for files of d.
func NewLive(d Deployment) *Live { return &Live{deployment: d} }

// Profile implements pipeline.Profiles.
func (l *Live) Profile(base pipeline.Profile, m chat.Message) pipeline.Profile {
	if s := l.set.Load(); s != nil {
		return s.Profile(base, m)
	}
	return base
}

// Replace puts a new version of the file into force. One with mistakes changes
// nothing; its error is of type Mistakes.
func (l *Live) Replace(name string, data []byte) error {
	s, err := Load(name, data, l.deployment)
	if err != nil {
		return err
	}
	l.set.Store(s)
	return nil
}

// Names are the names of the profiles in force.
func (l *Live) Names() []string {
	if s := l.set.Load(); s != nil {
		return s.Names()
	}
	return nil
}

// Open reads the file at path into a Live. Its error is of type Mistakes where the
// file could be read.
func Open(path string, d Deployment) (*Live, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the profiles: %w", err)
	}
	l := NewLive(d)
	l.path, l.last = path, data
	return l, l.Replace(path, data)
}

// Watch looks at the file of Open again and again, and puts it into force whenever
// what it says has changed, until ctx ends. A version with mistakes is told once,
// and the last good one stays.
func (l *Live) Watch(ctx context.Context, every time.Duration, log *slog.Logger) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		data, err := os.ReadFile(l.path)
		if err != nil || bytes.Equal(data, l.last) { // an editor may take it away for a moment
			continue
		}
		l.last = data
		if err := l.Replace(l.path, data); err != nil {
			log.ErrorContext(ctx, "profiles are wrong, the last good ones stay in force", "err", err)
			continue
		}
		log.InfoContext(ctx, "profiles changed", "profiles", l.Names())
	}
}
