// Package world is the whole of Parley in a test: a Slack that enforces its rules,
// a real data file or the AWS adapters over fakes that speak the wire, processes
// that die and start again, and time that is fake. It gathers what test/oracle
// judges.
package world

import (
	"bytes"
	"log/slog"
	"net/http"
	"path"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"parley/pkg/pipeline"
	"parley/pkg/pipelinetest"
	"parley/pkg/slack"
	"parley/pkg/slack/slackapi"
	"parley/pkg/slack/slacktest"
)

// Queue names, the same in both forms.
const (
	Requests = "requests"
	Control  = "control"
	Replies  = "replies"
)

// queueNames are in the order in which a message passes from one to the next: who
// finds them empty in this order has missed none on its way.
var queueNames = []string{Control, Requests, Replies}

// Form is where Parley runs.
type Form string

// The forms.
const (
	SQLite Form = "one machine"
	AWS    Form = "AWS"
)

// Forms are both.
var Forms = []Form{SQLite, AWS}

// Options describe a World. The zero value is one machine with an answering model
// and no limits.
type Options struct {
	Form     Form
	Slack    slacktest.Options
	Config   pipeline.WorkerConfig
	Admins   []string
	Profiles pipeline.Profiles
	Workers  int // questions answered at once; default 20
	// MaxReceives of the requests queue, 0 for the deployment's.
	MaxReceives int
	Price       func(model string, u Usage) (float64, bool)
	Metrics     pipeline.Metrics
	// Forgetful allows calls before a Retry-After has passed: a process that dies
	// takes along what it learnt of Slack's limits.
	Forgetful bool
}

// World is one workspace with the records and queues behind it, which outlive the
// processes.
type World struct {
	*testing.T
	Slack *slacktest.Server
	Model *Model
	opts  Options
	home  home
	log   journal

	mu    sync.Mutex
	asked []Question // guarded by mu
}

// In runs test in a bubble of fake time. At its end no stream may be open, and no
// rule of Slack's broken.
func In(t *testing.T, o Options, test func(w *World)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		if o.Form == "" {
			o.Form = SQLite
		}
		if o.Workers == 0 {
			o.Workers = 20
		}
		w := &World{T: t, Slack: slacktest.New(o.Slack), Model: newModel(), opts: o}
		if o.Form == AWS {
			w.home = newCloud(w)
		} else {
			w.home = newFile(w, path.Join(dir, "parley.db"))
		}
		t.Cleanup(w.show)
		test(w)
		if open := w.Slack.OpenStreams(); len(open) > 0 {
			t.Errorf("%d streams were left open", len(open))
		}
		for _, v := range w.Slack.Violations() {
			if o.Forgetful && strings.Contains(v, "before its Retry-After") {
				continue
			}
			t.Errorf("a rule of Slack's was broken: %v", v)
		}
	})
}

// journal is a log that several processes write to.
type journal struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(p)
}

func (w *World) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// maxShown bounds what a failed test says, in bytes.
const maxShown = 60_000

// maxCalls bounds how many of Slack's calls it lists.
const maxCalls = 400

// show tells what happened, when the test has failed.
func (w *World) show() {
	if !w.Failed() {
		return
	}
	w.log.mu.Lock()
	defer w.log.mu.Unlock()
	log := w.log.buf.Bytes()
	w.Logf("the processes logged:\n%s", log[max(0, len(log)-maxShown):])
	calls := w.Slack.Calls()
	for _, c := range calls[max(0, len(calls)-maxCalls):] {
		w.Logf("%s %s %v", c.At.Format("15:04:05.000"), c.Method, c.Args)
	}
}

// Backend is the records and queues as somebody outside the pipeline reaches them.
type Backend struct {
	Cases      pipeline.Cases
	Memory     pipeline.Memory
	Deliveries pipeline.Deliveries
	Quotas     pipeline.Quotas
	People     pipeline.People
	Queues     map[string]Counted
	Dead       map[string]pipeline.DeadLetters
}

// Counted is a queue that tells how much it holds.
type Counted = interface {
	pipeline.Outbox
	Depther
}

// home is where the records and queues are.
type home interface {
	// start starts a process, or on AWS the functions, on it.
	start(f *pipelinetest.Faults) *Process
	// lose removes the records of a message.
	lose(id string, cases, deliveries bool)
	// with opens the backend beside the processes.
	with(do func(b Backend))
}

// With opens the records and queues beside the running processes.
func (w *World) With(do func(b Backend)) { w.home.with(do) }

// Lose removes q's records, as a lifetime that ran out does.
func (w *World) Lose(q Question, cases, deliveries bool) { w.home.lose(q.ID, cases, deliveries) }

// Boot starts Parley. Its calls to the outside pass through faults, nil for none.
func (w *World) Boot(faults *pipelinetest.Faults) *Process {
	w.Helper()
	if faults == nil {
		faults = pipelinetest.NewFaults()
	}
	p := w.home.start(faults)
	w.Cleanup(p.Kill) // a test that failed leaves nothing behind
	return p
}

// slackClient is the Web API as a process sees it.
func (w *World) slackClient(f *pipelinetest.Faults, log *slog.Logger) *slackapi.Client {
	api, err := slackapi.New(slackapi.Config{
		Token: func() string { return slacktest.DefaultToken }, BaseURL: w.Slack.APIURL(), Log: log,
		HTTPClient: &http.Client{Transport: faulty{f, w.Slack.Transport()}, Timeout: 8 * time.Second},
	})
	if err != nil {
		w.Fatal(err)
	}
	return api
}

func (w *World) parsers() map[string]pipeline.Parser {
	parser, err := slack.NewParser(slack.Config{
		Secrets: func() []string { return []string{slacktest.DefaultSecret} }, FollowUps: true, APIURL: w.Slack.APIURL(),
	})
	if err != nil {
		w.Fatal(err)
	}
	return map[string]pipeline.Parser{slack.PathEvents: parser, slack.PathCommands: parser, slack.PathInteractions: parser}
}

// Within waits in fake time until ok holds, and fails the test after limit.
func (w *World) Within(limit time.Duration, what string, ok func() bool) {
	w.Helper()
	for deadline := time.Now().Add(limit); !ok(); time.Sleep(time.Second) {
		if time.Now().After(deadline) {
			w.Fatalf("after %v: not %s", limit, what)
		}
	}
}

// Settle waits until every queue is empty.
func (w *World) Settle(limit time.Duration) {
	w.Helper()
	w.Within(limit, "quiet", w.Quiet)
}

// Quiet reports whether every queue is empty.
func (w *World) Quiet() (quiet bool) {
	quiet = true
	w.With(func(b Backend) {
		for _, name := range queueNames {
			depth, err := b.Queues[name].Depth(w.Context())
			if err != nil {
				w.Fatal(err)
			}
			quiet = quiet && depth.Visible+depth.InFlight == 0
		}
	})
	return quiet
}

// Operator is what the dlq commands do, on this world.
func (w *World) Operator(do func(o *pipeline.Operator)) {
	w.With(func(b Backend) {
		o := &pipeline.Operator{Cases: b.Cases, Memory: b.Memory, Deliveries: b.Deliveries}
		for _, name := range queueNames {
			if dead, ok := b.Dead[name]; ok {
				o.Queues = append(o.Queues, pipeline.DeadQueue{Name: name, Dead: dead, Source: b.Queues[name]})
			}
		}
		do(o)
	})
}
