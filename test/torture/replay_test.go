// Package torture plays long, random and unkind histories on the real stores with
// the real Slack adapter, and has test/oracle judge them.
package torture

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"parley/pkg/pipeline"
	"parley/pkg/pipelinetest"
	"parley/pkg/slack/slacktest"
	"parley/test/raced"
	"parley/test/world"
)

var letters = flag.Int("torture.letters", raced.Or(200, 40), "dead letters to replay at once")

// eachForm runs test on both forms.
func eachForm(t *testing.T, o world.Options, test func(w *world.World)) {
	for _, form := range world.Forms {
		t.Run(string(form), func(t *testing.T) {
			o := o
			o.Form = form
			world.In(t, o, test)
		})
	}
}

// outage fails each question in one of several ways, always the same.
func outage(p pipeline.Prompt) error {
	cause := errors.New("outage")
	switch p.MessageID[len(p.MessageID)-1] % 5 {
	case 0:
		return pipeline.Permanent(pipeline.ReasonConfig, cause)
	case 1:
		return pipeline.Permanent(pipeline.ReasonRefused, cause)
	case 2:
		return pipeline.Throttled(pipeline.ReasonThrottled, 20*time.Second, cause)
	case 3:
		return pipeline.Transient(pipeline.ReasonModel, cause)
	}
	return pipeline.Permanent(pipeline.ReasonTooLong, cause)
}

// After an outage every letter is replayed while people go on asking. The replay
// is interrupted half-way and run again, and a third time for nothing. Everybody
// has one answer, where the apology stood, in order.
func TestReplayAfterAnOutage(t *testing.T) {
	eachForm(t, world.Options{Workers: 50, Slack: slacktest.Options{PostBurst: 1000, PerMinute: generous}}, func(w *world.World) {
		p := w.Boot(nil)
		w.Model.Fail(outage)
		var asked []world.Question
		root := map[int]string{}
		for i := range *letters { // two in each thread
			half := *letters / 2
			q, event := w.Ask(fmt.Sprintf("C%d", i%half%40), root[i-half], "U0ANN00001", fmt.Sprintf("question %d", i))
			root[i] = q.Root
			p.Accept(event)
			asked = append(asked, q)
			time.Sleep(100 * time.Millisecond)
		}
		w.Settle(2 * time.Hour)
		w.Judge("after the outage")
		places := map[string]string{}
		for _, q := range asked {
			places[q.ID] = posts(w, q)
		}
		w.Model.Fail(nil)

		calls := w.Model.Calls("")
		replaySome(w, len(w.Letters())/2) // interrupted: the last one was sent back and not removed
		for i := range 20 {
			q, event := w.Ask("C99", "", "U0BOB00001", fmt.Sprintf("meanwhile %d", i))
			p.Accept(event)
			asked = append(asked, q)
		}
		w.ReplayAll()
		w.Settle(2 * time.Hour)
		w.Answered("after the replay", asked...)
		w.Judge("after the replay")
		for id, place := range places {
			if q := find(asked, id); posts(w, q) != place {
				w.Errorf("%s: the apology stood at %s, the answer at %s", id, place, posts(w, q))
			}
		}
		if n := w.Model.Calls("") - calls; n != len(asked) {
			w.Errorf("the model was asked %d times for %d questions", n, len(asked))
		}
		if left := w.Letters(); len(left) != 0 {
			w.Errorf("%d letters are left", len(left))
		}
		p.Stop()
	})
}

// generous lets many threads be served quickly: pacing has tests of its own.
var generous = map[string]int{
	"chat.startStream": 100_000, "chat.stopStream": 100_000, "chat.appendStream": 100_000, "chat.update": 100_000,
	"assistant.threads.setStatus": 100_000, "conversations.replies": 100_000, "chat.postMessage": 100_000, "chat.delete": 100_000,
}

