package world

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"parley/pkg/chat"
	"parley/pkg/dynamostore"
	"parley/pkg/dynamostore/dynamotest"
	"parley/pkg/pipeline"
	"parley/pkg/pipelinetest"
	"parley/pkg/sqsqueue"
	"parley/pkg/sqsqueue/sqslambda"
	"parley/pkg/sqsqueue/sqstest"
)

// cloud is the form of AWS: the adapters over fakes of SQS and DynamoDB, and
// functions invoked as event source mappings do.
type cloud struct {
	w     *World
	sqs   *sqstest.Server
	table *dynamotest.Server
	urls  map[string]string // of queues and, with "-dead", of dead letters
}

// SQS and Table are the fakes behind a World on AWS, for what only they can do.
func (w *World) SQS() *sqstest.Server { return w.home.(*cloud).sqs }

// QueueURL is the address of one of the queues on AWS.
func (w *World) QueueURL(name string) string { return w.home.(*cloud).urls[name] }

func newCloud(w *World) *cloud {
	h := &cloud{w: w, sqs: sqstest.New(), table: dynamotest.New(), urls: map[string]string{}}
	h.table.CreateTable("parley")
	most := w.opts.MaxReceives
	if most == 0 {
		most = 100
	}
	// As in template.yaml, where control shares the requests' dead letters.
	for _, c := range []sqstest.Config{
		{Name: "requests-dead.fifo"}, {Name: "replies-dead.fifo"},
		{Name: "requests.fifo", MaxReceives: most, DeadLetters: "requests-dead.fifo", Visibility: 360 * time.Second, DedupByGroup: true},
		{Name: "control.fifo", MaxReceives: 10, DeadLetters: "requests-dead.fifo", Visibility: 90 * time.Second, DedupByGroup: true},
		{Name: "replies.fifo", MaxReceives: 100, DeadLetters: "replies-dead.fifo", Visibility: 90 * time.Second, DedupByGroup: true},
	} {
		url, err := h.sqs.CreateQueue(c)
		if err != nil {
			w.Fatal(err)
		}
		h.urls[c.Name[:len(c.Name)-len(".fifo")]] = url
	}
	h.urls["control-dead"] = h.urls["requests-dead"]
	return h
}

func (h *cloud) queue(name string) *sqsqueue.Queue { return sqsqueue.New(h.sqs.Client(), h.urls[name]) }

func (h *cloud) store() *dynamostore.Store {
	return dynamostore.New(h.table.Client(), "parley", 30*24*time.Hour)
}

func (h *cloud) with(do func(b Backend)) {
	s := h.store()
	b := Backend{Cases: s, Memory: s, Deliveries: s, Quotas: s, People: s, Queues: map[string]Counted{}, Dead: map[string]pipeline.DeadLetters{}}
	for _, name := range queueNames {
		b.Queues[name] = h.queue(name)
		if name != Control {
			b.Dead[name] = sqsqueue.NewDeadLetters(h.sqs.Client(), h.urls[name+"-dead"])
		}
	}
	do(b)
}

func (h *cloud) lose(id string, cases, deliveries bool) {
	remove := func(pk, sk string) {
		_, err := h.table.Client().DeleteItem(h.w.Context(), &dynamodb.DeleteItemInput{
			TableName: aws.String("parley"),
			Key:       map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: pk}, "sk": &types.AttributeValueMemberS{Value: sk}},
		})
		if err != nil {
			h.w.Fatal(err)
		}
	}
	if cases {
		remove("M#"+id, "CASE")
	}
	if !deliveries {
		return
	}
	placed, err := h.store().LoadDelivery(h.w.Context(), id)
	if err != nil {
		h.w.Fatal(err)
	}
	for _, p := range placed.At.Posts {
		remove("P#"+p.ID, "POST")
	}
	remove("M#"+id, "DELIVERY")
}

// function is one of the deployment's.
type function struct {
	queue              string
	batch, concurrency int
	timeout            time.Duration
	handler            func(f *pipelinetest.Faults) pipeline.Handler
}

// start runs the functions. Each invocation is a life of its own: a planned or
// chosen death ends one invocation, and Kill all of them.
func (h *cloud) start(f *pipelinetest.Faults) *Process {
	log := h.w.logger()
	// What a process learns of throttles, the next event of that process knows.
	environments := make(chan *pipeline.Gate, h.w.opts.Workers)
	for range h.w.opts.Workers {
		environments <- pipeline.NewGate()
	}
	answering := func(f *pipelinetest.Faults) pipeline.Handler {
		return func(ctx context.Context, batch []pipeline.Delivery) []pipeline.Settlement {
			gate := <-environments
			defer func() { environments <- gate }()
			return h.worker(f, gate, log).Handle(ctx, batch)
		}
	}
	functions := []function{
		{Requests, 1, h.w.opts.Workers, 300 * time.Second, answering},
		{Control, 1, 5, 30 * time.Second, func(f *pipelinetest.Faults) pipeline.Handler { return h.control(f, log).Handle }},
		{Replies, 10, 5, 30 * time.Second, func(f *pipelinetest.Faults) pipeline.Handler { return h.responder(f, log).Handle }},
	}
	ctx, cancel := context.WithCancel(h.w.Context())
	var mapping sync.WaitGroup
	for _, fn := range functions {
		m := sqstest.Mapping{
			Server: h.sqs, QueueURL: h.urls[fn.queue], BatchSize: fn.batch, MaximumConcurrency: fn.concurrency,
			Invoke: func(ctx context.Context, event []byte) ([]byte, error) { return h.invoke(ctx, f, fn, event) },
		}
		mapping.Go(func() {
			if err := m.Run(ctx); err != nil {
				h.w.Error(err)
			}
		})
	}
	ingress := &pipeline.Ingress{
		Parsers: h.w.parsers(), Requests: f.Queue(Requests, h.queue(Requests)), Control: f.Queue(Control, h.queue(Control)), Log: log,
	}
	return &Process{w: h.w, Faults: f, ingress: ingress, end: func() { cancel(); mapping.Wait() }}
}

