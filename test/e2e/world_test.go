// Package e2e tests the whole pipeline of one machine: signed events in, a Slack
// that enforces its rules, a real data file, processes that die and start again,
// and time that is fake.
package e2e

import (
	"bytes"
	"context"
	"iter"
	"log/slog"
	"net/http"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"parley/pkg/chat"
	"parley/pkg/demo"
	"parley/pkg/pipeline"
	"parley/pkg/pipelinetest"
	"parley/pkg/slack"
	"parley/pkg/slack/slackapi"
	"parley/pkg/slack/slacktest"
	"parley/pkg/sqlitestore"
)

// world is one workspace and one data file, which outlive the processes.
type world struct {
	t     *testing.T
	slack *slacktest.Server
	path  string
	model pipeline.Model
	mu    sync.Mutex
	calls map[string]int // of the model, by message; guarded by mu
	opts  worldOptions
	log   journal // what the processes logged, shown when the test fails
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

// show tells what happened, when the test has failed.
func (w *world) show() {
	if !w.t.Failed() {
		return
	}
	w.log.mu.Lock()
	defer w.log.mu.Unlock()
	w.t.Logf("the processes logged:\n%s", w.log.buf.String())
	for _, c := range w.slack.Calls() {
		w.t.Logf("%s %s %v", c.At.Format("05.000"), c.Method, c.Args)
	}
}

type worldOptions struct {
	slack   slacktest.Options
	workers int
	config  pipeline.WorkerConfig
	model   pipeline.Model
}

// inWorld runs test in a bubble of fake time. At its end nothing may be left
// running, no stream open, and no rule of Slack's broken.
func inWorld(t *testing.T, opts worldOptions, test func(w *world)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, path: filepath.Join(dir, "parley.db"), model: opts.model, opts: opts, calls: map[string]int{}}
		w.slack = slacktest.New(opts.slack)
		if w.model == nil {
			w.model = &demo.Model{Pace: 20 * time.Millisecond}
		}
		t.Cleanup(w.show)
		test(w)
		if open := w.slack.OpenStreams(); len(open) > 0 {
			t.Errorf("%d streams were left open", len(open))
		}
		for _, v := range w.slack.Violations() {
			t.Errorf("a rule of Slack's was broken: %v", v)
		}
	})
}

// process is one life of Parley on the world's data file.
type process struct {
	w      *world
	faults *pipelinetest.Faults
	store  *sqlitestore.Store
	system *pipeline.System
	cancel context.CancelFunc
	done   chan struct{}
	once   sync.Once
}

