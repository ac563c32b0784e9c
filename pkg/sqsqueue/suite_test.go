package sqsqueue_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"parley/pkg/pipeline"
	"parley/pkg/pipelinetest"
	"parley/pkg/sqsqueue"
	"parley/pkg/sqsqueue/sqssend"
	"parley/pkg/sqsqueue/sqstest"
)

const maxReceives = 3

func TestContractsOnFake(t *testing.T) {
	f := pipelinetest.Features{Bubble: true, LongWaits: true, MaxReceives: maxReceives}
	queues := func(sending func(*sqstest.Server, string) pipeline.Outbox) func(*testing.T) pipelinetest.QueueUnderTest {
		return func(t *testing.T) pipelinetest.QueueUnderTest {
			s := sqstest.New()
			queue, dead := pair(t, s)
			return pipelinetest.QueueUnderTest{
				Queue: split{sqsqueue.New(s.Client(), queue), sending(s, queue)},
				Dead:  sqsqueue.NewDeadLetters(s.Client(), dead),
			}
		}
	}
	t.Run("sqsqueue", func(t *testing.T) {
		pipelinetest.TestQueue(t, queues(func(s *sqstest.Server, url string) pipeline.Outbox { return sqsqueue.New(s.Client(), url) }), f)
	})
	t.Run("sqssend", func(t *testing.T) {
		pipelinetest.TestQueue(t, queues(func(s *sqstest.Server, url string) pipeline.Outbox {
			return sqssend.New(sqssend.NewClient(s.Config()), url)
		}), f)
	})
	pipelinetest.TestDeadLetters(t, func(t *testing.T) pipelinetest.DeadLettersUnderTest {
		s := sqstest.New()
		_, dead := pair(t, s)
		return pipelinetest.DeadLettersUnderTest{
			Outbox:  sqsqueue.New(s.Client(), dead),
			Letters: sqsqueue.NewDeadLetters(s.Client(), dead),
		}
	}, f)
}

// split is a queue that is fed in another way: what the ingress sends, the worker
// receives.
type split struct {
	*sqsqueue.Queue
	sending pipeline.Outbox
}

func (s split) Send(ctx context.Context, e pipeline.Envelope) error { return s.sending.Send(ctx, e) }

// pair makes a queue with its dead-letter queue and returns their URLs.
func pair(t *testing.T, s *sqstest.Server) (queue, dead string) {
	t.Helper()
	dead = create(t, s, sqstest.Config{Name: "dead.fifo"})
	queue = create(t, s, sqstest.Config{Name: "queue.fifo", MaxReceives: maxReceives, DeadLetters: "dead.fifo", Visibility: 90 * time.Second, DedupByGroup: true})
	return queue, dead
}

func create(t *testing.T, s *sqstest.Server, c sqstest.Config) string {
	t.Helper()
	url, err := s.CreateQueue(c)
	if err != nil {
		t.Fatal(err)
	}
	return url
}

func envelope(group string, n int) pipeline.Envelope {
	return pipeline.Envelope{Group: group, DedupID: fmt.Sprintf("%s-%d", group, n), Body: fmt.Appendf(nil, `{"n":%d}`, n)}
}
