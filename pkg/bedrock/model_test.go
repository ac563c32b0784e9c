package bedrock_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"

	"parley/pkg/bedrock"
	"parley/pkg/bedrock/bedrocktest"
	"parley/pkg/pipeline"
	"parley/pkg/pipelinetest"
)

const (
	claude = "global.anthropic.claude-haiku-4-5-20251001-v1:0"
	nova   = "us.amazon.nova-pro-v1:0"
)

// behave makes the fake act on what the question says.
func behave(c bedrocktest.Call) *bedrocktest.Response {
	if c.Operation != bedrocktest.OpConverseStream {
		return nil
	}
	switch bedrocktest.LastText(c) {
	case "endless":
		return bedrocktest.Stream(bedrocktest.MessageStart(), bedrocktest.Text(0, "well"), bedrocktest.Hang())
	case "fails":
		return bedrocktest.Fail(403, "AccessDeniedException", "no")
	}
	return nil
}

func TestModel(t *testing.T) {
	pipelinetest.TestModel(t, func(t *testing.T) pipelinetest.ModelUnderTest {
		fake, aws := bedrocktest.Start(t)
		fake.Respond = behave
		m, err := bedrock.NewModel(bedrockruntime.NewFromConfig(aws), bedrock.ModelConfig{ModelID: claude})
		if err != nil {
			t.Fatal(err)
		}
		return pipelinetest.ModelUnderTest{Model: m, Answered: "hello there", Endless: "endless", Fails: "fails"}
	})
}

// rig is a model on a fake service. Within a bubble time is fake.
type rig struct {
	*bedrocktest.Server
	model *bedrock.Model
}

func newRig(t *testing.T, c bedrock.ModelConfig) rig {
	t.Helper()
	fake, aws := bedrocktest.StartInMemory(t)
	if c.ModelID == "" {
		c.ModelID = claude
	}
	c.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	m, err := bedrock.NewModel(bedrockruntime.NewFromConfig(aws), c)
	if err != nil {
		t.Fatal(err)
	}
	return rig{fake, m}
}

func (r rig) stream(responses ...*bedrocktest.Response) {
	r.Queue(bedrocktest.OpConverseStream, responses...)
}

func (r rig) ask(t *testing.T, p pipeline.Prompt) (string, pipeline.Delta, error) {
	if p.Question == "" {
		p.Question = "why?"
	}
	text, deltas, err := pipelinetest.Collect(t.Context(), r.model, p)
	if len(deltas) == 0 {
		return text, pipeline.Delta{}, err
	}
	return text, deltas[len(deltas)-1], err
}

// models returns the model ids that were called, in order.
func (r rig) models() string {
	var ids []string
	for _, c := range r.Calls(bedrocktest.OpConverseStream) {
		ids = append(ids, c.Model)
	}
	return strings.Join(ids, " ")
}

