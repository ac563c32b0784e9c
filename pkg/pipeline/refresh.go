package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"parley/pkg/chat"
	"parley/pkg/phrase"
)

// Library is what answers are looked up in, as far as it is copied from sources that
// change. Implementations are safe for concurrent use; their errors are classified.
type Library interface {
	// Refresh brings every source a step nearer to having been read after since, and
	// tells how far each is. It waits for nothing and keeps no state of its own:
	// calling it again and again ends with no source Waiting, whatever else reads
	// the sources meanwhile.
	Refresh(ctx context.Context, since time.Time) ([]Reading, error)
	// Expire removes the single documents that were put in before a time, and
	// returns how many.
	Expire(ctx context.Context, before time.Time) (int, error)
}

// Reading is how far one source has been read.
type Reading struct {
	Source  string // its name
	Waiting bool   // it is being read, or its turn has not come
	Failed  string // why it could not be read, "" otherwise
	// Documents that were put in or replaced, and that could not be read.
	Indexed, Unreadable int64
}

// How a round is paced: a reading takes minutes, and hours where a site is crawled.
// A round that is not over after a day has failed.
const (
	roundStep = 5 * time.Minute
	roundAge  = 24 * time.Hour
)

// Refresher keeps a Library fresh. Each message of its queue, whatever it says, is a
// round in which every source is read once; it comes again until the round is over,
// so that no process waits for it. What a round came to is a metric, and where
// something failed a message to a channel. It is safe for concurrent use.
type Refresher struct {
	Library Library
	// Days is how long single documents are kept; 0 is for ever.
	Days    int
	Replies Outbox
	// Platform, Channel and Route are where failures are told; no Platform is nowhere.
	Platform chat.Platform
	Channel  string
	Route    json.RawMessage
	Language string
	Metrics  Metrics
	Log      *slog.Logger
	Now      func() time.Time // nil: time.Now
}

// Handle takes each round of a batch a step further. It is a Handler.
func (r *Refresher) Handle(ctx context.Context, batch []Delivery) []Settlement {
	settled := make([]Settlement, len(batch))
	for i, d := range batch {
		settled[i] = r.handle(ctx, d)
	}
	return settled
}

func (r *Refresher) handle(ctx context.Context, d Delivery) Settlement {
	late := clock(r.Now).Sub(d.SentAt) > roundAge
	readings, err := r.step(ctx, d.SentAt)
	if err != nil {
		r.Log.WarnContext(ctx, "refresh", "err", err)
		if !late && !Classify(err).Permanent {
			return Settlement{Action: Retry, After: max(roundStep, Classify(err).After)}
		}
		readings = append(readings, Reading{Source: "-", Failed: detail(err)})
	}
	for i, reading := range readings {
		switch {
		case reading.Waiting && !late:
			return Settlement{Action: Retry, After: roundStep}
		case reading.Waiting:
			readings[i].Failed = fmt.Sprintf("not read within %v", roundAge)
		}
	}
	if err := r.report(ctx, d, readings); err != nil {
		r.Log.ErrorContext(ctx, "report a refresh", "err", err)
		return Settlement{Action: Retry, After: DefaultPolicy().Backoff[0]}
	}
	return Settlement{}
}

// step reads on and, once everything is read, removes what has expired: a removal
// and a reading of the same library may get into each other's way.
func (r *Refresher) step(ctx context.Context, since time.Time) ([]Reading, error) {
	readings, err := r.Library.Refresh(ctx, since)
	if err != nil || r.Days == 0 {
		return readings, err
	}
	for _, reading := range readings {
		if reading.Waiting {
			return readings, nil
		}
	}
	gone, err := r.Library.Expire(ctx, clock(r.Now).AddDate(0, 0, -r.Days))
	if gone > 0 {
		r.Log.InfoContext(ctx, "forgot threads whose time had come", "count", gone)
	}
	return readings, err
}

func (r *Refresher) report(ctx context.Context, d Delivery, readings []Reading) error {
	var failed []string
	var indexed, unreadable int64
	for _, reading := range readings {
		r.Log.InfoContext(ctx, "source read", "source", reading.Source, "indexed", reading.Indexed, "unreadable", reading.Unreadable, "failed", reading.Failed)
		indexed, unreadable = indexed+reading.Indexed, unreadable+reading.Unreadable
		if reading.Failed != "" {
			failed = append(failed, "- **"+reading.Source+"**: "+reading.Failed)
		}
	}
	if len(failed) > 0 && r.Platform != "" {
		words := phrase.In(r.Language)
		reply := chat.Reply{
			MessageID: "refresh:" + d.ID, Conversation: chat.Conversation{Platform: r.Platform, Channel: r.Channel},
			Fence: 1, Seq: 1, Kind: chat.Notice, AskedAt: d.SentAt, Language: r.Language, Route: r.Route,
			Markdown: words.Say("refresh.failed") + "\n\n" + strings.Join(failed, "\n"),
		}
		if err := SendReply(ctx, r.Replies, reply); err != nil {
			return Transient(ReasonStore, fmt.Errorf("publish: %w", err))
		}
	}
	measure(r.Metrics, MetricSyncsFailed, float64(len(failed)))
	measure(r.Metrics, MetricSyncs, float64(len(readings)-len(failed)))
	measure(r.Metrics, MetricIndexed, float64(indexed))
	measure(r.Metrics, MetricUnindexed, float64(unreadable))
	return nil
}
