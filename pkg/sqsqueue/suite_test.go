package sqsqueue_test

import (
	"fmt"
	"testing"
	"time"

	"parley/pkg/pipeline"
	"parley/pkg/pipelinetest"
	"parley/pkg/sqsqueue"
	"parley/pkg/sqsqueue/sqstest"
)

const maxReceives = 3

func TestContractsOnFake(t *testing.T) {
	f := pipelinetest.Features{Bubble: true, LongWaits: true, MaxReceives: maxReceives}
	pipelinetest.TestQueue(t, func(t *testing.T) pipelinetest.QueueUnderTest {
		s := sqstest.New()
		queue, dead := pair(t, s)
		return pipelinetest.QueueUnderTest{
			Queue: sqsqueue.New(s.Client(), queue),
			Dead:  sqsqueue.NewDeadLetters(s.Client(), dead),
		}
	}, f)
	pipelinetest.TestDeadLetters(t, func(t *testing.T) pipelinetest.DeadLettersUnderTest {
		s := sqstest.New()
		_, dead := pair(t, s)
		return pipelinetest.DeadLettersUnderTest{
			Outbox:  sqsqueue.New(s.Client(), dead),
			Letters: sqsqueue.NewDeadLetters(s.Client(), dead),
		}
	}, f)
}

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