func TestErrorsAreClassified(t *testing.T) {
	throttled := pipeline.Error{Reason: pipeline.ReasonThrottled, Throttled: true}
	transient := pipeline.Error{Reason: pipeline.ReasonModel}
	config := pipeline.Error{Reason: pipeline.ReasonConfig, Permanent: true}
	long := pipeline.Error{Reason: pipeline.ReasonTooLong, Permanent: true}
	unreadable := pipeline.Error{Reason: pipeline.ReasonUnreadable, Permanent: true}
	for _, test := range []struct {
		name     string
		response *bedrocktest.Response
		want     pipeline.Error
		calls    int
	}{
		{"throttling", bedrocktest.Fail(429, "ThrottlingException", "slow down"), throttled, 2},
		{"not ready", bedrocktest.Fail(429, "ModelNotReadyException", "wait"), throttled, 2},
		{"unavailable", bedrocktest.Fail(503, "ServiceUnavailableException", "down"), transient, 2},
		{"internal", bedrocktest.Fail(500, "InternalServerException", "oops"), transient, 2},
		{"model timeout", bedrocktest.Fail(408, "ModelTimeoutException", "late"), transient, 1},
		{"model error", bedrocktest.Fail(424, "ModelErrorException", "bad"), transient, 1},
		{"stream error", bedrocktest.Fail(424, "ModelStreamErrorException", "bad"), transient, 1},
		{"validation", bedrocktest.Fail(400, "ValidationException", "temperature is deprecated"), config, 1},
		{"on demand", bedrocktest.Fail(400, "ValidationException", "on-demand throughput isn't supported"), config, 1},
		{"too long", bedrocktest.Fail(400, "ValidationException", "prompt is too long: 200049 tokens > 200000 maximum"), long, 1},
		{"too long, other words", bedrocktest.Fail(400, "ValidationException", "Input is too long for requested model."), long, 1},
		{"too long, nova", bedrocktest.Fail(400, "ValidationException", "Input Tokens Exceeded: Number of input tokens exceeds maximum length."), long, 1},
		{"bad image", bedrocktest.Fail(400, "ValidationException", "messages.0.content.0: Could not process image"), unreadable, 1},
		{"bad document", bedrocktest.Fail(400, "ValidationException", "The PDF specified was password protected."), unreadable, 1},
		{"denied", bedrocktest.Fail(403, "AccessDeniedException", "no"), config, 1},
		{"not found", bedrocktest.Fail(404, "ResourceNotFoundException", "end of its life"), config, 1},
		{"quota", bedrocktest.Fail(400, "ServiceQuotaExceededException", "no"), config, 1},
		{"in-stream throttling", bedrocktest.Stream(bedrocktest.MessageStart(), bedrocktest.Exception("throttlingException", "slow")), throttled, 1},
		{"in-stream model error", bedrocktest.Stream(bedrocktest.MessageStart(), bedrocktest.Exception("modelStreamErrorException", "bad")), transient, 1},
		{"in-stream internal", bedrocktest.Stream(bedrocktest.Exception("internalServerException", "bad")), transient, 1},
		{"in-stream unavailable", bedrocktest.Stream(bedrocktest.Exception("serviceUnavailableException", "bad")), transient, 1},
		{"in-stream too long", bedrocktest.Stream(bedrocktest.Exception("validationException", "Input is too long")), long, 1},
		{"in-stream unknown name", bedrocktest.Stream(bedrocktest.Exception("modelTimeoutException", "late")), transient, 1},
		{"in-stream denied", bedrocktest.Stream(bedrocktest.Exception("accessDeniedException", "no")), config, 1},
		{"in-stream unmodelled", bedrocktest.Stream(bedrocktest.Event{Code: "InternalFailure"}), transient, 1},
		{"cut", bedrocktest.Stream(bedrocktest.MessageStart(), bedrocktest.Text(0, "I was")), transient, 1},
		{"empty stream", bedrocktest.Stream(), transient, 1},
		{"empty answer", bedrocktest.Stream(bedrocktest.MessageStart(), bedrocktest.Stop("end_turn"), bedrocktest.Usage(1, 0)), transient, 1},
		{"blank answer", bedrocktest.Answer(" ", "\n"), transient, 1},
		{"malformed", bedrocktest.Stream(bedrocktest.Text(0, "x"), bedrocktest.Stop("malformed_model_output"), bedrocktest.Usage(1, 1)), transient, 1},
		{"malformed tool", bedrocktest.Stream(bedrocktest.Text(0, "x"), bedrocktest.Stop("malformed_tool_use"), bedrocktest.Usage(1, 1)), transient, 1},
		{"blocked in silence", bedrocktest.Stream(bedrocktest.Stop("guardrail_intervened"), bedrocktest.Usage(1, 0)), pipeline.Error{Reason: pipeline.ReasonRefused, Permanent: true}, 1},
		{"window full at once", bedrocktest.Stream(bedrocktest.Stop("model_context_window_exceeded"), bedrocktest.Usage(1, 0)), long, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, bedrock.ModelConfig{})
				r.stream(test.response, test.response, test.response)
				_, last, err := r.ask(t, pipeline.Prompt{})
				var e *pipeline.Error
				if !errors.As(err, &e) {
					t.Fatalf("got %+v, %v", last, err)
				}
				if e.Reason != test.want.Reason || e.Permanent != test.want.Permanent || e.Throttled != test.want.Throttled {
					t.Errorf("got %+v (%v), want %+v", *e, err, test.want)
				}
				if calls := len(r.Calls("")); calls != test.calls {
					t.Errorf("made %d calls, want %d", calls, test.calls)
				}
			})
		})
	}
}

