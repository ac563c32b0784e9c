package slacksocket

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	slackgo "github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"

	"parley/pkg/pipeline"
	"parley/pkg/slack"
)

// envelope is one delivery and what it means.
type envelope struct {
	id       string
	parsed   pipeline.Parsed
	response bool // Slack takes a response with the acknowledgement
}

// handle acts on one of slack-go's events.
func (r *Receiver) handle(ctx context.Context, ev socketmode.Event) {
	switch data := ev.Data.(type) {
	case *socketmode.ErrorBadMessage:
		// slack-go decodes the whole payload and gives up over one unknown
		// element. Ours is still there, raw.
		var request socketmode.Request
		if err := json.Unmarshal(data.Message, &request); err != nil {
			r.cfg.Log.Warn("slack sent what is no envelope", "err", err)
			return
		}
		r.receive(ctx, &request)
		return
	case *slackgo.ConnectingEvent:
		r.disconnected(nil)
		return
	case *socketmode.ConnectedEvent:
		r.connected()
		return
	case *slackgo.ConnectionErrorEvent:
		r.failed(data.ErrorObj)
		return
	case *socketmode.ErrorWriteFailed:
		r.cfg.Log.Warn("acknowledgement not written; slack will redeliver", "err", data.Cause)
		return
	}
	switch ev.Type {
	case socketmode.EventTypeHello:
		r.cfg.Log.Info("slack says hello", "connections", ev.Request.NumConnections)
	case socketmode.EventTypeEventsAPI, socketmode.EventTypeInteractive, socketmode.EventTypeSlashCommand:
		r.receive(ctx, ev.Request)
	}
}

// receive finds out what an envelope means and hands it to its lane.
func (r *Receiver) receive(ctx context.Context, request *socketmode.Request) {
	if request.EnvelopeID == "" {
		r.cfg.Log.Warn("slack sent an envelope without an id", "type", request.Type)
		return
	}
	parsed, err := r.cfg.Parser.ParsePayload(slack.PayloadKind(request.Type), request.Payload, time.Now())
	if err != nil {
		// It will never parse: it is acknowledged so that it does not come again.
		r.cfg.Log.Warn("malformed", "type", request.Type, "err", err)
		if r.cfg.Metrics != nil {
			r.cfg.Metrics.Measure(pipeline.MetricMalformed, 1, "path", request.Type)
		}
		parsed = pipeline.Parsed{}
	}
	parsed.Retry = max(request.RetryAttempt, 0)
	lane := request.EnvelopeID
	if len(parsed.Messages) > 0 {
		lane = parsed.Messages[0].Conversation.Key()
	}
	r.lanes.put(ctx, lane, envelope{request.EnvelopeID, parsed, request.AcceptsResponsePayload})
}

// accept makes what e says durable, and only then acknowledges it.
func (r *Receiver) accept(ctx context.Context, e envelope) {
	ctx, cancel := context.WithTimeout(ctx, acceptTimeout)
	defer cancel()
	if err := r.cfg.Accept(ctx, e.parsed); err != nil {
		r.cfg.Log.Error("not durable; slack will redeliver", "err", err)
		return
	}
	var payload any // an empty acknowledgement
	body := e.parsed.Response.Body
	if e.response && json.Valid(body) && len(body) < ackLimit/2 {
		payload = json.RawMessage(body)
	}
	r.queued.Add(1)
	if err := r.client.AckCtx(ctx, e.id, payload); err != nil {
		r.queued.Add(-1)
		r.cfg.Log.Warn("not acknowledged; slack will redeliver", "err", err)
	}
}

func (r *Receiver) connected() {
	r.pace.connected(time.Now())
	r.mu.Lock()
	r.status.Connected, r.status.Since, r.status.Err = true, time.Now(), ""
	r.status.Connections++
	n := r.status.Connections
	r.mu.Unlock()
	r.cfg.Log.Info("connected to slack", "connection", n)
}

// disconnected notes that there is no connection, and why if that is known.
func (r *Receiver) disconnected(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.status.Connected {
		r.status.Connected, r.status.Since = false, time.Now()
	}
	if err != nil {
		r.status.Err = refusal(err).Error()
	}
}

// failed ends slack-go's own wait after a failed attempt to connect; the pacer
// delays the next one.
func (r *Receiver) failed(err error) {
	if busy := (*slackgo.RateLimitedError)(nil); errors.As(err, &busy) {
		r.pace.notBefore(time.Now().Add(busy.RetryAfter))
	}
	r.disconnected(err)
	r.cfg.Log.Warn("not connected to slack; trying again", "err", refusal(err))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.giveUp()
}

func refusal(err error) error { return fmt.Errorf("connect to slack: %w", err) }
