package bedrock

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/schemas"
	"github.com/aws/smithy-go/transport/http/protocol/restjson1"

	"parley/pkg/pipeline"
)

// ModelConfig says how to call a model. Only ModelID is required.
type ModelConfig struct {
	// ModelID is a base model, an inference profile, or an ARN of either.
	ModelID string
	// FallbackModelID answers when ModelID is throttled, unavailable, not ready or
	// not found, and has not said anything yet. "" is none.
	FallbackModelID string
	// MaxTokens bounds an answer; 4096 if zero. It is always sent, because it is
	// reserved from the account's quota while the call runs.
	MaxTokens int
	// Temperature is not sent if nil: newer models refuse sampling parameters.
	Temperature *float32
	// GuardrailID and GuardrailVersion go together.
	GuardrailID, GuardrailVersion string
	// CachePrompt marks the system prompt and the history for the prompt cache.
	CachePrompt bool
	// AdditionalFields are passed to the model as they are, such as its own
	// settings for thinking.
	AdditionalFields map[string]any
	// Capabilities is for ids that hide the model, such as application inference
	// profiles; nil looks the id up.
	Capabilities *Capabilities
	// FirstEvent is the longest wait for an answer to begin, all attempts of the
	// SDK included; 90 s if zero. EventIdle is the longest silence after that; 60 s
	// if zero. Time the consumer takes does not count.
	FirstEvent, EventIdle time.Duration
	// Log is told when the fallback or a shorter history was needed; nil is
	// slog.Default.
	Log *slog.Logger
}

// Model answers with a model on Amazon Bedrock. It is safe for concurrent use.
type Model struct {
	client *bedrockruntime.Client
	config ModelConfig
	retry  aws.Retryer
}

// sdkAttempts is low because the queue retries too, and layers multiply.
const sdkAttempts = 2

// NewModel returns a model that calls client. It fails with a sentence that names
// the setting which makes no sense.
func NewModel(client *bedrockruntime.Client, c ModelConfig) (*Model, error) {
	switch {
	case c.ModelID == "":
		return nil, errors.New("bedrock model: the model id is empty")
	case (c.GuardrailID == "") != (c.GuardrailVersion == ""):
		return nil, errors.New("bedrock model: a guardrail needs both an id and a version")
	case c.MaxTokens < 0:
		return nil, fmt.Errorf("bedrock model: max tokens is %d", c.MaxTokens)
	}
	c.MaxTokens = cmp.Or(c.MaxTokens, 4096)
	c.FirstEvent = cmp.Or(c.FirstEvent, 90*time.Second)
	c.EventIdle = cmp.Or(c.EventIdle, 60*time.Second)
	c.Log = cmp.Or(c.Log, slog.Default())
	return &Model{client: client, config: c, retry: newRetryer()}, nil
}

// newRetryer is how every client of this package repeats a request.
func newRetryer() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = sdkAttempts
		// 429 and 424 to the service; the SDK does not know that they pass.
		o.Retryables = append(o.Retryables, retry.RetryableErrorCode{
			Codes: map[string]struct{}{"ModelNotReadyException": {}, "DependencyFailedException": {}},
		})
	})
}

// options makes a client fit for streams beside each other. The SDK gives all calls
// of a client one codec, whose buffers the goroutines of concurrent streams would
// share without a lock (smithy-go, internal/eventstream/codec.go); so each call gets
// its own.
func (m *Model) options(o *bedrockruntime.Options) {
	o.Retryer = m.retry
	o.Protocol = restjson1.New(schemas.AmazonBedrockFrontendService)
}

func (m *Model) capabilities(modelID string) Capabilities {
	if m.config.Capabilities != nil && modelID == m.config.ModelID {
		return *m.config.Capabilities
	}
	can, _ := CapabilitiesOf(modelID)
	return can
}

// Stream implements pipeline.Model. A call that fails before it said anything may be
// repeated within it: once with the newer half of the history if the prompt is too
// long, and once with the fallback model.
func (m *Model) Stream(ctx context.Context, p pipeline.Prompt) iter.Seq2[pipeline.Delta, error] {
	return func(yield func(pipeline.Delta, error) bool) {
		s := &speaker{yield: yield}
		err := m.answer(ctx, p, s)
		if err != nil && !errors.Is(err, errLeft) {
			yield(pipeline.Delta{}, err)
		}
	}
}

// speaker passes deltas on, and knows whether anything was said.
type speaker struct {
	yield  func(pipeline.Delta, error) bool
	spoken bool
}

func (s *speaker) say(d pipeline.Delta) error {
	s.spoken = s.spoken || d.Text != ""
	if !s.yield(d, nil) {
		return errLeft
	}
	return nil
}

func (m *Model) answer(ctx context.Context, p pipeline.Prompt, s *speaker) error {
	modelID := cmp.Or(p.Model, m.config.ModelID)
	err := m.fit(ctx, modelID, p, s)
	fallback := m.config.FallbackModelID
	if err == nil || s.spoken || fallback == "" || fallback == modelID || !wantsFallback(err) {
		return err
	}
	m.config.Log.Warn("trying the fallback model", "model", modelID, "fallback", fallback, "err", err)
	return better(err, m.fit(ctx, fallback, p, s))
}

// fit calls a model, and once more with less history if the prompt is too long.
func (m *Model) fit(ctx context.Context, modelID string, p pipeline.Prompt, s *speaker) error {
	err := m.once(ctx, modelID, p, s)
	if err == nil || s.spoken || len(p.History) == 0 || pipeline.Classify(err).Reason != pipeline.ReasonTooLong {
		return err
	}
	m.config.Log.Info("leaving out the older half of the history", "model", modelID, "turns", len(p.History))
	p.History = newerHalf(p.History)
	return m.once(ctx, modelID, p, s)
}

// wantsFallback reports whether another model may do better where this one failed
// with err: it is busy, unavailable, or not there.
func wantsFallback(err error) bool {
	return pipeline.Classify(err).Throttled ||
		isCode(err, "ServiceUnavailableException") ||
		isCode(err, "ResourceNotFoundException")
}

// better chooses the error to report when both models failed: one that a retry may
// cure, if there is one.
func better(first, second error) error {
	if second == nil || errors.Is(second, errLeft) {
		return second
	}
	if pipeline.Classify(first).Permanent || !pipeline.Classify(second).Permanent {
		return second
	}
	return first
}