func TestThrottlingCarriesTheServicesHint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, bedrock.ModelConfig{})
		busy := bedrocktest.Fail(429, "ThrottlingException", "slow down")
		busy.RetryAfter = "7"
		r.stream(busy, busy)
		_, _, err := r.ask(t, pipeline.Prompt{})
		if after := pipeline.Classify(err).After; after != 7*time.Second {
			t.Errorf("hint is %v: %v", after, err)
		}
	})
}

func TestStopReasons(t *testing.T) {
	for reason, want := range map[string]pipeline.StopReason{
		"end_turn":                      pipeline.StopEnd,
		"stop_sequence":                 pipeline.StopEnd,
		"a_reason_of_the_future":        pipeline.StopEnd,
		"max_tokens":                    pipeline.StopLength,
		"model_context_window_exceeded": pipeline.StopLength,
		"guardrail_intervened":          pipeline.StopIntervened,
		"content_filtered":              pipeline.StopIntervened,
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, bedrock.ModelConfig{})
			r.stream(bedrocktest.Stream(bedrocktest.Text(0, "so"), bedrocktest.Stop(reason), bedrocktest.Usage(3, 1)))
			text, last, err := r.ask(t, pipeline.Prompt{})
			if err != nil || text != "so" || last.Stop != want {
				t.Errorf("%s: %q, %+v, %v", reason, text, last, err)
			}
		})
	}
}

func TestUsage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, bedrock.ModelConfig{})
		usage := bedrocktest.Event{Type: "metadata", Payload: map[string]any{"usage": map[string]any{
			"inputTokens": 3, "outputTokens": 2, "totalTokens": 5, "cacheReadInputTokens": 11, "cacheWriteInputTokens": 7}}}
		r.stream(bedrocktest.Stream(bedrocktest.Text(0, "so"), bedrocktest.Stop("end_turn"), usage))
		_, last, err := r.ask(t, pipeline.Prompt{})
		u := last.Usage
		if err != nil || u.Input != 3 || u.Output != 2 || u.CacheRead != 11 || u.CacheWrite != 7 || last.Model != claude {
			t.Errorf("got %+v, %v", last, err)
		}
	})
}

// TestCompleteAnswerOutlivesItsMetadata loses the event after messageStop in every
// way: the answer is whole all the same, and its usage is estimated.
func TestCompleteAnswerOutlivesItsMetadata(t *testing.T) {
	for name, end := range map[string]bedrocktest.Event{
		"cut":       bedrocktest.Silence(0),
		"silence":   bedrocktest.Hang(),
		"exception": bedrocktest.Exception("internalServerException", "late"),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, bedrock.ModelConfig{})
				r.stream(bedrocktest.Stream(bedrocktest.Text(0, "so it is"), bedrocktest.Stop("end_turn"), end))
				start := time.Now()
				text, last, err := r.ask(t, pipeline.Prompt{})
				if err != nil || text != "so it is" || last.Stop != pipeline.StopEnd || last.Usage.Output == 0 || last.Usage.Input == 0 {
					t.Errorf("got %q, %+v, %v", text, last, err)
				}
				if took := time.Since(start); took > 6*time.Second {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}

func TestIgnoresWhatIsNotText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, bedrock.ModelConfig{})
		r.stream(bedrocktest.Stream(bedrocktest.MessageStart(),
			bedrocktest.Reasoning(0, "hmm"), bedrocktest.BlockStop(0),
			bedrocktest.Event{Type: "futureEvent", Payload: map[string]any{"x": 1}},
			bedrocktest.Text(1, "yes"), bedrocktest.BlockStop(1), bedrocktest.Stop("end_turn"), bedrocktest.Usage(1, 1)))
		if text, _, err := r.ask(t, pipeline.Prompt{}); err != nil || text != "yes" {
			t.Errorf("got %q, %v", text, err)
		}
	})
}

