package dingstream

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"time"

	"parley/pkg/pipeline"
)

// How long what arrived is tried to be made durable.
const (
	acceptLimit = 20 * time.Second // then it is given up, unacknowledged
	acceptTry   = 3 * time.Second  // one try
	lostLimit   = 5 * time.Second  // for telling the person
)

// DrainLimit is how long Run may take to return after its context ends: what is
// being made durable, and the farewell.
const DrainLimit = acceptLimit + acceptTry + lostLimit + writeWait

// receive decodes a frame and hands it on in its conversation's order.
func (l *link) receive(ctx context.Context, f frame, topic string) {
	decode := l.r.cfg.Parser.Message
	if topic == topicCard {
		decode = l.r.cfg.Parser.Card
	}
	p, err := decode([]byte(f.data()), time.Now())
	if err != nil {
		// It would be no better when sent again.
		l.r.cfg.Log.Warn("frame refused", "topic", topic, "err", err)
		l.r.measure(metricOf(err), "path", topic)
		l.answer(f.ack(http.StatusOK, noResponse))
		return
	}
	lane := ""
	if len(p.Messages) > 0 {
		lane = p.Messages[0].Conversation.Group()
	}
	l.pending.Add(1)
	ok := l.r.lanes.submit(lane, func() {
		defer l.pending.Done()
		if l.r.deliver(ctx, p) {
			l.answer(f.ack(http.StatusOK, response(topic, p)))
		}
	})
	if !ok { // too much at once: DingTalk sends it again
		l.pending.Done()
		l.r.cfg.Log.Warn("frame left for later", "topic", topic)
	}
}

func metricOf(err error) string {
	if errors.Is(err, pipeline.ErrUnauthorized) {
		return pipeline.MetricRefused
	}
	return pipeline.MetricMalformed
}

// response is the data of the acknowledgement: for a press, the change of the
// card.
func response(topic string, p pipeline.Parsed) string {
	if topic != topicCard || len(p.Response.Body) == 0 {
		return noResponse
	}
	return `{"response":` + string(p.Response.Body) + `}`
}

// deliver makes p durable and reports whether it is. The end of ctx does not
// interrupt it, but bounds what everything under way may still take together.
func (r *Receiver) deliver(ctx context.Context, p pipeline.Parsed) bool {
	limit := time.Now().Add(acceptLimit)
	drain := context.AfterFunc(ctx, func() { r.drainBy.CompareAndSwap(nil, new(time.Now().Add(acceptLimit))) })
	defer drain()
	ctx = context.WithoutCancel(ctx)
	wait := 200 * time.Millisecond
	for try := 1; ; try++ {
		err := errDrained
		if !r.drained(time.Now()) {
			err = r.accept(ctx, p)
		}
		if err == nil {
			return true
		}
		pause := time.Duration(float64(wait) * (0.8 + 0.4*rand.Float64()))
		r.cfg.Log.Warn("not durable", "attempt", try, "err", err)
		if next := time.Now().Add(pause); next.After(limit) || r.drained(next) {
			r.lost(ctx, p, err)
			return false
		}
		time.Sleep(pause)
		wait = min(2*wait, 2*time.Second)
	}
}

var errDrained = errors.New("the process is ending")

// drained reports whether at is after the time left to a process that ends.
func (r *Receiver) drained(at time.Time) bool {
	by := r.drainBy.Load()
	return by != nil && at.After(*by)
}

// accept is one try. A panic is an error.
func (r *Receiver) accept(ctx context.Context, p pipeline.Parsed) (err error) {
	defer r.recovered(&err)
	ctx, cancel := context.WithTimeoutCause(ctx, acceptTry, errors.New("the queue took too long"))
	defer cancel()
	return r.cfg.Accept(ctx, p)
}

// lost tells whoever can tell the person.
func (r *Receiver) lost(ctx context.Context, p pipeline.Parsed, cause error) {
	for _, m := range p.Messages {
		r.cfg.Log.Error("given up", "msg_id", m.ID, "err", cause)
	}
	if r.cfg.Lost == nil || errors.Is(cause, errDrained) {
		return
	}
	var err error
	defer r.recovered(&err)
	ctx, cancel := context.WithTimeout(ctx, lostLimit)
	defer cancel()
	r.cfg.Lost(ctx, p, cause)
}

func (r *Receiver) recovered(err *error) {
	if p := recover(); p != nil {
		r.cfg.Log.Error("panic", "value", fmt.Sprint(p), "stack", string(debug.Stack()))
		*err = pipeline.Transient(pipeline.ReasonCrash, errors.New("panic while queueing"))
	}
}

func (r *Receiver) measure(name string, labels ...string) {
	if r.cfg.Metrics != nil {
		r.cfg.Metrics.Measure(name, 1, labels...)
	}
}
