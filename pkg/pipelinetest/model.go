package pipelinetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley/pkg/pipeline"
)

// ModelUnderTest is a model and the questions that make it behave. The cleanup
// that its constructor registers must end everything the constructor started, so
// that the suite can tell what the model itself left behind.
type ModelUnderTest struct {
	Model pipeline.Model
	// Answered is a question that is answered in full.
	Answered string
	// Endless is one whose answer begins and does not end by itself for at least
	// a minute.
	Endless string
	// Fails is one that ends in a classified error.
	Fails string
}

// promptly is how long a model may take to notice that it was cancelled. It is
// generous because test machines are shared; a model that waits for its next
// event instead of its context misses it by far.
const promptly = 5 * time.Second

// TestModel checks that a model keeps the contract of pipeline.Model: a stream
// ends with one stop or one classified error, cancellation is prompt and tells its
// cause, streams do not disturb each other, and a consumer that walks away leaves
// nothing running.
func TestModel(t *testing.T, newModel func(t *testing.T) ModelUnderTest) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, m ModelUnderTest)
	}{
		{"answer", testAnswer},
		{"error", testError},
		{"awkward history", testAwkwardHistory},
		{"cancelled before", testCancelledBefore},
		{"cancelled during", testCancelledDuring},
		{"deadline", testDeadline},
		{"consumer leaves", testConsumerLeaves},
		{"concurrent", testConcurrent},
	} {
		t.Run(test.name, func(t *testing.T) {
			running := goleak.IgnoreCurrent()
			// Registered first, so it runs after the model's own cleanup.
			t.Cleanup(func() { goleak.VerifyNone(t, running) })
			test.run(t, newModel(t))
		})
	}
}

// Collect drains the stream for p, and returns the joined text, the deltas and the
// error that ended it.
func Collect(ctx context.Context, m pipeline.Model, p pipeline.Prompt) (string, []pipeline.Delta, error) {
	var text strings.Builder
	var deltas []pipeline.Delta
	for d, err := range m.Stream(ctx, p) {
		if err != nil {
			return text.String(), deltas, err
		}
		text.WriteString(d.Text)
		deltas = append(deltas, d)
	}
	return text.String(), deltas, nil
}

// wellEnded returns what is wrong with the end of a stream that gave no error.
func wellEnded(text string, deltas []pipeline.Delta) error {
	if strings.TrimSpace(text) == "" {
		return errors.New("the answer is empty")
	}
	for i, d := range deltas {
		last := i == len(deltas)-1
		switch {
		case last && d.Stop == "":
			return errors.New("the last delta has no stop reason")
		case last && d.Usage.Total() == 0:
			return errors.New("the last delta has no usage")
		case last && d.Model == "":
			return errors.New("the last delta does not name the model")
		case !last && d.Stop != "":
			return fmt.Errorf("delta %d of %d has stop reason %q", i+1, len(deltas), d.Stop)
		case !last && d.Usage.Total() != 0:
			return fmt.Errorf("delta %d of %d has usage: it would be counted twice", i+1, len(deltas))
		}
	}
	return nil
}

func testAnswer(t *testing.T, m ModelUnderTest) {
	text, deltas, err := Collect(t.Context(), m.Model, pipeline.Prompt{MessageID: "m1", Question: m.Answered})
	if err == nil {
		err = wellEnded(text, deltas)
	}
	if err != nil {
		t.Error(err)
	}
}

func testError(t *testing.T, m ModelUnderTest) {
	var failure error
	for d, err := range m.Model.Stream(t.Context(), pipeline.Prompt{MessageID: "m1", Question: m.Fails}) {
		switch {
		case failure != nil:
			t.Fatalf("after the error came %+v, %v", d, err)
		case d.Stop != "":
			t.Fatalf("a failing stream stopped with %q", d.Stop)
		}
		failure = err
	}
	var e *pipeline.Error
	if !errors.As(failure, &e) {
		t.Fatalf("error %v is not classified", failure)
	}
	if e.Reason == "" {
		t.Errorf("error %v has no reason", e)
	}
}

// testAwkwardHistory sends what memory really holds: stopped turns with no answer,
// attachments without a word, and repeated questions.
func testAwkwardHistory(t *testing.T, m ModelUnderTest) {
	text, deltas, err := Collect(t.Context(), m.Model, pipeline.Prompt{
		MessageID: "m1",
		System:    "Be brief.",
		History: []pipeline.Exchange{
			{Question: "first", Answer: ""},
			{Question: "", Answer: "an answer to nothing"},
			{Question: " \n", Answer: "\t"},
			{Question: "first", Answer: "yes"},
		},
		Context:  "Ada: shall we?\nBob: we shall.",
		Question: m.Answered,
	})
	if err == nil {
		err = wellEnded(text, deltas)
	}
	if err != nil {
		t.Error(err)
	}
}

var errWhy = errors.New("the person pressed stop")

func testCancelledBefore(t *testing.T, m ModelUnderTest) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errWhy)
	text, _, err := Collect(ctx, m.Model, pipeline.Prompt{MessageID: "m1", Question: m.Answered})
	if !errors.Is(err, errWhy) || text != "" {
		t.Errorf("got %q, %v; want the cause and no text", text, err)
	}
}

func testCancelledDuring(t *testing.T, m ModelUnderTest) {
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	var at time.Time
	var last error
	for d, err := range m.Model.Stream(ctx, pipeline.Prompt{MessageID: "m1", Question: m.Endless}) {
		if d.Stop != "" {
			t.Fatalf("the endless answer stopped with %q", d.Stop)
		}
		if at.IsZero() && d.Text != "" {
			at = time.Now()
			cancel(errWhy)
		}
		last = err
	}
	if !errors.Is(last, errWhy) {
		t.Errorf("stream ended with %v, want the cause", last)
	}
	if took := time.Since(at); took > promptly {
		t.Errorf("cancellation took %v", took)
	}
}

func testDeadline(t *testing.T, m ModelUnderTest) {
	ctx, cancel := context.WithTimeoutCause(t.Context(), 200*time.Millisecond, errWhy)
	defer cancel()
	_, _, err := Collect(ctx, m.Model, pipeline.Prompt{MessageID: "m1", Question: m.Endless})
	if !errors.Is(err, errWhy) {
		t.Errorf("stream ended with %v, want the deadline's cause", err)
	}
}

func testConsumerLeaves(t *testing.T, m ModelUnderTest) {
	for d, err := range m.Model.Stream(t.Context(), pipeline.Prompt{MessageID: "m1", Question: m.Endless}) {
		if err != nil {
			t.Fatal(err)
		}
		if d.Text != "" {
			break
		}
	}
	// The goroutine check of TestModel does the rest.
}

func testConcurrent(t *testing.T, m ModelUnderTest) {
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			id := fmt.Sprintf("m%d", i)
			text, deltas, err := Collect(t.Context(), m.Model, pipeline.Prompt{MessageID: id, Question: m.Answered})
			if err == nil {
				err = wellEnded(text, deltas)
			}
			if err != nil {
				t.Errorf("stream %d: %v", i, err)
			}
		})
	}
	wg.Wait()
}