func TestWatchdogs(t *testing.T) {
	late := bedrocktest.Answer("late")
	late.Delay = time.Hour
	for _, test := range []struct {
		name     string
		response *bedrocktest.Response
		after    time.Duration // about when the call fails, 0 if it succeeds
	}{
		{"no headers", late, 90 * time.Second},
		{"no event", bedrocktest.Stream(bedrocktest.Hang()), 90 * time.Second},
		{"silence after text", bedrocktest.Stream(bedrocktest.Text(0, "well"), bedrocktest.Hang()), 60 * time.Second},
		{"slow but steady", bedrocktest.Stream(
			bedrocktest.Silence(80*time.Second), bedrocktest.Text(0, "a"),
			bedrocktest.Silence(50*time.Second), bedrocktest.Text(0, "b"),
			bedrocktest.Silence(50*time.Second), bedrocktest.Text(0, "c"),
			bedrocktest.Silence(50*time.Second), bedrocktest.Stop("end_turn"), bedrocktest.Usage(1, 1)), 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, bedrock.ModelConfig{})
				r.stream(test.response)
				start := time.Now()
				_, last, err := r.ask(t, pipeline.Prompt{})
				if test.after == 0 {
					if err != nil || last.Stop != pipeline.StopEnd {
						t.Errorf("got %+v, %v", last, err)
					}
					return
				}
				e := pipeline.Classify(err)
				if took := time.Since(start).Round(time.Second); took != test.after || e.Permanent || e.Reason != pipeline.ReasonModel {
					t.Errorf("got %v after %v, want it after %v", err, took, test.after)
				}
			})
		})
	}
}

// TestSlowConsumerIsNotSilence: publishing what was said may take longer than the
// model may be silent.
func TestSlowConsumerIsNotSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, bedrock.ModelConfig{})
		r.stream(bedrocktest.Answer("one ", "two ", "three"))
		var text string
		for d, err := range r.model.Stream(t.Context(), pipeline.Prompt{Question: "count"}) {
			if err != nil {
				t.Fatal(err)
			}
			text += d.Text
			<-time.After(5 * time.Minute)
		}
		if text != "one two three" {
			t.Errorf("got %q", text)
		}
	})
}

func TestCancellationIsPrompt(t *testing.T) {
	for name, response := range map[string]*bedrocktest.Response{
		"before headers": {Delay: time.Hour},
		"before events":  bedrocktest.Stream(bedrocktest.Hang()),
		"after text":     bedrocktest.Stream(bedrocktest.Text(0, "well"), bedrocktest.Hang()),
		"after stop":     bedrocktest.Stream(bedrocktest.Text(0, "well"), bedrocktest.Stop("end_turn"), bedrocktest.Hang()),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, bedrock.ModelConfig{FallbackModelID: nova})
				r.stream(response)
				why := errors.New("the person pressed stop")
				ctx, cancel := context.WithTimeoutCause(t.Context(), 2*time.Second, why)
				defer cancel()
				start := time.Now()
				_, _, err := pipelinetest.Collect(ctx, r.model, pipeline.Prompt{Question: "why?"})
				if took := time.Since(start); !errors.Is(err, why) || took != 2*time.Second {
					t.Errorf("got %v after %v", err, took)
				}
				if calls := r.models(); calls != claude {
					t.Errorf("called %s", calls)
				}
			})
		})
	}
}

