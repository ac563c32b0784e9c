package pipeline

import (
	"context"
	"fmt"
	"time"
)

// A question that kills the process takes along what the process was doing
// besides. Those others are retried side by side with it, and without more ado
// they would be counted out with it: three crashes, three apologies. So a question
// that was under way at two crashes in a row is a suspect, and suspects are tried
// one at a time: the innocent ones come through, and the guilty one dies alone.
// Where a process serves one question at a time, as on Lambda, there is never a
// second suspect to wait for.

// suspectAfter is how many crashes in a row make a suspect.
const suspectAfter = 2

// Lane lets one question pass at a time. It is shared by all that answer questions
// in one process.
type Lane struct{ token chan struct{} }

// NewLane returns a free lane.
func NewLane() *Lane { return &Lane{make(chan struct{}, 1)} }

// suspect waits, if the question of d is a suspect, until no other one is being
// tried. leave must be called once the attempt is over.
func (w *Worker) suspect(ctx context.Context, d Delivery, id string) (leave func(), err error) {
	leave = func() {}
	if w.Suspects == nil || d.Receives <= suspectAfter {
		return leave, nil // nobody to wait for, or not redelivered often enough
	}
	k, err := w.Cases.LoadCase(ctx, id)
	if err != nil {
		return leave, fmt.Errorf("look for crashes: %w", err)
	}
	if k.State != CaseWorking || k.Unsettled < suspectAfter {
		return leave, nil
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		select {
		case w.Suspects.token <- struct{}{}:
			return func() { <-w.Suspects.token }, nil
		case <-ctx.Done():
			return leave, context.Cause(ctx)
		case <-beat.C:
			if err := w.Visibility.Extend(ctx, d, hidden); err != nil {
				return leave, fmt.Errorf("wait for another suspect: %w", err)
			}
		}
	}
}
