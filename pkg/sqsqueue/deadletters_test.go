package sqsqueue_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"parley/pkg/pipeline"
	"parley/pkg/sqsqueue"
	"parley/pkg/sqsqueue/sqstest"
)

// letters is a dead-letter queue at work.
type letters struct {
	*testing.T
	server *sqstest.Server
	queue  *sqsqueue.Queue
	dead   *sqsqueue.DeadLetters
}

func testLetters(t *testing.T, run func(letters)) {
	synctest.Test(t, func(t *testing.T) {
		s := sqstest.New()
		_, dead := pair(t, s)
		run(letters{t, s, sqsqueue.New(s.Client(), dead), sqsqueue.NewDeadLetters(s.Client(), dead)})
	})
}

func (l letters) bury(group string, n int) {
	l.Helper()
	for i := range n {
		if err := l.queue.Send(l.Context(), envelope(group, i)); err != nil {
			l.Fatal(err)
		}
	}
}

func (l letters) list() ([]pipeline.Delivery, bool) {
	l.Helper()
	ds, complete, err := l.dead.Letters(l.Context())
	if err != nil {
		l.Fatal(err)
	}
	return ds, complete
}

func (l letters) wantVisible(n int) {
	l.Helper()
	if d, err := l.queue.Depth(l.Context()); err != nil || d.Visible != n || d.InFlight != 0 {
		l.Errorf("Depth = %+v, %v; want %d visible and none hidden", d, err, n)
	}
}

// A group longer than one receive hides its rest, and Letters says so.
func TestLettersAdmitWhatTheyCannotSee(t *testing.T) {
	testLetters(t, func(l letters) {
		l.bury("busy", 14)
		l.bury("quiet", 1)
		ds, complete := l.list()
		if complete || len(ds) < 11 {
			t.Errorf("%d letters, complete %v; want at least 11 of 15, and incomplete", len(ds), complete)
		}
		l.wantVisible(15)
	})
}

// What somebody else holds is not seen, and Letters says so.
func TestLettersHeldElsewhere(t *testing.T) {
	testLetters(t, func(l letters) {
		l.bury("a", 1)
		l.bury("b", 1)
		held, err := l.queue.Receive(l.Context(), 1, 0, 10*time.Minute)
		if err != nil || len(held) != 1 {
			t.Fatal(err)
		}
		if ds, complete := l.list(); complete || len(ds) != 1 {
			t.Errorf("%d letters, complete %v; want one, incomplete", len(ds), complete)
		}
		err = l.dead.Remove(l.Context(), held[0])
		if !errors.Is(err, sqsqueue.ErrHidden) {
			t.Errorf("Remove of a letter held elsewhere: %v, want ErrHidden", err)
		}
	})
}

func TestRemoveReachesBehindOthers(t *testing.T) {
	testLetters(t, func(l letters) {
		l.bury("g", 6)
		ds, _ := l.list()
		if err := l.dead.Remove(l.Context(), ds[4]); err != nil {
			t.Fatal(err)
		}
		l.wantVisible(5)
		left, complete := l.list()
		if !complete || len(left) != 5 || left[4].ID != ds[5].ID {
			t.Errorf("after removing the fifth: %d left, complete %v", len(left), complete)
		}
	})
}

// An interrupted or failed listing gives back what it held.
func TestLettersGiveBackAlways(t *testing.T) {
	testLetters(t, func(l letters) {
		l.bury("g", 1)
		ctx, cancel := context.WithCancel(l.Context())
		receives := 0
		l.server.Inject(func(action string) sqstest.Fault {
			if action == "ReceiveMessage" {
				if receives++; receives == 2 {
					cancel()
				}
			}
			return sqstest.Fault{}
		})
		if _, _, err := l.dead.Letters(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Letters: %v, want context.Canceled", err)
		}
		l.wantVisible(1)
		l.server.Inject(func(action string) sqstest.Fault {
			if action == "GetQueueAttributes" {
				return sqstest.Fault{Status: 400, Code: "AccessDenied"}
			}
			return sqstest.Fault{}
		})
		if _, _, err := l.dead.Letters(l.Context()); err == nil {
			t.Error("Letters without the right to count succeeded")
		}
		l.server.Inject(nil)
		l.wantVisible(1)
	})
}

// A queue too long for one look is listed in part, within the look's own hold.
func TestLettersAreBounded(t *testing.T) {
	testLetters(t, func(l letters) {
		for i := range 2100 {
			l.bury(fmt.Sprint(i), 1)
		}
		start := time.Now()
		ds, complete := l.list()
		if complete || len(ds) < 1000 || time.Since(start) > time.Minute {
			t.Errorf("%d letters, complete %v, after %v", len(ds), complete, time.Since(start))
		}
		l.wantVisible(2100)
	})
}

// A console redrive gives letters of the queue's own moving back under new ids,
// and refuses those that were buried by a stage.
func TestMoveTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sqstest.New()
		url, deadURL := pair(t, s)
		q, client := sqsqueue.New(s.Client(), url), s.Client()
		if err := q.Send(t.Context(), envelope("g", 1)); err != nil {
			t.Fatal(err)
		}
		var id string
		for range maxReceives {
			ds, err := q.Receive(t.Context(), 1, time.Second, time.Second)
			if err != nil || len(ds) != 1 {
				t.Fatalf("Receive = %d, %v", len(ds), err)
			}
			id = ds[0].ID
			time.Sleep(2 * time.Second)
		}
		if ds, err := q.Receive(t.Context(), 1, time.Second, time.Second); err != nil || len(ds) != 0 {
			t.Fatalf("Receive after the maximum = %d, %v", len(ds), err)
		}
		source := "arn:aws:sqs:us-east-1:000000000000:dead.fifo"
		if _, err := client.StartMessageMoveTask(t.Context(), &sqs.StartMessageMoveTaskInput{SourceArn: &source}); err != nil {
			t.Fatal(err)
		}
		ds, err := q.Receive(t.Context(), 1, time.Second, time.Minute)
		if err != nil || len(ds) != 1 || ds[0].ID == id || ds[0].DedupID == "g-1" || ds[0].Receives != 1 {
			t.Fatalf("after the redrive: %+v, %v; want a new message with new ids", ds, err)
		}

		if err := sqsqueue.New(client, deadURL).Send(t.Context(), envelope("g", 2)); err != nil {
			t.Fatal(err)
		}
		if _, err := client.StartMessageMoveTask(t.Context(), &sqs.StartMessageMoveTaskInput{SourceArn: &source}); err != nil {
			t.Fatal(err)
		}
		tasks, err := client.ListMessageMoveTasks(t.Context(), &sqs.ListMessageMoveTasksInput{SourceArn: &source})
		if err != nil || len(tasks.Results) != 2 || *tasks.Results[0].Status != "FAILED" || *tasks.Results[1].Status != "COMPLETED" {
			t.Errorf("tasks = %+v, %v; want a failed one before a completed one", tasks, err)
		}
	})
}