func TestFallback(t *testing.T) {
	busy := bedrocktest.Fail(429, "ThrottlingException", "slow")
	notFound := bedrocktest.Fail(404, "ResourceNotFoundException", "gone")
	denied := bedrocktest.Fail(403, "AccessDeniedException", "no")
	for _, test := range []struct {
		name      string
		responses []*bedrocktest.Response
		models    []string
		reason    pipeline.Reason // "" if answered
	}{
		{"throttled", []*bedrocktest.Response{busy, busy}, []string{claude, claude, nova}, ""},
		{"not ready", []*bedrocktest.Response{bedrocktest.Fail(429, "ModelNotReadyException", ""), bedrocktest.Fail(429, "ModelNotReadyException", "")}, []string{claude, claude, nova}, ""},
		{"unavailable", []*bedrocktest.Response{bedrocktest.Fail(503, "ServiceUnavailableException", ""), bedrocktest.Fail(503, "ServiceUnavailableException", "")}, []string{claude, claude, nova}, ""},
		{"not found", []*bedrocktest.Response{notFound}, []string{claude, nova}, ""},
		{"in-stream throttling", []*bedrocktest.Response{bedrocktest.Stream(bedrocktest.MessageStart(), bedrocktest.Exception("throttlingException", ""))}, []string{claude, nova}, ""},
		{"denied", []*bedrocktest.Response{denied}, []string{claude}, pipeline.ReasonConfig},
		{"model error", []*bedrocktest.Response{bedrocktest.Fail(424, "ModelErrorException", "")}, []string{claude}, pipeline.ReasonModel},
		{"already speaking", []*bedrocktest.Response{bedrocktest.Stream(bedrocktest.Text(0, "well"), bedrocktest.Exception("throttlingException", ""))}, []string{claude}, pipeline.ReasonThrottled},
		{"both busy", []*bedrocktest.Response{busy, busy, busy, busy}, []string{claude, claude, nova, nova}, pipeline.ReasonThrottled},
		{"busy, then denied", []*bedrocktest.Response{busy, busy, denied}, []string{claude, claude, nova}, pipeline.ReasonThrottled},
		{"not found, then busy", []*bedrocktest.Response{notFound, busy, busy}, []string{claude, nova, nova}, pipeline.ReasonThrottled},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, bedrock.ModelConfig{FallbackModelID: nova})
				r.stream(test.responses...)
				_, last, err := r.ask(t, pipeline.Prompt{})
				switch {
				case test.reason == "" && (err != nil || last.Model != nova):
					t.Errorf("got %+v, %v", last, err)
				case test.reason != "" && (err == nil || pipeline.Classify(err).Reason != test.reason):
					t.Errorf("got %+v, %v", last, err)
				}
				if got, want := r.models(), strings.Join(test.models, " "); got != want {
					t.Errorf("called %s, want %s", got, want)
				}
			})
		})
	}
}

func TestLongHistoryIsHalvedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, bedrock.ModelConfig{})
		long := bedrocktest.Fail(400, "ValidationException", "prompt is too long")
		history := []pipeline.Exchange{{Question: "q1", Answer: "a1"}, {Question: "q2", Answer: "a2"}, {Question: "q3", Answer: "a3"}}
		r.stream(long)
		if text, _, err := r.ask(t, pipeline.Prompt{History: history}); err != nil || text == "" {
			t.Fatalf("got %q, %v", text, err)
		}
		body := string(r.Calls("")[1].Body)
		if strings.Contains(body, "q1") || strings.Contains(body, "q2") || !strings.Contains(body, "q3") || !strings.Contains(body, "why?") {
			t.Errorf("second request is %s", body)
		}
		r.stream(long, long, long)
		_, _, err := r.ask(t, pipeline.Prompt{History: history})
		if e := pipeline.Classify(err); e.Reason != pipeline.ReasonTooLong || !e.Permanent {
			t.Errorf("got %v", err)
		}
		if calls := len(r.Calls("")); calls != 4 {
			t.Errorf("%d calls, want 4", calls)
		}
	})
}

func TestPromptChoosesTheModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, bedrock.ModelConfig{})
		const arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/ab12"
		_, last, err := r.ask(t, pipeline.Prompt{Model: arn})
		if err != nil || last.Model != arn || r.models() != arn {
			t.Errorf("got %+v from %s, %v", last, r.models(), err)
		}
	})
}

func TestErrorsHoldNoFloodOfText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, bedrock.ModelConfig{})
		r.stream(bedrocktest.Fail(400, "ValidationException", strings.Repeat("为", 5000)))
		_, _, err := r.ask(t, pipeline.Prompt{})
		if err == nil || len(err.Error()) > 500 || !strings.Contains(err.Error(), "ValidationException") {
			t.Errorf("error is %d bytes: %.100v", len(err.Error()), err)
		}
	})
}

func TestNewModelRefusesNonsense(t *testing.T) {
	for want, c := range map[string]bedrock.ModelConfig{
		"model id":   {},
		"guardrail":  {ModelID: claude, GuardrailID: "g"},
		"max tokens": {ModelID: claude, MaxTokens: -1},
	} {
		if _, err := bedrock.NewModel(nil, c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
