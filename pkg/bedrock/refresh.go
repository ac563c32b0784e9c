package bedrock

import (
	"context"
	"time"

	"parley/pkg/pipeline"
)

var _ pipeline.Library = (*Knowledge)(nil)

// clocks is how far the clock that a round's beginning was read from may be ahead of
// the service's. A sync that began within it before the round counts for the round.
const clocks = time.Minute

// Refresh implements pipeline.Library with syncs of all sources but the one for single
// documents. What has been done is read from the service each time. It begins at most
// one sync, because a knowledge base runs one at a time; one that somebody else has
// begun is waited for.
func (k *Knowledge) Refresh(ctx context.Context, since time.Time) ([]pipeline.Reading, error) {
	sources, err := k.sources(ctx)
	if err != nil {
		return nil, err
	}
	var all []pipeline.Reading
	var due []int // in all and in ids
	var ids []string
	busy := false
	for _, s := range sources {
		if s.ID == k.custom {
			continue
		}
		job, err := k.newestJob(ctx, s.ID)
		if err != nil {
			return nil, err
		}
		reading := pipeline.Reading{Source: s.Name, Waiting: job.Running(), Indexed: job.Indexed, Unreadable: job.Failed}
		switch {
		case job.Running():
			busy = true
		case job.StartedAt.Before(since.Add(-clocks)):
			reading = pipeline.Reading{Source: s.Name, Waiting: true}
			due = append(due, len(all))
		case job.Failure() != "":
			if job, err = k.look(ctx, job); err != nil {
				return nil, err
			}
			reading.Failed = job.Failure()
		}
		all, ids = append(all, reading), append(ids, s.ID)
	}
	for _, i := range due {
		if busy {
			break
		}
		_, err := k.Sync(ctx, ids[i])
		switch e := pipeline.Classify(err); {
		case err == nil || e.Throttled:
			busy = true
		case !e.Permanent:
			return nil, err
		default: // this source cannot be read; the next one may be
			all[i].Waiting, all[i].Failed = false, err.Error()
		}
	}
	return all, nil
}