var errTimeout = errors.New("the function timed out")

// invoke runs fn once, in a life of its own that is frozen when it times out.
func (h *cloud) invoke(ctx context.Context, all *pipelinetest.Faults, fn function, event []byte) ([]byte, error) {
	var e events.SQSEvent
	if err := json.Unmarshal(event, &e); err != nil {
		return nil, err
	}
	life := all.Child()
	defer life.Kill() // nothing goes on after the answer
	ctx, cancel := context.WithTimeoutCause(ctx, fn.timeout, errTimeout)
	defer cancel()
	log := h.w.logger()
	b := sqslambda.Batch{Queue: life.Queue(fn.queue, h.queue(fn.queue)), Handler: fn.handler(life), Log: log}
	type answer struct {
		events.SQSEventResponse
		err error
	}
	done := make(chan answer, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				done <- answer{err: fmt.Errorf("panic: %v", p)}
			}
		}()
		r, err := b.Handle(ctx, e)
		done <- answer{r, err}
	}()
	select {
	case a := <-done:
		select {
		case <-life.Died():
			return nil, pipelinetest.ErrDead
		default:
		}
		if a.err != nil {
			return nil, a.err
		}
		return json.Marshal(a.SQSEventResponse)
	case <-life.Died():
		cancel()
		<-done // whatever it still did had no effect
		return nil, pipelinetest.ErrDead
	case <-ctx.Done():
		life.Kill()
		<-done
		return nil, errTimeout
	}
}

func (h *cloud) control(f *pipelinetest.Faults, log *slog.Logger) *pipeline.Control {
	s := h.store()
	return &pipeline.Control{
		Profile: h.w.opts.Config.Profile, Profiles: h.w.opts.Profiles,
		Home: &pipeline.Home{
			Meter: pipeline.Meter{Quotas: f.Quotas(s)}, Memory: f.Memory(s), People: f.People(s), Cases: f.Cases(s),
			Replies: f.Outbox(Replies, h.queue(Replies)), Turns: 20, Tokens: 8000, Log: log,
			Admins: h.w.opts.Admins, Operator: h.operator(f), Watched: h.watched(), Version: "1.2.3",
		},
		Cases: f.Cases(s), Memory: f.Memory(s), Requests: f.Outbox(Requests, h.queue(Requests)), Replies: f.Outbox(Replies, h.queue(Replies)),
		Letters: f.Outbox("requests-dead", h.queue("requests-dead")), Log: log,
	}
}

func (h *cloud) operator(f *pipelinetest.Faults) *pipeline.Operator {
	s := h.store()
	o := &pipeline.Operator{Cases: f.Cases(s), Memory: f.Memory(s), Deliveries: f.Deliveries(s)}
	for _, name := range []string{Requests, Replies} {
		o.Queues = append(o.Queues, pipeline.DeadQueue{
			Name: name, Dead: sqsqueue.NewDeadLetters(h.sqs.Client(), h.urls[name+"-dead"]), Source: f.Outbox(name, h.queue(name)),
		})
	}
	return o
}

func (h *cloud) watched() []pipeline.Watched {
	return []pipeline.Watched{
		{Name: Requests, Queue: h.queue(Requests), Dead: h.queue("requests-dead")},
		{Name: Control, Queue: h.queue(Control)},
		{Name: Replies, Queue: h.queue(Replies), Dead: h.queue("replies-dead")},
	}
}

func (h *cloud) worker(f *pipelinetest.Faults, gate *pipeline.Gate, log *slog.Logger) *pipeline.Worker {
	s := h.store()
	return &pipeline.Worker{
		Cases: f.Cases(s), Memory: f.Memory(s), Quotas: f.Quotas(s), People: f.People(s), Visibility: f.Queue(Requests, h.queue(Requests)),
		Replies: f.Outbox(Replies, h.queue(Replies)), Letters: f.Outbox("requests-dead", h.queue("requests-dead")),
		Control: h.control(f, log), Model: &seen{h.w.Model, f}, Price: h.w.opts.Price, Gate: gate, Profiles: h.w.opts.Profiles,
		Readers: map[chat.Platform]pipeline.Reader{chat.Slack: h.w.slackClient(f, log).Reader()},
		Log:     log, Config: h.w.opts.Config, Metrics: h.w.opts.Metrics,
	}
}

func (h *cloud) responder(f *pipelinetest.Faults, log *slog.Logger) *pipeline.Responder {
	s := h.store()
	return &pipeline.Responder{
		Deliveries: f.Deliveries(s), Letters: f.Outbox("replies-dead", h.queue("replies-dead")), Log: log,
		Posters: map[chat.Platform]pipeline.Poster{chat.Slack: h.w.slackClient(f, log).Poster()},
	}
}
