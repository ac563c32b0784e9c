package e2e

import (
	"encoding/json"
	"maps"
	"sync"
	"testing"
	"time"

	"parley/pkg/slack/slacktest"
)

// Twins and redeliveries are one gesture: four deliveries over six minutes, and
// the twin message event.
func TestRedeliveriesAreOneGesture(t *testing.T) {
	t.Parallel()
	inWorld(t, worldOptions{}, func(w *world) {
		p := w.boot(nil)
		q, event := w.mention("C1", "", "hello")
		p.accept(event)
		p.accept(w.slack.EventMessage(q))
		last := time.Duration(0)
		for i, at := range []time.Duration{time.Second, time.Minute, 6 * time.Minute} {
			time.Sleep(at - last)
			last = at
			fresh := w.slack.EventMention(q) // another event id, signed now
			p.accept(fresh.Retry(i+1, "http_timeout"))
		}
		w.oneAnswer(q)
		p.stop()
	})
}

func TestSimultaneousDeliveriesAreOneGesture(t *testing.T) {
	t.Parallel()
	inWorld(t, worldOptions{}, func(w *world) {
		p := w.boot(nil)
		q, event := w.mention("C1", "", "hello")
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() { p.accept(event) })
		}
		all.Wait()
		w.oneAnswer(q)
		p.stop()
	})
}

// Twins are one gesture also where Slack tells different things about them, and
// whichever comes first; the second one may come while the first is being
// answered, or after.
func TestTwinsThatDiffer(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(envelope, event map[string]any){
		"alike": func(_, _ map[string]any) {},
		"another team": func(envelope, event map[string]any) {
			envelope["team_id"], envelope["context_team_id"] = "T0OTHER001", "T0OTHER001"
			event["team"], event["source_team"] = "T0OTHER001", "T0OTHER001"
		},
		"fields missing": func(envelope, event map[string]any) {
			for _, field := range []string{"context_team_id", "event_time", "event_context", "is_ext_shared_channel"} {
				delete(envelope, field)
			}
			for _, field := range []string{"team", "user_team", "client_msg_id", "event_ts", "channel_type"} {
				delete(event, field)
			}
		},
		"an unknown block element": func(_, event map[string]any) {
			event["blocks"] = []any{map[string]any{"type": "rich_text", "elements": []any{
				map[string]any{"type": "hologram", "depth": []int{3}},
			}}}
		},
	} {
		for _, twinFirst := range []bool{false, true} {
			for _, gap := range []time.Duration{0, 300 * time.Millisecond, 10 * time.Second} {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					inWorld(t, worldOptions{}, func(w *world) {
						p := w.boot(nil)
						q, mention := w.mention("C1", "", "tell me about rivers demo:slow 2")
						first, second := mention, altered(t, w.slack.EventMessage(q), change)
						if twinFirst {
							first, second = second, first
						}
						p.accept(first)
						time.Sleep(gap)
						p.accept(second)
						w.oneAnswer(q)
						p.stop()
					})
				})
			}
		}
	}
}

// oneAnswer checks that q has one answer, which took one call of the model.
func (w *world) oneAnswer(q slacktest.Message) {
	w.t.Helper()
	w.settled(time.Minute, q.Channel, q.TS, 1)
	if n := len(w.callsFor(q)); n != 1 {
		w.t.Errorf("the model was called %d times", n)
	}
	if n := w.modelCalls(); n != 1 {
		w.t.Errorf("the model was called %d times in all: the twin is another question", n)
	}
}

// altered is an event as Slack might also have sent it, signed anew.
func altered(t *testing.T, in slacktest.Inbound, change func(envelope, event map[string]any)) slacktest.Inbound {
	t.Helper()
	var envelope map[string]any
	if err := json.Unmarshal(in.Body, &envelope); err != nil {
		t.Fatal(err)
	}
	change(envelope, envelope["event"].(map[string]any))
	body, err := json.Marshal(envelope)
	if err != nil {
		t.Fatal(err)
	}
	header := in.Header.Clone()
	maps.Copy(header, slacktest.Sign(slacktest.DefaultSecret, body, time.Now()))
	return slacktest.Inbound{Path: in.Path, Header: header, Body: body}
}
