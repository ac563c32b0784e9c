package e2e

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"path"
	"sync"
	"time"

	"parley/pkg/chat"
	"parley/pkg/extract"
	"parley/pkg/pipeline"
	"parley/pkg/pipelinetest"
	"parley/pkg/slack"
	"parley/pkg/slack/slackapi"
	"parley/pkg/slack/slacktest"
	"parley/pkg/sqlitestore"
)

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
	p.system = p.build(log)
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

// build wires the pipeline as cmd/parley does.
func (p *process) build(log *slog.Logger) *pipeline.System {
	w, faults, store := p.w, p.faults, p.store
	api, err := slackapi.New(slackapi.Config{
		Token: func() string { return slacktest.DefaultToken }, BaseURL: w.slack.APIURL(), Log: log,
		HTTPClient: &http.Client{Transport: faulty{faults, fileStore{w, w.slack.Transport()}}, Timeout: 8 * time.Second},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	parser, err := slack.NewParser(slack.Config{
		Secrets:   func() []string { return []string{slacktest.DefaultSecret} },
		FollowUps: w.opts.config.Profile.FollowUps != pipeline.FollowNever, APIURL: w.slack.APIURL(),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	channel := func(name string) pipeline.Channel {
		return pipeline.Channel{Queue: faults.Queue(name, store.Queue(name)), Letters: faults.Outbox(name+"-dead", store.DeadLetterOutbox(name))}
	}
	config := w.opts.config
	if config.Profile.Retriever == nil {
		config.Profile.Retriever = w.opts.docs
	}
	var knowledge pipeline.Knowledge
	if w.opts.knowledge != nil {
		knowledge = shelf{w.opts.knowledge, faults}
	}
	return &pipeline.System{
		Requests: channel(sqlitestore.Requests), Control: channel(sqlitestore.Control), Replies: channel(sqlitestore.Replies),
		Cases: faults.Cases(store), Memory: faults.Memory(store), Deliveries: faults.Deliveries(store),
		Quotas: store, Model: watched{w, faults}, Profiles: w.opts.profiles,
		Parsers: map[string]pipeline.Parser{slack.PathEvents: parser, slack.PathCommands: parser, slack.PathInteractions: parser},
		Posters: map[chat.Platform]pipeline.Poster{chat.Slack: api.Poster()},
		Readers: map[chat.Platform]pipeline.Reader{chat.Slack: api.Reader()},
		Extract: extract.Text, Knowledge: knowledge,
		Metrics: w, Workers: w.opts.workers, Config: config, Log: log,
	}
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
	status, _ := p.request(in)
	return status
}

// request sends an event to the process and returns its answer.
func (p *process) request(in slacktest.Inbound) (status int, body string) {
	p.w.t.Helper()
	r, err := in.Request("http://parley.test")
	if err != nil {
		p.w.t.Fatal(err)
	}
	rec := &recorder{header: http.Header{}}
	p.system.Ingress().ServeHTTP(rec, r)
	return rec.status, rec.body.String()
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

// shelf passes calls of the knowledge through a process that may die.
type shelf struct {
	next   pipeline.Knowledge
	faults *pipelinetest.Faults
}

func (s shelf) Ingest(ctx context.Context, d pipeline.Document) error {
	return s.faults.Call(ctx, "knowledge.Ingest", func(ctx context.Context) error { return s.next.Ingest(ctx, d) })
}

func (s shelf) Forget(ctx context.Context, id string) error {
	return s.faults.Call(ctx, "knowledge.Forget", func(ctx context.Context) error { return s.next.Forget(ctx, id) })
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
