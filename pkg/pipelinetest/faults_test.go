package pipelinetest_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"parley/pkg/pipeline"
	"parley/pkg/pipelinetest"
)

// sent records what took effect.
type sent []string

func (s *sent) Send(_ context.Context, e pipeline.Envelope) error {
	*s = append(*s, string(e.Body))
	return nil
}

func TestFaults(t *testing.T) {
	for _, test := range []struct {
		mode pipelinetest.Mode
		errs []error // of the three sends
		took []string
		dead bool
	}{
		{pipelinetest.Clean, []error{nil, pipelinetest.ErrInjected, nil}, []string{"1", "3"}, false},
		{pipelinetest.Persisted, []error{nil, pipelinetest.ErrInjected, nil}, []string{"1", "2", "3"}, false},
		{pipelinetest.DieBefore, []error{nil, pipelinetest.ErrDead, pipelinetest.ErrDead}, []string{"1"}, true},
		{pipelinetest.DieAfter, []error{nil, pipelinetest.ErrDead, pipelinetest.ErrDead}, []string{"1", "2"}, true},
	} {
		t.Run(string(test.mode), func(t *testing.T) {
			var took sent
			f := pipelinetest.NewFaults()
			f.Plan(pipelinetest.Point{Method: "replies.Send", N: 2}, test.mode)
			out := f.Outbox("replies", &took)
			for i, body := range []string{"1", "2", "3"} {
				err := out.Send(t.Context(), pipeline.Envelope{Body: []byte(body)})
				if !errors.Is(err, test.errs[i]) {
					t.Errorf("send %s: %v, want %v", body, err, test.errs[i])
				}
			}
			if !slices.Equal(took, test.took) {
				t.Errorf("took effect: %v, want %v", took, test.took)
			}
			select {
			case <-f.Died():
				if !test.dead {
					t.Error("the process died")
				}
			default:
				if test.dead {
					t.Error("the process lives on")
				}
			}
			f.MustHit(t)
		})
	}
}

// TestFaultsDeadMidway: a call that is under way when the process dies takes
// effect, but nobody learns so.
func TestFaultsDeadMidway(t *testing.T) {
	f := pipelinetest.NewFaults()
	err := f.Call(t.Context(), "model.Stream", func(context.Context) error { f.Kill(); return nil })
	if !errors.Is(err, pipelinetest.ErrDead) {
		t.Errorf("Call = %v, want ErrDead", err)
	}
	if calls := f.Calls(); len(calls) != 1 || calls[0].String() != "model.Stream#1" {
		t.Errorf("Calls = %v", calls)
	}
}