// boot starts a process whose calls to the outside pass through faults, nil for
// none.
func (w *world) boot(faults *pipelinetest.Faults) *process {
	w.t.Helper()
	if faults == nil {
		faults = pipelinetest.NewFaults()
	}
	log := slog.New(slog.NewTextHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	store, err := sqlitestore.Open(w.t.Context(), w.path, sqlitestore.Options{Serve: true, Logger: log})
	if err != nil {
		w.t.Fatal(err)
	}
	p := &process{w: w, faults: faults, store: store, done: make(chan struct{})}
	w.t.Cleanup(p.kill) // a test that failed leaves nothing behind
	api, err := slackapi.New(slackapi.Config{
		Token: func() string { return slacktest.DefaultToken }, BaseURL: w.slack.APIURL(), Log: log,
		HTTPClient: &http.Client{Transport: faulty{faults, w.slack.Transport()}, Timeout: 8 * time.Second},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	parser, err := slack.NewParser(slack.Config{
		Secrets: func() []string { return []string{slacktest.DefaultSecret} }, FollowUps: true, APIURL: w.slack.APIURL(),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	channel := func(name string) pipeline.Channel {
		return pipeline.Channel{Queue: faults.Queue(name, store.Queue(name)), Letters: faults.Outbox(name+"-dead", store.DeadLetterOutbox(name))}
	}
	p.system = &pipeline.System{
		Requests: channel(sqlitestore.Requests), Control: channel(sqlitestore.Control), Replies: channel(sqlitestore.Replies),
		Cases: faults.Cases(store), Memory: faults.Memory(store), Deliveries: faults.Deliveries(store),
		Model:   watched{w, faults},
		Parsers: map[string]pipeline.Parser{slack.PathEvents: parser, slack.PathCommands: parser, slack.PathInteractions: parser},
		Posters: map[chat.Platform]pipeline.Poster{chat.Slack: api.Poster()},
		Readers: map[chat.Platform]pipeline.Reader{chat.Slack: api.Reader()},
		Workers: w.opts.workers, Config: w.opts.config, Log: log,
	}
	ctx, cancel := context.WithCancel(w.t.Context())
	p.cancel = cancel
	go func() {
		defer close(p.done)
		if err := p.system.Run(ctx); err != nil {
			w.t.Error(err)
		}
	}()
	return p
}

// stop ends the process gracefully.
func (p *process) stop() {
	p.once.Do(func() {
		p.cancel()
		<-p.done
		if err := p.store.Close(); err != nil {
			p.w.t.Error(err)
		}
	})
}

// kill ends the process as SIGKILL does: nothing it still does has an effect.
func (p *process) kill() {
	p.faults.Kill()
	p.stop()
}

// deliver sends an event to the process and returns the status of its answer.
func (p *process) deliver(in slacktest.Inbound) int {
	p.w.t.Helper()
	r, err := in.Request("http://parley.test")
	if err != nil {
		p.w.t.Fatal(err)
	}
	rec := &recorder{header: http.Header{}}
	p.system.Ingress().ServeHTTP(rec, r)
	return rec.status
}

// accept delivers an event that must be acknowledged.
func (p *process) accept(in slacktest.Inbound) {
	p.w.t.Helper()
	if status := p.deliver(in); status != http.StatusOK {
		p.w.t.Fatalf("the event was answered %d", status)
	}
}

// recorder is an http.ResponseWriter.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header { return r.header }
func (r *recorder) WriteHeader(s int)   { r.status = s }
func (r *recorder) Write(p []byte) (int, error) {
	return r.body.Write(p)
}

// faulty passes calls of the Web API through a process that may die.
type faulty struct {
	faults *pipelinetest.Faults
	next   http.RoundTripper
}

func (f faulty) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	err = f.faults.Call(r.Context(), "slack."+path.Base(r.URL.Path), func(context.Context) error {
		resp, err = f.next.RoundTrip(r)
		return err
	})
	if err != nil {
		if resp != nil {
			resp.Body.Close()
		}
		return nil, err
	}
	return resp, nil
}

// watched counts the model's calls and lets the process die at its first piece.
type watched struct {
	w      *world
	faults *pipelinetest.Faults
}

func (m watched) Stream(ctx context.Context, p pipeline.Prompt) iter.Seq2[pipeline.Delta, error] {
	return func(yield func(pipeline.Delta, error) bool) {
		m.w.mu.Lock()
		m.w.calls[p.MessageID]++
		m.w.mu.Unlock()
		first := true
		for d, err := range m.w.model.Stream(ctx, p) {
			if first {
				if dead := m.faults.Call(ctx, "model.delta", func(context.Context) error { return nil }); dead != nil {
					yield(pipeline.Delta{}, dead)
					return
				}
				first = false
			}
			if !yield(d, err) {
				return
			}
		}
	}
}

// modelCalls is how often the model was asked in all.
func (w *world) modelCalls() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, c := range w.calls {
		n += c
	}
	return n
}

// within waits in fake time until ok holds, and fails the test after limit.
func (w *world) within(limit time.Duration, what string, ok func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(limit); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("after %v: not %s", limit, what)
		}
	}
}

// settled waits until thread root has n finished answers and returns their texts.
func (w *world) settled(limit time.Duration, channel, root string, n int) []string {
	w.t.Helper()
	var texts []string
	w.within(limit, "settled", func() bool {
		if texts = nil; !w.quiet() { // first: what is read after it is final
			return false
		}
		for _, m := range w.slack.Answers(channel, root) {
			if m.Open || strings.TrimSpace(m.Text()) == "" {
				return false
			}
			texts = append(texts, m.Text())
		}
		return len(texts) == n
	})
	return texts
}

// quiet reports whether every queue of the data file is empty.
func (w *world) quiet() bool {
	store, err := sqlitestore.Open(w.t.Context(), w.path, sqlitestore.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	defer store.Close()
	for _, name := range []string{sqlitestore.Requests, sqlitestore.Control, sqlitestore.Replies} {
		depth, err := store.Queue(name).Depth(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		if depth.Visible+depth.InFlight > 0 {
			return false
		}
	}
	return true
}

// mention posts a question and returns it with its event.
func (w *world) mention(channel, thread, text string) (slacktest.Message, slacktest.Inbound) {
	m := w.slack.Say(channel, thread, "U0ANN00001", "<@"+slacktest.DefaultBotUser+"> "+text)
	return m, w.slack.EventMention(m)
}

// answer is what the data file keeps as the answer to a message, "" for none.
func (w *world) answer(m slacktest.Message) string {
	store, err := sqlitestore.Open(w.t.Context(), w.path, sqlitestore.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	defer store.Close()
	k, err := store.LoadCase(w.t.Context(), slack.MessageID(slacktest.DefaultAppID, m.Channel, m.TS))
	if err != nil {
		w.t.Fatal(err)
	}
	turn, ok, err := store.Turn(w.t.Context(), k.Turn)
	if err != nil {
		w.t.Fatal(err)
	}
	if !ok {
		return ""
	}
	return turn.Answer
}
