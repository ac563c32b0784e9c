package e2e

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
	"parley/pkg/slack"
	"parley/pkg/slack/slackapi"
	"parley/pkg/slack/slacktest"
	"parley/pkg/sqlitestore"
)

// instant is a model that answers at once.
type instant struct{}

func (instant) Stream(context.Context, pipeline.Prompt) iter.Seq2[pipeline.Delta, error] {
	return func(yield func(pipeline.Delta, error) bool) {
		_ = yield(pipeline.Delta{Text: "At once."}, nil) && yield(pipeline.Delta{Stop: pipeline.StopEnd, Model: "instant"}, nil)
	}
}

// sink is an outbox that keeps nothing.
type sink struct{}

func (sink) Send(context.Context, pipeline.Envelope) error { return nil }

// BenchmarkTurn is one turn of the worker, from claim to commit, in a conversation
// of so many turns. Its cost must not grow with the conversation's age.
func BenchmarkTurn(b *testing.B) {
	for _, turns := range []int{10, 10_000} {
		b.Run(fmt.Sprint(turns), func(b *testing.B) { benchmarkTurn(b, turns) })
	}
}

func benchmarkTurn(b *testing.B, turns int) {
	ctx := b.Context()
	store, err := sqlitestore.Open(ctx, filepath.Join(b.TempDir(), "parley.db"), sqlitestore.Options{Serve: true})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	conversation := chat.Conversation{Platform: chat.Slack, Tenant: "A1", Channel: "D1"}
	began := time.Now().Add(-time.Duration(turns+1) * time.Second)
	for i := range turns {
		id := fmt.Sprintf("old-%d", i)
		turn := pipeline.Turn{
			TurnKey:  pipeline.TurnKey{Conversation: conversation.Key(), SentAt: began.Add(time.Duration(i) * time.Second), MessageID: id},
			Question: "a question of some words", Answer: strings.Repeat("words of an answer ", 10),
		}
		err := store.SwapCase(ctx, pipeline.Case{MessageID: id, Rev: 1, State: pipeline.CaseAnswered, Turn: turn.TurnKey}, pipeline.Effects{Put: &turn})
		if err != nil {
			b.Fatal(err)
		}
	}
	worker := &pipeline.Worker{
		Cases: store, Memory: store, Visibility: store.Queue(sqlitestore.Requests), Replies: sink{}, Letters: sink{},
		Model: instant{}, Log: slog.New(slog.DiscardHandler), Config: pipeline.WorkerConfig{MemoryTurns: 10},
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		m := chat.Message{ID: fmt.Sprintf("new-%d", i), Kind: chat.KindAsk, Conversation: conversation, Text: "and now?", SentAt: time.Now()}
		body, err := chat.EncodeMessage(m)
		if err != nil {
			b.Fatal(err)
		}
		if s := worker.Handle(ctx, []pipeline.Delivery{{ID: "1", Body: body, Receives: 1}}); s[0].Action != pipeline.Ack {
			b.Fatalf("the turn ended with %+v", s[0])
		}
	}
}

// BenchmarkOverhead is what the pipeline adds to the model and to Slack: from the
// event that is handed to the ingress to the call that shows the final, with a model
// and a Slack that take no time. The data file is on b.TempDir's disk, whose syncs
// are part of it: TMPDIR on a file system in memory leaves them out.
func BenchmarkOverhead(b *testing.B) {
	server := slacktest.New(unlimited)
	server.Check(b)
	shown := make(chan time.Time, 1)
	watch := roundTripper(func(r *http.Request) (*http.Response, error) {
		at := time.Now()
		resp, err := server.Transport().RoundTrip(r)
		if strings.HasSuffix(r.URL.Path, "chat.postMessage") || strings.HasSuffix(r.URL.Path, "chat.stopStream") || strings.HasSuffix(r.URL.Path, "chat.update") {
			shown <- at
		}
		return resp, err
	})
	ingress := benchSystem(b, server, watch)
	took := make([]time.Duration, 0, b.N)
	for i := 0; b.Loop(); i++ {
		m := server.Say("C1", "", ann, bot+fmt.Sprintf("question %d", i))
		r, err := server.EventMention(m).Request("http://parley.test")
		if err != nil {
			b.Fatal(err)
		}
		rec := &recorder{header: http.Header{}}
		began := time.Now()
		ingress.ServeHTTP(rec, r)
		if rec.status != http.StatusOK {
			b.Fatalf("the event was answered %d", rec.status)
		}
		took = append(took, (<-shown).Sub(began))
	}
	slices.Sort(took)
	for name, p := range map[string]float64{"p50-ms": 0.50, "p99-ms": 0.99} {
		b.ReportMetric(float64(took[int(p*float64(len(took)-1))].Microseconds())/1000, name)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// benchSystem runs the pipeline over a new data file for as long as the benchmark.
func benchSystem(b *testing.B, server *slacktest.Server, network http.RoundTripper) *pipeline.Ingress {
	b.Helper()
	log := slog.New(slog.DiscardHandler)
	store, err := sqlitestore.Open(b.Context(), filepath.Join(b.TempDir(), "parley.db"), sqlitestore.Options{Serve: true})
	if err != nil {
		b.Fatal(err)
	}
	api, err := slackapi.New(slackapi.Config{
		Token: func() string { return slacktest.DefaultToken }, BaseURL: server.APIURL(), Log: log,
		HTTPClient: &http.Client{Transport: network},
	})
	if err != nil {
		b.Fatal(err)
	}
	parser, err := slack.NewParser(slack.Config{Secrets: func() []string { return []string{slacktest.DefaultSecret} }})
	if err != nil {
		b.Fatal(err)
	}
	channel := func(name string) pipeline.Channel {
		return pipeline.Channel{Queue: store.Queue(name), Letters: store.DeadLetterOutbox(name)}
	}
	system := &pipeline.System{
		Requests: channel(sqlitestore.Requests), Control: channel(sqlitestore.Control), Replies: channel(sqlitestore.Replies),
		Cases: store, Memory: store, Deliveries: store, Model: instant{}, Log: log,
		Parsers: map[string]pipeline.Parser{slack.PathEvents: parser},
		Posters: map[chat.Platform]pipeline.Poster{chat.Slack: api.Poster()},
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(b.Context()))
	ended := make(chan error, 1)
	go func() { ended <- system.Run(ctx) }()
	b.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			b.Error(err)
		}
		if err := store.Close(); err != nil {
			b.Error(err)
		}
	})
	return system.Ingress()
}
