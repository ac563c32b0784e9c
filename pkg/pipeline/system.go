package pipeline

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"parley/pkg/chat"
)

// Channel is one queue of a System with the outbox into its dead letters.
type Channel struct {
	Queue   Queue
	Letters Outbox
}

// System is the whole pipeline in one process: the three stages over given
// queues, stores and platforms. On AWS the stages run apart, with the same code.
type System struct {
	Requests, Control, Replies Channel

	Cases      Cases
	Memory     Memory
	Deliveries Deliveries
	Quotas     Quotas // nil: nothing is counted
	People     People // nil: nobody can choose anything for themselves
	Price      func(model string, u chat.Usage) (cost float64, ok bool)
	Model      Model
	Profiles   Profiles
	Rewriter   Rewriter
	Parsers    map[string]Parser
	Posters    map[chat.Platform]Poster
	Readers    map[chat.Platform]Reader
	Extract    Extract
	Knowledge  Knowledge

	// What the people named in Admins see of the installation, and do for it.
	Admins   []string
	Operator *Operator
	Watched  []Watched

	Config  WorkerConfig
	Workers int // conversations answered at once; default 20
	Metrics Metrics
	Log     *slog.Logger
	Now     func() time.Time // nil: time.Now
	Grace   time.Duration    // for a graceful stop; default 2 s
}

// Ingress returns the stage that accepts requests.
func (s *System) Ingress() *Ingress {
	return &Ingress{
		Parsers: s.Parsers, Requests: s.Requests.Queue, Control: s.Control.Queue,
		Metrics: s.Metrics, Log: s.Log, Now: s.Now,
	}
}

// Controller returns the stage that handles stops, edits and the like.
func (s *System) Controller() *Control {
	return &Control{
		Cases: s.Cases, Memory: s.Memory, Requests: s.Requests.Queue, Replies: s.Replies.Queue,
		Letters: s.Control.Letters, Profile: s.Config.Profile, Profiles: s.Profiles, Policy: s.Config.Policy, Home: s.Home(),
		Metrics: s.Metrics, Log: s.Log, Now: s.Now,
	}
}

// Home returns what makes people's own pages.
func (s *System) Home() *Home {
	c := s.Config.withDefaults()
	return &Home{
		Meter: Meter{s.Quotas, s.Now}, Memory: s.Memory, People: s.People, Replies: s.Replies.Queue,
		Turns: c.MemoryTurns, Tokens: c.MemoryTokens,
		Admins: s.Admins, Cases: s.Cases, Operator: s.Operator, Watched: s.Watched,
		Version: s.Config.Version, Log: s.Log, Now: s.Now,
	}
}

// Worker returns the stage that answers.
func (s *System) Worker() *Worker {
	return &Worker{
		Cases: s.Cases, Memory: s.Memory, Visibility: s.Requests.Queue, Replies: s.Replies.Queue,
		Letters: s.Requests.Letters, Control: s.Controller(), Model: s.Model, Profiles: s.Profiles, Rewriter: s.Rewriter,
		Quotas: s.Quotas, People: s.People, Price: s.Price, Gate: NewGate(), Suspects: NewLane(),
		Readers: s.Readers, Extract: s.Extract, Knowledge: s.Knowledge, Metrics: s.Metrics, Log: s.Log, Now: s.Now, Config: s.Config,
	}
}

// Responder returns the stage that shows answers.
func (s *System) Responder() *Responder {
	return &Responder{
		Deliveries: s.Deliveries, Posters: s.Posters, Letters: s.Replies.Letters,
		Metrics: s.Metrics, Log: s.Log, Now: s.Now, Version: s.Config.Version,
	}
}

// Run drives the stages until ctx ends, then drains them, the worker first: what
// it published last is still shown if the time allows.
func (s *System) Run(ctx context.Context) error {
	if s.Model == nil || s.Log == nil {
		return errors.New("run pipeline: a model and a logger are required")
	}
	if s.Workers == 0 {
		s.Workers = 20
	}
	if s.Grace == 0 {
		s.Grace = 2 * time.Second
	}
	responding, stopResponding := context.WithCancel(context.WithoutCancel(ctx))
	defer stopResponding()
	var asking, answering sync.WaitGroup
	run := func(all *sync.WaitGroup, ctx context.Context, p *Pump) {
		p.Log, p.Grace = s.Log, s.Grace
		all.Go(func() { p.Run(ctx) })
	}
	run(&asking, ctx, &Pump{Name: "requests", Queue: s.Requests.Queue, Handler: s.Worker().Handle, Workers: s.Workers, Batch: 1, Hidden: 6 * time.Minute})
	run(&asking, ctx, &Pump{Name: "control", Queue: s.Control.Queue, Handler: s.Controller().Handle, Workers: 5, Batch: 1, Hidden: time.Minute})
	run(&answering, responding, &Pump{Name: "replies", Queue: s.Replies.Queue, Handler: s.Responder().Handle, Workers: 8, Batch: 10, Hidden: 90 * time.Second})
	asking.Wait()
	stopResponding()
	answering.Wait()
	return nil
}
