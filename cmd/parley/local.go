package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"parley/pkg/bedrock"
	"parley/pkg/chat"
	"parley/pkg/config"
	"parley/pkg/demo"
	"parley/pkg/extract"
	"parley/pkg/notes"
	"parley/pkg/pipeline"
	"parley/pkg/profiles"
	"parley/pkg/sqlitestore"
	"parley/pkg/webchat"
)

// defaultData is the data file of a server that was not given one.
const defaultData = "parley.db"

// localFlags are what dev, serve and ask are told on the command line.
type localFlags struct {
	addr     string
	data     string
	model    string
	docs     string
	profiles string
	profile  string
	page     bool
	connect  []string
	quiet    bool // log only what goes wrong, unless LOG_LEVEL=DEBUG: somebody reads the terminal
}

// local is the whole pipeline on this machine.
type local struct {
	flags   localFlags
	log     *slog.Logger
	chat    config.Chat
	models  config.Model
	limits  config.Limits
	admins  config.Admins
	store   *sqlitestore.Store
	system  *pipeline.System
	hub     *webchat.Hub
	folders folders
	notes   *notes.Folder   // nil without --docs
	at      config.Profiles // where the file of profiles is
	live    *profiles.Live  // nil without a file of profiles
	// off says, for each platform without credentials, what is missing.
	off []string
	// receivers hold sockets open instead of a public URL.
	receivers []receiver
}

// openLocal reads the configuration and opens the store. The caller closes it.
func openLocal(ctx context.Context, f localFlags) (*local, error) {
	l := &local{flags: f}
	var level config.Log
	if err := errors.Join(config.Load(&l.chat), config.Load(&l.models), config.Load(&l.limits), config.Load(&l.admins), config.Load(&level), config.Load(&l.at)); err != nil {
		return nil, configMistake(err)
	}
	l.at.File = cmp.Or(f.profiles, l.at.File)
	if f.profile != "" && l.at.File == "" {
		return nil, usagef("--profile %s: there is no file of profiles; name it with --profiles", f.profile)
	}
	if f.quiet && level.Level == slog.LevelInfo {
		level.Level = slog.LevelWarn
	}
	l.log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level.Level}))
	model, err := l.model(ctx)
	if err != nil {
		return nil, err
	}
	price, err := l.price()
	if err != nil {
		return nil, err
	}
	store, err := sqlitestore.Open(ctx, f.data, sqlitestore.Options{Serve: true, MemoryDays: l.chat.MemoryDays, Logger: l.log})
	if err != nil {
		return nil, err
	}
	l.store = store
	l.folders = folders{data: f.data, docs: f.docs, log: l.log}
	l.system = &pipeline.System{
		Requests: channel(store, sqlitestore.Requests),
		Control:  channel(store, sqlitestore.Control),
		Replies:  channel(store, sqlitestore.Replies),
		Cases:    store, Memory: store, Deliveries: store, Quotas: store, People: store, Price: price,
		Model:   model,
		Parsers: map[string]pipeline.Parser{},
		Posters: map[chat.Platform]pipeline.Poster{},
		Readers: map[chat.Platform]pipeline.Reader{},
		Extract: extract.Text,
		Config:  workerConfig(l.chat, l.models, l.limits),
		Log:     l.log,
		Metrics: logMetrics{l.log},
	}
	l.system.Admins, l.system.Operator, l.system.Watched = l.admins.IDs, localOperator(store), localWatched(store)
	if err := errors.Join(l.platforms(ctx), l.remember(ctx), l.knowledge(ctx), l.profiles(ctx)); err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

func channel(s *sqlitestore.Store, name string) pipeline.Channel {
	return pipeline.Channel{Queue: s.Queue(name), Letters: s.DeadLetterOutbox(name)}
}

func workerConfig(c config.Chat, m config.Model, l config.Limits) pipeline.WorkerConfig {
	system := c.System
	if system == "" {
		system = defaultSystem
	}
	user, channel, workspace := l.Budgets()
	base := pipeline.Profile{
		System: system, Language: c.Language, FollowUps: c.FollowUps, External: c.AllowExternal(), AskWhom: m.AskWhom,
		Budget: pipeline.Budget{User: user, Channel: channel, Workspace: workspace, Money: l.Money()},
	}
	for _, choice := range m.ModelChoices() {
		base.Models = append(base.Models, pipeline.Choice(choice))
	}
	return pipeline.WorkerConfig{
		Profile:   base,
		Seats:     pipeline.Seats{User: l.UserConcurrency, Workspace: l.WorkspaceConcurrency},
		MaxTokens: m.MaxTokens, MemoryTurns: c.MemoryTurns, MemoryTokens: c.MemoryTokens, Version: version,
	}
}

// defaultSystem is the system prompt of an installation that has not set one.
const defaultSystem = "You are Parley, a helpful assistant in a team's chat. Answer in the language of the question, " +
	"briefly and to the point, in Markdown. Say so when you do not know."

func (l *local) model(ctx context.Context) (pipeline.Model, error) {
	switch l.flags.model {
	case "demo":
		return &demo.Model{Pace: 25 * time.Millisecond}, nil
	case "bedrock":
		return bedrockModel(ctx, l.models, l.log)
	}
	return nil, usagef("--model is %q; it must be demo or bedrock", l.flags.model)
}

// price says what a model call costs, nil where there is no price table.
func (l *local) price() (func(model string, u chat.Usage) (float64, bool), error) {
	id := l.models.ID
	if l.flags.model == "demo" {
		id = demo.Name
	}
	return bedrock.PriceOf(l.limits.Prices, id, l.limits.Money())
}

// close ends the stores. Run must have returned.
func (l *local) close() error {
	return errors.Join(l.folders.close(), l.store.Close())
}

// serve listens, says where, and runs the pipeline until ctx ends.
func (l *local) serve(ctx context.Context, ready func(address string)) error {
	listener, err := net.Listen("tcp", l.flags.addr)
	if err != nil {
		return fmt.Errorf("listen on %s: %w (choose another address with --addr)", l.flags.addr, err)
	}
	ingress := l.system.Ingress()
	var handler http.Handler = ingress
	if l.hub != nil {
		handler = l.hub.Handler(ingress)
	}
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(l.log.Handler(), slog.LevelDebug),
	}
	if l.hub != nil {
		server.RegisterOnShutdown(l.hub.Close)
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	failed := make(chan error, 1)
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			failed <- err
			stop()
		}
	}()
	context.AfterFunc(running, func() { l.shutdown(server) })
	var receiving sync.WaitGroup
	for _, r := range l.receivers {
		receiving.Go(func() { l.receive(running, r) })
	}
	l.folders.follow(running, &receiving)
	if l.notes != nil {
		receiving.Go(func() { l.notes.Watch(running, expireEvery, l.log) })
	}
	if l.live != nil {
		receiving.Go(func() { l.live.Watch(running, profilesEvery, l.log) })
	}
	ready(listener.Addr().String())
	err = l.system.Run(running)
	receiving.Wait()
	select {
	case serveErr := <-failed:
		return errors.Join(serveErr, err)
	default:
		return err
	}
}

// shutdown stops accepting requests and gives those under way a moment.
func (l *local) shutdown(server *http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		_ = server.Close()
	}
}

func (l *local) receive(ctx context.Context, r receiver) {
	if err := r.run(ctx); err != nil && ctx.Err() == nil {
		l.log.Error("connector ended", "platform", r.name, "err", err)
	}
}
