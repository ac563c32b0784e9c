package world

import (
	"bytes"
	"context"
	"database/sql"
	"net/http"
	"path"
	"sync"
	"time"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
	"parley/pkg/pipelinetest"
	"parley/pkg/slack/slacktest"
	"parley/pkg/sqlitestore"
)

// Usage and Depther spare the tests two imports.
type (
	// Usage is chat.Usage.
	Usage = chat.Usage
	// Depther is a queue that can be counted.
	Depther = interface {
		Depth(ctx context.Context) (pipeline.Depth, error)
	}
)

// Process is one life of Parley: the server of one machine, or the functions of a
// deployment.
type Process struct {
	w       *World
	Faults  *pipelinetest.Faults
	ingress *pipeline.Ingress
	end     func() // stops gracefully and waits
	once    sync.Once
}

// Stop ends the process gracefully.
func (p *Process) Stop() { p.once.Do(p.end) }

// Kill ends the process as SIGKILL does: nothing it still does has an effect.
func (p *Process) Kill() {
	p.Faults.Kill()
	p.Stop()
}

// Deliver sends an event to the process and returns the status of its answer.
func (p *Process) Deliver(in slacktest.Inbound) int {
	p.w.Helper()
	r, err := in.Request("http://parley.test")
	if err != nil {
		p.w.Fatal(err)
	}
	rec := &recorder{header: http.Header{}}
	p.ingress.ServeHTTP(rec, r)
	return rec.status
}

// Accept delivers an event that must be acknowledged.
func (p *Process) Accept(in slacktest.Inbound) {
	p.w.Helper()
	if status := p.Deliver(in); status != http.StatusOK {
		p.w.Fatalf("the event was answered %d", status)
	}
}

// recorder is an http.ResponseWriter.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(s int)           { r.status = s }
func (r *recorder) Write(p []byte) (int, error) { return r.body.Write(p) }

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

// file is the form of one machine.
type file struct {
	w      *World
	path   string
	beside *sqlitestore.Store // open for With; nil until it is first wanted
}

func newFile(w *World, path string) *file { return &file{w: w, path: path} }

func (h *file) open(o sqlitestore.Options) *sqlitestore.Store {
	if n := h.w.opts.MaxReceives; n > 0 {
		o.MaxReceives = map[string]int{sqlitestore.Requests: n}
	}
	s, err := sqlitestore.Open(h.w.Context(), h.path, o)
	if err != nil {
		h.w.Fatal(err)
	}
	return s
}

func (h *file) with(do func(b Backend)) {
	if h.beside == nil {
		h.beside = h.open(sqlitestore.Options{})
		h.w.Cleanup(func() { _ = h.beside.Close() })
	}
	s := h.beside
	b := Backend{Cases: s, Memory: s, Deliveries: s, Quotas: s, People: s, Queues: map[string]Counted{}, Dead: map[string]pipeline.DeadLetters{}}
	for _, name := range queueNames {
		b.Queues[name], b.Dead[name] = s.Queue(name), s.DeadLetters(name)
	}
	do(b)
}

func (h *file) lose(id string, cases, deliveries bool) {
	db, err := sql.Open("sqlite", h.path)
	if err != nil {
		h.w.Fatal(err)
	}
	defer db.Close()
	var statements []string
	if cases {
		statements = append(statements, "DELETE FROM cases WHERE message_id = ?")
	}
	if deliveries {
		statements = append(statements, "DELETE FROM deliveries WHERE message_id = ?", "DELETE FROM posts WHERE message_id = ?")
	}
	for _, s := range statements {
		if _, err := db.ExecContext(h.w.Context(), s, id); err != nil {
			h.w.Fatal(err)
		}
	}
}

func (h *file) start(f *pipelinetest.Faults) *Process {
	w, log := h.w, h.w.logger()
	s := h.open(sqlitestore.Options{Serve: true, Logger: log})
	api := w.slackClient(f, log)
	channel := func(name string) pipeline.Channel {
		return pipeline.Channel{Queue: f.Queue(name, s.Queue(name)), Letters: f.Outbox(name+"-dead", s.DeadLetterOutbox(name))}
	}
	system := &pipeline.System{
		Requests: channel(Requests), Control: channel(Control), Replies: channel(Replies),
		Cases: f.Cases(s), Memory: f.Memory(s), Deliveries: f.Deliveries(s), Quotas: f.Quotas(s),
		Model: &seen{w.Model, f}, Price: w.opts.Price, Parsers: w.parsers(),
		Posters: map[chat.Platform]pipeline.Poster{chat.Slack: api.Poster()},
		Readers: map[chat.Platform]pipeline.Reader{chat.Slack: api.Reader()},
		Workers: w.opts.Workers, Config: w.opts.Config, Metrics: w.opts.Metrics, Log: log, Grace: 2 * time.Second,
	}
	system.Profiles = w.opts.Profiles
	system.People, system.Admins, system.Config.Version = f.People(s), w.opts.Admins, "1.2.3"
	system.Operator = &pipeline.Operator{Cases: system.Cases, Memory: system.Memory, Deliveries: system.Deliveries}
	for _, name := range queueNames {
		system.Operator.Queues = append(system.Operator.Queues, pipeline.DeadQueue{Name: name, Dead: s.DeadLetters(name), Source: f.Outbox(name, s.Queue(name))})
		system.Watched = append(system.Watched, pipeline.Watched{Name: name, Queue: s.Queue(name), Dead: s.DeadLetters(name)})
	}
	ctx, cancel := context.WithCancel(w.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := system.Run(ctx); err != nil {
			w.Error(err)
		}
	}()
	return &Process{w: w, Faults: f, ingress: system.Ingress(), end: func() {
		cancel()
		<-done
		if err := s.Close(); err != nil {
			w.Error(err)
		}
	}}
}
