package sqslambda_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"

	"parley/pkg/pipeline"
	"parley/pkg/sqsqueue"
	"parley/pkg/sqsqueue/sqslambda"
	"parley/pkg/sqsqueue/sqstest"
)

// stage is a queue, its mapping and a handler, as on Lambda.
type stage struct {
	*testing.T
	server *sqstest.Server
	queue  *sqsqueue.Queue
	url    string
	log    strings.Builder
	stop   func()
	held   chan struct{} // what a handler may wait for

	mu   sync.Mutex
	seen []string // body@seconds, in the order they were handled
}

func testStage(t *testing.T, handle func(s *stage, d pipeline.Delivery) pipeline.Settlement, run func(*stage)) {
	synctest.Test(t, func(t *testing.T) {
		s := &stage{T: t, server: sqstest.New(), held: make(chan struct{})}
		url, err := s.server.CreateQueue(sqstest.Config{Name: "replies.fifo", Visibility: 90 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		s.url, s.queue = url, sqsqueue.New(s.server.Client(), url)
		start := time.Now()
		s.start(func(_ context.Context, batch []pipeline.Delivery) []pipeline.Settlement {
			out := make([]pipeline.Settlement, len(batch))
			for i, d := range batch {
				s.mu.Lock()
				s.seen = append(s.seen, fmt.Sprintf("%s@%d", d.Body, int(time.Since(start).Seconds())))
				s.mu.Unlock()
				out[i] = handle(s, d)
			}
			return out
		})
		run(s)
		s.stop()
	})
}

// start maps the queue to h through Lambda's own handler wrapper, so that events
// and answers go through their JSON.
func (s *stage) start(h pipeline.Handler) {
	batch := &sqslambda.Batch{Queue: s.queue, Handler: h, Log: slog.New(slog.NewTextHandler(&s.log, nil))}
	function := lambda.NewHandler(batch.Handle)
	ctx, cancel := context.WithCancel(s.Context())
	done := make(chan error, 1)
	go func() {
		done <- sqstest.Mapping{Server: s.server, QueueURL: s.url, MaximumConcurrency: 3, Invoke: function.Invoke}.Run(ctx)
	}()
	s.stop = func() {
		cancel()
		if err := <-done; err != nil {
			s.Error(err)
		}
	}
}

func (s *stage) send(group string, bodies ...string) {
	s.Helper()
	for _, b := range bodies {
		if err := s.queue.Send(s.Context(), pipeline.Envelope{Group: group, DedupID: b, Body: []byte(b)}); err != nil {
			s.Fatal(err)
		}
	}
}

func (s *stage) want(want ...string) {
	s.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Equal(s.seen, want) {
		s.Errorf("handled %v\nwant    %v", s.seen, want)
	}
}

func (s *stage) wantEmpty() {
	s.Helper()
	if d, err := s.queue.Depth(s.Context()); err != nil || d != (pipeline.Depth{}) {
		s.Errorf("Depth = %+v, %v; want nothing left", d, err)
	}
}

func TestAckedIsGone(t *testing.T) {
	testStage(t, func(*stage, pipeline.Delivery) pipeline.Settlement { return pipeline.Settlement{} }, func(s *stage) {
		s.send("g", "1", "2")
		time.Sleep(10 * time.Minute)
		s.want("1@0", "2@0")
		s.wantEmpty()
	})
}

// A failure takes the rest of its group with it, and leaves other groups alone.
func TestRetryHoldsItsGroup(t *testing.T) {
	handle := func(s *stage, d pipeline.Delivery) pipeline.Settlement {
		if string(d.Body) == "hold" {
			<-s.held
		}
		if string(d.Body) == "a2" && d.Receives == 1 {
			return pipeline.Settlement{Action: pipeline.Retry, After: 20 * time.Second}
		}
		return pipeline.Settlement{}
	}
	testStage(t, handle, func(s *stage) {
		s.send("a", "hold")
		synctest.Wait() // the rest waits behind it, and so comes in one batch
		s.send("a", "a1", "a2", "a3")
		s.send("b", "b1")
		synctest.Wait()
		close(s.held)
		time.Sleep(10 * time.Minute)
		s.want("hold@0", "b1@0", "a1@0", "a2@0", "a3@0", "a2@20", "a3@20")
		s.wantEmpty()
	})
}

// A group comes back as one, whatever its later messages were given: one still
// hidden would hold back the first.
func TestRetryComesBackTogether(t *testing.T) {
	handle := func(s *stage, d pipeline.Delivery) pipeline.Settlement {
		switch {
		case string(d.Body) == "hold":
			<-s.held
		case d.Receives == 1 && string(d.Body) == "1":
			return pipeline.Settlement{Action: pipeline.Retry, After: 20 * time.Second}
		case d.Receives == 1:
			return pipeline.Settlement{Action: pipeline.Retry, After: 60 * time.Second}
		}
		return pipeline.Settlement{}
	}
	testStage(t, handle, func(s *stage) {
		s.send("a", "hold")
		synctest.Wait()
		s.send("a", "1", "2")
		synctest.Wait()
		close(s.held)
		time.Sleep(10 * time.Minute)
		s.want("hold@0", "1@0", "2@0", "1@20", "2@20")
	})
}

// Without its visibility change a retry comes back with the queue's own.
func TestRetryWithoutVisibility(t *testing.T) {
	handle := func(s *stage, d pipeline.Delivery) pipeline.Settlement {
		if d.Receives == 1 {
			return pipeline.Settlement{Action: pipeline.Retry, After: time.Second}
		}
		return pipeline.Settlement{}
	}
	testStage(t, handle, func(s *stage) {
		s.server.Inject(func(action string) sqstest.Fault {
			if action == "ChangeMessageVisibility" {
				return sqstest.Fault{Status: 400, Code: "AccessDenied"}
			}
			return sqstest.Fault{}
		})
		s.send("g", "m")
		time.Sleep(10 * time.Minute)
		s.want("m@0", "m@90")
		if !strings.Contains(s.log.String(), "set visibility") {
			t.Errorf("the log does not tell: %s", s.log.String())
		}
	})
}

// A handler that answers for fewer deliveries than it was given acknowledges none.
func TestLostCount(t *testing.T) {
	batch := &sqslambda.Batch{Handler: func(context.Context, []pipeline.Delivery) []pipeline.Settlement { return nil }}
	if _, err := batch.Handle(t.Context(), events.SQSEvent{Records: make([]events.SQSMessage, 1)}); err == nil {
		t.Error("no error for a missing settlement")
	}
}

// The settlement outlives the invocation's own deadline.
func TestSettlesAfterDeadline(t *testing.T) {
	var hidden []time.Duration
	q := visibility(func(ctx context.Context, d time.Duration) error {
		if ctx.Err() == nil {
			hidden = append(hidden, d)
		}
		return ctx.Err()
	})
	ctx, cancel := context.WithCancel(t.Context())
	batch := &sqslambda.Batch{Queue: q, Log: slog.New(slog.DiscardHandler), Handler: func(context.Context, []pipeline.Delivery) []pipeline.Settlement {
		cancel()
		return []pipeline.Settlement{{Action: pipeline.Retry, After: 7 * time.Second}}
	}}
	r, err := batch.Handle(ctx, events.SQSEvent{Records: []events.SQSMessage{{MessageId: "m"}}})
	if err != nil || len(r.BatchItemFailures) != 1 || !slices.Equal(hidden, []time.Duration{7 * time.Second}) {
		t.Errorf("Handle = %+v, %v; hidden %v", r, err, hidden)
	}
}

type visibility func(context.Context, time.Duration) error

func (v visibility) Extend(ctx context.Context, _ pipeline.Delivery, hidden time.Duration) error {
	return v(ctx, hidden)
}

// An event as Lambda's documentation shows it becomes a complete delivery.
func TestEvent(t *testing.T) {
	const event = `{"Records":[{
		"messageId":"11d6ee51-4cc7-4302-9e22-7cd8afdaadf5","receiptHandle":"AQEBBX8","body":"{}",
		"attributes":{"ApproximateReceiveCount":"2","SentTimestamp":"1573251510774","SequenceNumber":"18849496460467696128",
			"MessageGroupId":"1","SenderId":"AIDA","MessageDeduplicationId":"d","ApproximateFirstReceiveTimestamp":"1573251510775"},
		"messageAttributes":{"reason":{"stringValue":"model","stringListValues":[],"binaryListValues":[],"dataType":"String"}},
		"md5OfBody":"99914b932bd37a50b983c5e7c90ae93b","eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:us-east-2:123456789012:fifo.fifo","awsRegion":"us-east-2"}]}`
	var e events.SQSEvent
	if err := json.Unmarshal([]byte(event), &e); err != nil {
		t.Fatal(err)
	}
	var got pipeline.Delivery
	batch := &sqslambda.Batch{Handler: func(_ context.Context, ds []pipeline.Delivery) []pipeline.Settlement {
		got = ds[0]
		return make([]pipeline.Settlement, 1)
	}}
	if _, err := batch.Handle(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	if got.ID == "" || got.Receipt != "AQEBBX8" || got.Group != "1" || got.DedupID != "d" || string(got.Body) != "{}" || got.Receives != 2 ||
		got.SentAt.UnixMilli() != 1573251510774 || got.FirstSeen.UnixMilli() != 1573251510775 || got.Attributes["reason"] != "model" {
		t.Errorf("delivery = %+v", got)
	}
}
