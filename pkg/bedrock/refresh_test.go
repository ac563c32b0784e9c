package bedrock_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley/pkg/bedrock"
	"parley/pkg/bedrock/bedrocktest"
	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

// told is what a refresher tells: messages and measurements.
type told struct {
	replies []chat.Reply
	metrics map[string]float64
}

func (o *told) Send(_ context.Context, e pipeline.Envelope) error {
	r, err := chat.DecodeReply(e.Body)
	o.replies = append(o.replies, r)
	return err
}

func (o *told) Measure(name string, value float64, _ ...string) { o.metrics[name] += value }

// round runs a round as its queue does, and returns what was told and how often it
// came.
func round(t *testing.T, k *bedrock.Knowledge, days int) (*told, int) {
	t.Helper()
	o := &told{metrics: map[string]float64{}}
	r := &pipeline.Refresher{
		Library: k, Days: days, Replies: o, Metrics: o, Log: slog.New(slog.DiscardHandler),
		Platform: chat.Slack, Channel: "C1", Route: []byte(`{"channel":"C1"}`),
	}
	d := pipeline.Delivery{ID: "1", SentAt: time.Now()}
	for d.Receives = 1; d.Receives < 1000; d.Receives++ {
		s := r.Handle(t.Context(), []pipeline.Delivery{d})[0]
		if s.Action == pipeline.Ack {
			return o, d.Receives
		}
		time.Sleep(s.After)
	}
	t.Fatal("the round never ends")
	return nil, 0
}

// A round reads every source once, one after the other, whatever runs already, and
// leaves the one for threads alone.
func TestRoundReadsEverySourceOnce(t *testing.T) {
	for name, before := range map[string]string{"quiet": "", "the first is being read": "DSDOCS", "another is": "DSWIKI"} {
		synctest.Test(t, func(t *testing.T) {
			fake, k := newKnowledge(t)
			fake.SetJobTime(12 * time.Minute)
			if before != "" {
				if _, err := k.Sync(t.Context(), before); err != nil {
					t.Fatal(err)
				}
				time.Sleep(2 * time.Minute) // it may have passed what changes from now on
			}
			began := time.Now()
			o, _ := round(t, k, 0)
			if o.metrics[pipeline.MetricSyncs] != 2 || o.metrics[pipeline.MetricSyncsFailed] != 0 || o.metrics[pipeline.MetricIndexed] != 4 || len(o.replies) != 0 {
				t.Errorf("%s: told %+v", name, o)
			}
			accepted := map[string]int{}
			for _, c := range fake.Calls(bedrocktest.OpStartIngestion) {
				accepted[c.Source]++
			}
			if accepted["DSCUSTOM"] != 0 || accepted["DSDOCS"] == 0 || accepted["DSWIKI"] == 0 {
				t.Errorf("%s: began %v", name, accepted)
			}
			s, err := k.Status(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, source := range s.Sources {
				if source.ID != "DSCUSTOM" && source.Last.StartedAt.Before(began) {
					t.Errorf("%s: %s was last read %v before the round", name, source.ID, began.Sub(source.Last.StartedAt))
				}
			}
		})
	}
}

// A failure is told with its reason to the channel, once, and does not keep the other
// sources from being read.
func TestRoundTellsWhatFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, k := newKnowledge(t)
		fake.SetJobTime(time.Minute)
		fake.SetJobFailure("DSDOCS", "no such bucket")
		o, _ := round(t, k, 0)
		if o.metrics[pipeline.MetricSyncs] != 1 || o.metrics[pipeline.MetricSyncsFailed] != 1 || len(o.replies) != 1 {
			t.Fatalf("told %+v", o)
		}
		r := o.replies[0]
		if !strings.Contains(r.Markdown, "**docs**") || !strings.Contains(r.Markdown, "no such bucket") || strings.Contains(r.Markdown, "wiki") || r.Kind != chat.Notice || r.Conversation.Channel != "C1" {
			t.Errorf("told %+v", r)
		}
	})
}

// A source that may not be read is a failure, and the next one is read all the same.
func TestRoundGoesOnAfterARefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, k := newKnowledge(t)
		fake.Respond = func(c bedrocktest.Call) *bedrocktest.Response {
			if c.Operation == bedrocktest.OpStartIngestion && c.Source == "DSDOCS" {
				return bedrocktest.Fail(403, "AccessDeniedException", "no")
			}
			return nil
		}
		fake.SetJobTime(time.Minute)
		o, _ := round(t, k, 0)
		if o.metrics[pipeline.MetricSyncs] != 1 || len(o.replies) != 1 || !strings.Contains(o.replies[0].Markdown, "AccessDeniedException") {
			t.Errorf("told %+v", o)
		}
	})
}

// A source that is never done fails after a day.
func TestRoundEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, k := newKnowledge(t)
		fake.SetJobTime(1000 * time.Hour)
		began := time.Now()
		o, _ := round(t, k, 0)
		if took := time.Since(began); took < 24*time.Hour || took > 25*time.Hour {
			t.Errorf("the round took %v", took)
		}
		if len(o.replies) != 1 || !strings.Contains(o.replies[0].Markdown, "**wiki**: not read within 24h") {
			t.Errorf("told %+v", o.replies)
		}
	})
}

// A service that is down for a while is not a failure; one that refuses to list its
// sources is.
func TestRoundOutlastsAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, k := newKnowledge(t)
		down := bedrocktest.Fail(503, "ServiceUnavailableException", "later")
		fake.Queue(bedrocktest.OpListDataSources, down, down, down, down)
		if o, tries := round(t, k, 0); o.metrics[pipeline.MetricSyncs] != 2 || tries < 2 || len(o.replies) > 0 {
			t.Errorf("told %+v after %d tries", o, tries)
		}
		fake.Queue(bedrocktest.OpListDataSources, bedrocktest.Fail(403, "AccessDeniedException", "no"))
		if o, _ := round(t, k, 0); o.metrics[pipeline.MetricSyncsFailed] != 1 || len(o.replies) != 1 {
			t.Errorf("told %+v", o)
		}
	})
}

// Threads whose time has come are removed, younger ones stay, and without a time all.
func TestRoundRemovesWhatExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, k := newKnowledge(t)
		for _, id := range []string{"old 1", "old 2", "young"} {
			if id == "young" {
				time.Sleep(48 * time.Hour)
			}
			if err := k.Ingest(t.Context(), bedrock.Document{ID: id, Request: id, Text: id}); err != nil {
				t.Fatal(err)
			}
		}
		round(t, k, 0)
		if n := len(fake.Documents("DSCUSTOM")); n != 3 {
			t.Errorf("%d threads are left, want 3", n)
		}
		round(t, k, 1)
		if left := fake.Documents("DSCUSTOM"); len(left) != 1 || left["young"].Text == "" {
			t.Errorf("left are %v", left)
		}
	})
}

// A report that cannot be sent is tried again, and the round stays.
func TestRoundIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, k := newKnowledge(t)
		fake.SetJobFailure("DSDOCS", "no such bucket")
		r := &pipeline.Refresher{Library: k, Replies: refusing{}, Platform: chat.Slack, Channel: "C1", Log: slog.New(slog.DiscardHandler)}
		d := pipeline.Delivery{ID: "1", SentAt: time.Now()}
		for range 5 {
			if s := r.Handle(t.Context(), []pipeline.Delivery{d})[0]; s.Action == pipeline.Ack {
				t.Fatal("the round was forgotten untold")
			}
			time.Sleep(time.Minute)
		}
	})
}

type refusing struct{}

func (refusing) Send(context.Context, pipeline.Envelope) error { return errors.New("no queue") }
