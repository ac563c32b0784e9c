package pipeline

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"
)

// Pump drives a stage from a queue on one machine, as Lambda's event source
// mapping does on AWS: bounded concurrency, one batch of a group at a time,
// settlement by acknowledging or by visibility.
type Pump struct {
	Name    string
	Queue   Queue
	Handler Handler
	Workers int           // batches handled at once
	Batch   int           // deliveries in a batch, at most
	Hidden  time.Duration // visibility of a receive
	Grace   time.Duration // for handlers to finish after a stop; then they are cancelled
	Log     *slog.Logger
}

// Run receives until ctx ends, then lets running handlers finish: Grace long as
// they are, then cancelled with a cause that stages take for a stop and not for a
// failure. It returns when none is running any more.
func (p *Pump) Run(ctx context.Context) {
	handling, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	var running sync.WaitGroup
	slots := make(chan struct{}, p.Workers)
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
			continue
		case slots <- struct{}{}:
		}
		batch := p.receive(ctx)
		if len(batch) == 0 {
			<-slots
			continue
		}
		running.Go(func() {
			defer func() { <-slots }()
			p.settle(handling, batch, p.handle(handling, batch))
		})
	}
	p.drain(&running, cancel)
}

// receive waits for a batch. A queue that fails is asked again after a second.
func (p *Pump) receive(ctx context.Context) []Delivery {
	batch, err := p.Queue.Receive(ctx, p.Batch, 20*time.Second, p.Hidden)
	if err == nil || ctx.Err() != nil {
		return batch
	}
	p.Log.ErrorContext(ctx, "receive", "queue", p.Name, "err", err)
	select {
	case <-ctx.Done():
	case <-time.After(time.Second):
	}
	return nil
}

// handle runs the stage; a panic gives the whole batch back.
func (p *Pump) handle(ctx context.Context, batch []Delivery) (settled []Settlement) {
	defer func() {
		if v := recover(); v != nil {
			p.Log.ErrorContext(ctx, "panic", "queue", p.Name, "value", fmt.Sprint(v), "stack", string(debug.Stack()))
			settled = make([]Settlement, len(batch))
			for i := range settled {
				settled[i] = Settlement{Action: Retry, After: 5 * time.Second}
			}
		}
	}()
	return p.Handler(ctx, batch)
}

// settle carries the stage's decisions out. What fails here is redelivered, and
// the stages absorb that.
func (p *Pump) settle(ctx context.Context, batch []Delivery, settled []Settlement) {
	ctx = context.WithoutCancel(ctx)
	for i, d := range batch {
		var err error
		if settled[i].Action == Ack {
			err = p.Queue.Delete(ctx, d)
		} else {
			err = p.Queue.Extend(ctx, d, settled[i].After)
		}
		if err != nil {
			p.Log.WarnContext(ctx, "settle", "queue", p.Name, "err", err)
		}
	}
}

// drain waits for the handlers, softly, then hard.
func (p *Pump) drain(running *sync.WaitGroup, cancel context.CancelCauseFunc) {
	done := make(chan struct{})
	go func() { running.Wait(); close(done) }()
	select {
	case <-done:
		return
	case <-time.After(p.Grace):
	}
	cancel(errShutdown)
	<-done
}
