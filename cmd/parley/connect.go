package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"parley/pkg/config"
	"parley/pkg/pipeline"
	"parley/pkg/sqlitestore"
	"parley/pkg/sqsqueue/sqssend"
)

func connectCommand() *cobra.Command {
	var data, health string
	c := &cobra.Command{
		Use:   "connect slack|dingtalk",
		Short: "Hold a platform's socket open and feed the requests queue",
		Long: `Holds Slack Socket Mode or DingTalk Stream open, for installations without a public
address. What arrives goes through the same parser into the same requests queue as
over HTTP, and is acknowledged only when it is there. Several instances may run.

It feeds the queues named by REQUESTS_QUEUE_URL and CONTROL_QUEUE_URL or, with
--data, the data file of a running "parley serve".`,
		Example: `  parley connect slack
  parley connect dingtalk --health 127.0.0.1:8081
  parley connect slack --data parley.db`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || (args[0] != "slack" && args[0] != "dingtalk") {
				return usagef("connect takes a platform: slack or dingtalk")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			return connect(c.Context(), args[0], data, health)
		},
	}
	c.Flags().StringVar(&data, "data", "", "data file of a running serve, instead of SQS")
	c.Flags().StringVar(&health, "health", "", "address to serve /healthz on, such as 127.0.0.1:8081 (default: none)")
	return c
}

// connect runs one receiver until ctx ends.
func connect(ctx context.Context, platform, data, health string) error {
	var level config.Log
	var at config.Profiles
	if err := errors.Join(config.Load(&level), config.Load(&at)); err != nil {
		return err
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level.Level}))
	ingress, done, err := feed(ctx, data, log)
	if err != nil {
		return err
	}
	r, err := newReceiver(platform, at, ingress.Accept, log)
	if err != nil {
		return errors.Join(err, done())
	}
	stop, err := serveHealth(ctx, health, r)
	if err != nil {
		return errors.Join(err, done())
	}
	log.Info("connecting", "platform", platform)
	err = r.run(ctx)
	stop()
	return errors.Join(err, done())
}

// feed returns an ingress into the queues of a deployment or of a data file.
func feed(ctx context.Context, data string, log *slog.Logger) (*pipeline.Ingress, func() error, error) {
	in := &pipeline.Ingress{Log: log}
	if data != "" {
		store, err := openData(ctx, data)
		if err != nil {
			return nil, nil, err
		}
		in.Requests, in.Control = store.Queue(sqlitestore.Requests), store.Queue(sqlitestore.Control)
		return in, store.Close, nil
	}
	var q config.Queues
	if err := config.Load(&q); err != nil {
		return nil, nil, err
	}
	if q.Requests == "" || q.Control == "" {
		return nil, nil, errors.New("REQUESTS_QUEUE_URL and CONTROL_QUEUE_URL are not set; set both, or name a data file with --data")
	}
	cfg, err := loadAWS(ctx)
	if err != nil {
		return nil, nil, err
	}
	client := sqssend.NewClient(cfg)
	in.Requests, in.Control = sqssend.New(client, q.Requests), sqssend.New(client, q.Control)
	return in, func() error { return nil }, nil
}

// serveHealth answers /healthz with what the receiver says of itself: 200 while it
// is connected, 503 while it is not.
func serveHealth(ctx context.Context, addr string, r receiver) (stop func(), err error) {
	if addr == "" {
		return func() {}, nil
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w (choose another address with --health)", addr, err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		connected, status := r.health()
		w.Header().Set("Content-Type", "application/json")
		if !connected {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_ = json.NewEncoder(w).Encode(status)
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(listener) }()
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = server.Shutdown(ctx)
	}, nil
}
