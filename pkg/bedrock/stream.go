package bedrock

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/types"

	"parley/pkg/pipeline"
)

// metadataWait is how long a complete answer waits for its usage. The service sends
// it right after messageStop; an answer is not lost for it.
const metadataWait = 5 * time.Second

// call is one ConverseStream under way.
type call struct {
	model   string
	prompt  pipeline.Prompt
	out     *speaker
	heard   *listener
	silence watchdog
	idle    time.Duration
}

// once makes one call and says what it streams. It returns nil when the last delta
// was said, and the cause when ctx ended.
func (m *Model) once(ctx context.Context, modelID string, p pipeline.Prompt, s *speaker) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c := &call{
		model: modelID, prompt: p, out: s, idle: m.config.EventIdle,
		heard:   newListener(len(p.Passages)),
		silence: watchdog{cancel: cancel},
	}
	c.silence.start(m.config.FirstEvent)
	defer c.silence.stop()

	response, err := m.client.ConverseStream(ctx, m.request(modelID, p), m.options)
	if err != nil {
		return c.failure(ctx, err)
	}
	stream := response.GetStream()
	defer stream.Close() // its error is Err's, which was read or matters no more
	for {
		whole, err := c.next(ctx, stream)
		if err != nil {
			return err
		}
		if whole {
			return c.conclude()
		}
	}
}

// next takes one event from the stream; whole is true once the message is complete.
func (c *call) next(ctx context.Context, stream *bedrockruntime.ConverseStreamEventStream) (whole bool, err error) {
	select {
	case <-ctx.Done():
		cause := context.Cause(ctx)
		if c.heard.stop != "" && errors.Is(cause, errSilent) {
			return true, nil
		}
		return false, cause
	case event, open := <-stream.Events():
		if !open {
			return c.closed(ctx, stream.Err())
		}
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		c.silence.stop()
		if err := c.say(c.heard.hear(event)); err != nil {
			return false, err
		}
		if c.heard.stop != "" {
			c.silence.start(metadataWait)
			return c.heard.measured, nil
		}
		c.silence.start(c.idle)
		return false, nil
	}
}

// closed tells what the end of the stream means. A body that ends cleanly without
// messageStop is no error to the SDK, but the answer is not whole.
func (c *call) closed(ctx context.Context, err error) (bool, error) {
	switch {
	case ctx.Err() != nil:
		return false, context.Cause(ctx)
	case c.heard.stop != "":
		return true, nil
	case err != nil:
		return false, c.failure(ctx, err)
	}
	return false, pipeline.Transient(pipeline.ReasonModel, fmt.Errorf("converse %s: %w", c.model, errNoStop))
}

// failure is the error to report for err: the cause if ctx ended, which is also how
// a silent call ends.
func (c *call) failure(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return classify(pipeline.ReasonModel, "converse", c.model, err)
}

func (c *call) say(deltas []pipeline.Delta) error {
	for _, d := range deltas {
		if err := c.out.say(d); err != nil {
			return err
		}
	}
	return nil
}

// conclude says the last delta, or returns why the message is not an answer.
func (c *call) conclude() error {
	if err := c.say(c.heard.flush()); err != nil {
		return err
	}
	stop, err := stopReason(c.heard.stop, c.out.spoken)
	if err != nil {
		return fmt.Errorf("converse %s: %w", c.model, err)
	}
	return c.out.say(pipeline.Delta{Stop: stop, Usage: c.heard.used(c.prompt), Model: c.model})
}

// stopReason translates why the model ended. Reasons that a model may invent later
// count as an end, if there is an answer.
func stopReason(reason types.StopReason, spoken bool) (pipeline.StopReason, error) {
	stopped := fmt.Errorf("stop reason %s", reason)
	switch reason {
	case types.StopReasonMalformedModelOutput, types.StopReasonMalformedToolUse,
		types.StopReasonToolUse: // no tools were offered
		return "", pipeline.Transient(pipeline.ReasonModel, stopped)
	case types.StopReasonGuardrailIntervened, types.StopReasonContentFiltered:
		if !spoken {
			return "", pipeline.Permanent(pipeline.ReasonRefused, stopped)
		}
		return pipeline.StopIntervened, nil
	case types.StopReasonModelContextWindowExceeded:
		if !spoken {
			return "", pipeline.Permanent(pipeline.ReasonTooLong, stopped)
		}
		return pipeline.StopLength, nil
	}
	switch {
	case !spoken:
		return "", pipeline.Transient(pipeline.ReasonModel, fmt.Errorf("%w: %w", errNothing, stopped))
	case reason == types.StopReasonMaxTokens:
		return pipeline.StopLength, nil
	}
	return pipeline.StopEnd, nil
}

// watchdog cancels a call that is silent for too long.
type watchdog struct {
	cancel context.CancelCauseFunc
	timer  *time.Timer
}

func (w *watchdog) start(d time.Duration) {
	w.timer = time.AfterFunc(d, func() {
		w.cancel(pipeline.Transient(pipeline.ReasonModel, fmt.Errorf("%w for %v", errSilent, d)))
	})
}

func (w *watchdog) stop() { w.timer.Stop() }