// replaySome replays n letters; of the last only the first of its two steps
// happens, as when the command is interrupted.
func replaySome(w *world.World, n int) {
	w.Operator(func(o *pipeline.Operator) {
		all, _, err := o.List(w.Context(), pipeline.Filter{})
		if err != nil {
			w.Fatal(err)
		}
		for i, l := range all[:n] {
			if i == n-1 {
				for q := range o.Queues {
					o.Queues[q].Dead = stuck{o.Queues[q].Dead}
				}
			}
			if _, err := o.Replay(w.Context(), l, 0); (err != nil) != (i == n-1) {
				w.Fatalf("replay %d: %v", i, err)
			}
		}
	})
}

// stuck is a dead-letter queue that nothing can be removed from.
type stuck struct{ pipeline.DeadLetters }

func (stuck) Remove(context.Context, pipeline.Delivery) error { return pipelinetest.ErrInjected }

func find(all []world.Question, id string) world.Question {
	for _, q := range all {
		if q.ID == id {
			return q
		}
	}
	return world.Question{}
}

// posts are the ids of the messages that stand for q.
func posts(w *world.World, q world.Question) (ids string) {
	w.With(func(b world.Backend) {
		placed, err := b.Deliveries.LoadDelivery(w.Context(), q.ID)
		if err != nil {
			w.Fatal(err)
		}
		for _, p := range placed.At.Posts {
			ids += p.ID + " "
		}
	})
	return ids
}

// An answer that could not be shown is a letter too. Its replay shows the answer
// that was given, without asking the model.
func TestReplayOfAnAnswer(t *testing.T) {
	eachForm(t, world.Options{}, func(w *world.World) {
		p := w.Boot(nil)
		w.Slack.SetChannel(slacktest.Channel{ID: "C1", Refuse: "is_archived"})
		q, event := w.Ask("C1", "", "U0ANN00001", "hello")
		p.Accept(event)
		w.Settle(time.Hour)
		all := w.Letters()
		if len(all) != 1 || all[0].Queue != world.Replies || all[0].Told || all[0].Reason != string(pipeline.ReasonChat) {
			w.Fatalf("letters: %+v", all)
		}
		w.Slack.SetChannel(slacktest.Channel{ID: "C1"})
		w.ReplayAll()
		w.Settle(time.Hour)
		w.Answered("after the replay", q)
		w.Judge("after the replay")
		if n := w.Model.Calls(""); n != 1 {
			w.Errorf("the model was asked %d times", n)
		}
		p.Stop()
	})
}

// A message that the queue itself gave up has a letter without a word: it is listed
// as one whose person was not told, and replayed like any other. This one's answer
// was committed all along, and only its final was missing.
func TestLettersThatTheQueueMoved(t *testing.T) {
	eachForm(t, world.Options{MaxReceives: 5}, func(w *world.World) {
		faults := pipelinetest.NewFaults()
		faults.Decide(func(at pipelinetest.Point) (pipelinetest.Mode, time.Duration) {
			if at.Method == "replies.Send" {
				return pipelinetest.Clean, 0
			}
			return "", 0
		})
		p := w.Boot(faults)
		q, event := w.Ask("C1", "", "U0ANN00001", "hello")
		p.Accept(event)
		w.Within(time.Hour, "moved", func() bool { return len(w.Letters()) == 1 })
		l := w.Letters()[0]
		if l.Reason != string(pipeline.ReasonMoved) || l.Told || l.Queue != world.Requests || l.MessageID != q.ID {
			w.Errorf("letter: %+v", l)
		}
		p.Stop()
		p = w.Boot(nil)
		w.ReplayAll()
		w.Settle(time.Hour)
		w.Answered("after the replay", q)
		w.Judge("after the replay")
		if n := w.Model.Calls(""); n != 1 {
			w.Errorf("the model was asked %d times", n)
		}
		p.Stop()
	})
}

