package slacksocket

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	slackgo "github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"

	"parley/pkg/pipeline"
	"parley/pkg/slack"
)

// Bounds of a receiver.
const (
	acceptTimeout = 10 * time.Second // for making one envelope durable
	drainTimeout  = 10 * time.Second // for finishing what was begun, after the end
	pingTimeout   = 30 * time.Second // without a ping the connection is dead
	readLimit     = 4 << 20          // bytes of one envelope
	// ackLimit is what Slack takes as an acknowledgement; it drops larger ones
	// without a word.
	ackLimit = 20 << 10
)

// Config is what a Receiver needs.
type Config struct {
	AppToken string // app-level, with connections:write: xapp-...
	APIURL   string // such as https://slack.com/api/
	Parser   *slack.Parser
	// Accept makes what an envelope says durable. It is called from several
	// goroutines, for each conversation from one at a time. An error leaves the
	// envelope unacknowledged.
	Accept  func(ctx context.Context, parsed pipeline.Parsed) error
	Metrics pipeline.Metrics // may be nil
	Log     *slog.Logger
	// HTTP calls apps.connections.open; nil means a client with a timeout.
	HTTP *http.Client
	// PingTimeout is how long the connection may go without a ping; 0 means 30 s.
	PingTimeout time.Duration
}

// Receiver holds one Socket Mode connection. Run it once.
type Receiver struct {
	cfg    Config
	client *socketmode.Client
	pace   *pacer
	watch  *watch
	lanes  lanes
	queued atomic.Int64 // acknowledgements on their way out, since the start

	mu     sync.Mutex
	status Status
	giveUp context.CancelFunc // ends the current attempt to connect
}

// Status is the state of a receiver's connection.
type Status struct {
	Connected   bool
	Connections int       // made since the start
	Since       time.Time // of the last change of Connected
	LastHeard   time.Time // when anything last came over the connection, pings included
	Err         string    // why the last attempt to connect failed, "" once connected
}

// New returns a receiver that is not connected yet.
func New(cfg Config) *Receiver {
	r := &Receiver{cfg: cfg, watch: newWatch()}
	inner := cfg.HTTP
	if inner == nil {
		inner = &http.Client{Timeout: acceptTimeout}
	}
	r.pace = &pacer{inner: inner, first: firstWait}
	api := slackgo.New("", slackgo.OptionAppLevelToken(cfg.AppToken),
		slackgo.OptionAPIURL(cfg.APIURL), slackgo.OptionHTTPClient(r.pace))
	r.client = socketmode.New(api,
		socketmode.OptionDialer(r.watch.dialer()),
		socketmode.OptionReadLimit(readLimit),
		socketmode.OptionPingInterval(cmp.Or(cfg.PingTimeout, pingTimeout)))
	return r
}

// Status returns the state of the connection. It is safe for concurrent use.
func (r *Receiver) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.status
	s.LastHeard = r.watch.lastHeard()
	return s
}

// Run receives until ctx ends, and then finishes what it has begun: envelopes
// being made durable are acknowledged, later ones are left for redelivery. It
// returns an error, which is permanent, only if Slack refuses the token before
// there ever was a connection; a token that is refused later may be a hiccup.
func (r *Receiver) Run(ctx context.Context) error {
	live, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	refused := make(chan error, 1)
	var connector sync.WaitGroup
	connector.Go(func() { refused <- r.stayConnected(live) })
	r.lanes.start(func(e envelope) { r.accept(live, e) })

	var err error
	for running := true; running; {
		select {
		case <-ctx.Done():
			running = false
		case err = <-refused:
			running = false
		case ev := <-r.client.Events:
			r.handle(ctx, ev)
		}
	}
	r.drain()
	stop()
	connector.Wait()
	r.lanes.wg.Wait()
	return err
}

// stayConnected runs slack-go's client, which reconnects by itself while the
// connections succeed; its waits between failed attempts, which grow to five
// minutes, are cut short in favour of the pacer's.
func (r *Receiver) stayConnected(ctx context.Context) error {
	for ctx.Err() == nil {
		attempt, cancel := context.WithCancel(ctx)
		r.mu.Lock()
		r.giveUp = cancel
		r.mu.Unlock()
		err := r.client.RunContext(attempt)
		cancel()
		if errors.Is(err, context.Canceled) {
			continue
		}
		r.disconnected(err)
		if r.Status().Connections == 0 {
			return pipeline.Permanent(pipeline.ReasonConfig, refusal(err))
		}
		r.cfg.Log.Error("slack refuses the connection", "err", refusal(err))
	}
	return nil
}

// drain waits until what was begun is durable and acknowledged.
func (r *Receiver) drain() {
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	if !r.lanes.finish(ctx) || !r.watch.written(ctx, r.queued.Load()) {
		r.cfg.Log.Warn("stopped before everything was acknowledged; slack will redeliver")
	}
}
