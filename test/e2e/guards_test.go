package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/bedrockagent"

	"parley/pkg/bedrock"
	"parley/pkg/bedrock/bedrocktest"
	"parley/pkg/pipeline"
	"parley/pkg/pipelinetest"
	"parley/pkg/slack"
	"parley/pkg/slack/slacktest"
)

// library is a knowledge base that is there when it is needed.
type library struct{ pipeline.Knowledge }

// remembering is a world that remembers in a knowledge base on Bedrock, with a thread
// to remember. What it holds, and the tokens of the ingestions it has taken, are the
// service's word.
type remembering struct {
	*world
	root    slacktest.Message
	service *bedrocktest.Server
}

func (r *remembering) held() map[string]bedrocktest.Document { return r.service.Documents("DSTHREADS") }

// ingested are the ingestions that had an effect, by their token.
func (r *remembering) ingested() []string {
	var tokens []string
	for _, c := range r.service.Calls(bedrocktest.OpIngestDocuments) {
		var in struct{ ClientToken string }
		c.Decode(&in)
		if !slices.Contains(tokens, in.ClientToken) {
			tokens = append(tokens, in.ClientToken)
		}
	}
	return tokens
}

func inRemembering(t *testing.T, test func(r *remembering)) {
	t.Helper()
	shelf := &library{}
	opts := worldOptions{knowledge: shelf, config: pipeline.WorkerConfig{Profile: pipeline.Profile{Approvers: []string{bob}}}}
	inWorld(t, opts, func(w *world) {
		r := &remembering{world: w}
		service, aws := bedrocktest.StartInMemory(w.t)
		k, err := bedrock.NewKnowledge(bedrockagent.NewFromConfig(aws), "KB12345678", "DSTHREADS")
		if err != nil {
			w.t.Fatal(err)
		}
		r.service, shelf.Knowledge = service, k
		r.root = w.slack.Say("C1", "", ann, "How do we rotate the signing key?")
		w.slack.Say("C1", r.root.TS, bob, "Run rotate.sh, the old password: hunter22 is void then. Mail ops@example.com about it.")
		test(r)
	})
}

// propose has Ann ask for the thread to be remembered, and waits for the draft.
func (r *remembering) propose(p *process) {
	_, event := r.mention("C1", r.root.TS, "remember this thread")
	p.accept(event)
	r.settled(time.Minute, "C1", r.root.TS, 1)
}

// calm waits until all is done.
func (r *remembering) calm() { r.within(10*time.Minute, "settled", r.quiet) }

// What is secret or personal is taken out before the model sees it, not only from what
// it writes.
func TestModelSeesNoSecrets(t *testing.T) {
	t.Parallel()
	inRemembering(t, func(r *remembering) {
		p := r.boot(nil)
		r.propose(p)
		calls := r.callsFor(slacktest.Message{})
		seen := strings.Join(saw(calls[len(calls)-1].prompt), "\n")
		if !strings.Contains(seen, "rotate.sh") {
			t.Errorf("the model did not see the thread: %q", seen)
		}
		for _, secret := range []string{"hunter22", "ops@example.com"} {
			if strings.Contains(seen, secret) {
				t.Errorf("the model saw %q", secret)
			}
		}
		p.stop()
	})
}

// Nobody but those who are named approves, rejects or has forgotten, by button or word.
func TestOnlyApproversDecide(t *testing.T) {
	t.Parallel()
	inRemembering(t, func(r *remembering) {
		p := r.boot(nil)
		r.propose(p)
		refused := func(what string) {
			r.calm()
			if len(r.held()) > 0 {
				t.Fatalf("%s by somebody who may not: kept %v", what, r.held())
			}
		}
		p.accept(r.press("C1", r.root.TS, slack.ActionApprove, ann))
		refused("a press")
		_, event := r.mention("C1", r.root.TS, "approve")
		p.accept(event)
		refused("a word")
		_, event = r.mention("C1", r.root.TS, "reject")
		p.accept(event)
		refused("a rejection")
		p.accept(r.press("C1", r.root.TS, slack.ActionApprove, bob)) // it is still open
		r.calm()
		if len(r.held()) != 1 {
			t.Error("a rejection by somebody who may not reject has decided")
		}
		_, event = r.mention("C1", r.root.TS, "forget this thread")
		p.accept(event)
		r.calm()
		if len(r.held()) != 1 {
			t.Error("somebody who may not has it forgotten")
		}
		p.stop()
	})
}

// An approval that is delivered again long after does not bring back what was
// forgotten, also where neither the queue nor the service knows it any more.
func TestForgottenStaysForgotten(t *testing.T) {
	t.Parallel()
	inRemembering(t, func(r *remembering) {
		p := r.boot(nil)
		r.propose(p)
		approve := r.press("C1", r.root.TS, slack.ActionApprove, bob)
		p.accept(approve)
		r.calm()
		if len(r.held()) != 1 {
			t.Fatal("not kept, so this shows nothing")
		}
		_, event := r.mentionBy(bob, "C1", r.root.TS, "forget this thread")
		p.accept(event)
		r.calm()
		time.Sleep(20 * time.Minute) // the queue remembers what was sent for five
		calls := len(r.service.Calls(bedrocktest.OpIngestDocuments))
		p.accept(r.slack.Again(approve))
		r.calm()
		if n := len(r.service.Calls(bedrocktest.OpIngestDocuments)); n != calls || len(r.held()) > 0 {
			t.Errorf("ingested %d times, holds %v", n, r.held())
		}
		p.stop()
	})
}

// Whatever call of an approval the process dies at, or fails at, what was approved is
// ingested in the end, as one ingestion, and forgetting it is final.
func TestApprovalMatrix(t *testing.T) {
	t.Parallel()
	var points []pipelinetest.Point
	inRemembering(t, func(r *remembering) {
		p := r.boot(nil)
		r.propose(p)
		p.stop()
		faults := pipelinetest.NewFaults()
		p = r.boot(faults)
		p.accept(r.press("C1", r.root.TS, slack.ActionApprove, bob))
		r.calm()
		points = faults.Calls()
		p.stop()
	})
	seen := map[pipelinetest.Point]bool{}
	for _, point := range points {
		if seen[point] || strings.HasSuffix(point.Method, ".Receive") {
			continue
		}
		seen[point] = true
		for _, mode := range pipelinetest.Modes {
			t.Run(fmt.Sprintf("%s %s", mode, point), func(t *testing.T) {
				t.Parallel()
				inRemembering(t, func(r *remembering) { approveWith(r, point, mode) })
			})
		}
	}
}

func approveWith(r *remembering, point pipelinetest.Point, mode pipelinetest.Mode) {
	p := r.boot(nil)
	r.propose(p)
	p.stop()
	approve := r.press("C1", r.root.TS, slack.ActionApprove, bob)
	faults := pipelinetest.NewFaults()
	faults.Plan(point, mode)
	p = r.boot(faults)
	accepted := p.deliver(approve) == 200
	select {
	case <-faults.Died():
		p.kill()
	case <-time.After(5 * time.Minute):
		p.stop()
	}
	p = r.boot(nil)
	if !accepted {
		p.accept(r.slack.Again(approve))
	}
	r.calm()
	if tokens := r.ingested(); len(tokens) != 1 || len(r.held()) != 1 {
		r.t.Errorf("ingested as %d, and %d documents are held", len(tokens), len(r.held()))
	}
	_, event := r.mentionBy(bob, "C1", r.root.TS, "forget this thread")
	p.accept(event)
	r.calm()
	if len(r.held()) > 0 {
		r.t.Errorf("not forgotten: %v", r.held())
	}
	p.stop()
}