// The console's redrive sends letters back as they are, and again whatever failed
// again: everybody is answered once.
func TestConsoleRedrive(t *testing.T) {
	world.In(t, world.Options{Form: world.AWS, Slack: slacktest.Options{PerMinute: generous, PostBurst: 1000}}, func(w *world.World) {
		p := w.Boot(nil)
		w.Model.Fail(outage)
		var asked []world.Question
		for i := range 20 {
			q, event := w.Ask(fmt.Sprintf("C%d", i%5), "", "U0ANN00001", fmt.Sprintf("question %d", i))
			p.Accept(event)
			asked = append(asked, q)
			time.Sleep(100 * time.Millisecond)
		}
		w.Settle(time.Hour)
		redrive(w)
		w.Settle(time.Hour)
		w.Judge("after a redrive during the outage")
		w.Model.Fail(nil)
		calls := w.Model.Calls("")
		redrive(w)
		redrive(w)
		w.Settle(time.Hour)
		w.Answered("after the redrive", asked...)
		w.Judge("after the redrive")
		if n := w.Model.Calls("") - calls; n != len(asked) {
			w.Errorf("the model was asked %d times for %d questions", n, len(asked))
		}
		p.Stop()
	})
}

// redrive moves letters as an operator does in the console: to the queue by name,
// because letters that a stage buried have no source that SQS knows.
func redrive(w *world.World) {
	source, destination := "arn:aws:sqs:us-east-1:000000000000:requests-dead.fifo", "arn:aws:sqs:us-east-1:000000000000:requests.fifo"
	_, err := w.SQS().Client().StartMessageMoveTask(w.Context(), &sqs.StartMessageMoveTaskInput{SourceArn: &source, DestinationArn: &destination})
	if err != nil {
		w.Fatal(err)
	}
}

// Whatever records have expired, the replay of a letter turns the apology that
// stands into the answer: it is looked up in the thread, or among direct messages.
func TestReplayWithoutRecords(t *testing.T) {
	for _, lost := range []struct {
		name              string
		cases, deliveries bool
	}{{"case", true, false}, {"delivery", false, true}, {"both", true, true}} {
		for _, channel := range []string{"C1", "D1"} {
			t.Run(lost.name+" in "+channel, func(t *testing.T) {
				eachForm(t, world.Options{}, func(w *world.World) { replayLost(w, channel, lost.cases, lost.deliveries) })
			})
		}
	}
}

func replayLost(w *world.World, channel string, cases, deliveries bool) {
	p := w.Boot(nil)
	w.Model.Fail(outage)
	q, event := w.Ask(channel, "", ann, "hello")
	p.Accept(event)
	w.Settle(time.Hour)
	w.Judge("before")
	apology := w.Slack.Answers(channel, q.Root)
	w.Lose(q, cases, deliveries)
	w.Model.Fail(nil)
	w.ReplayAll()
	w.Settle(time.Hour)
	w.Answered("after the replay", q)
	w.Judge("after the replay")
	answer := w.Slack.Answers(channel, q.Root)
	if len(apology) != 1 || len(answer) != 1 || apology[0].TS != answer[0].TS {
		w.Errorf("the apology stood at %v, the answer at %v", apology, answer)
	}
	p.Stop()
}

// A conversation of direct messages is replayed like a thread, and a slash command
// in what only its person sees.
func TestReplayInPrivate(t *testing.T) {
	eachForm(t, world.Options{}, func(w *world.World) {
		p := w.Boot(nil)
		w.Model.Fail(outage)
		var asked []world.Question
		for i := range 3 {
			q, event := w.Ask("D1", "", ann, fmt.Sprintf("question %d", i))
			p.Accept(event)
			asked = append(asked, q)
		}
		p.Accept(w.Slack.EventSlash("/parley", "ask what is a queue?", "C1", ann))
		w.Settle(time.Hour)
		if said := w.Slack.Ephemeral("C1", ann); len(said) != 1 || !strings.Contains(said[0].Text(), "Reference") {
			w.Fatalf("the command failed with %+v", said)
		}
		w.Judge("before")
		w.Model.Fail(nil)
		w.ReplayAll()
		w.ReplayAll()
		w.Settle(time.Hour)
		w.Answered("after the replay", asked...)
		w.Judge("after the replay")
		said := w.Slack.Ephemeral("C1", ann)
		if last := said[len(said)-1].Text(); !strings.Contains(last, "a queue") {
			w.Errorf("the command was answered with %q", last)
		}
		if n := w.Model.Calls(""); n > 4*5 {
			w.Errorf("the model was asked %d times", n)
		}
		p.Stop()
	})
}
