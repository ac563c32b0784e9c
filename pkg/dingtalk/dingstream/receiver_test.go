package dingstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"parley/pkg/chat"
	"parley/pkg/dingtalk"
	"parley/pkg/dingtalk/dingtest"
	"parley/pkg/pipeline"
)

// rig is a Receiver, its DingTalk, and the queue it fills.
type rig struct {
	t    *testing.T
	dt   *dingtest.Server
	cfg  Config
	r    *Receiver
	log  *strings.Builder
	stop context.CancelFunc
	done chan struct{}

	mu       sync.Mutex
	accepted []chat.Message
	lost     []chat.Message
	accept   func(chat.Message) error // nil: it is durable
}

func newRig(t *testing.T, o dingtest.Options) *rig {
	r := &rig{t: t, dt: dingtest.New(o), log: &strings.Builder{}}
	r.dt.Pipe()
	r.cfg = Config{
		ClientID: r.dt.ClientID, Secret: func(context.Context) (string, error) { return r.dt.Secret, nil },
		Parser: dingtalk.NewParser(dingtalk.Config{}), Accept: r.take, Lost: r.lose,
		APIURL: r.dt.APIURL, HTTPClient: &http.Client{Transport: r.dt.Transport()}, NetDial: r.dt.Dial,
		Log: slog.New(slog.NewTextHandler(&lockedWriter{w: r.log}, nil)), Version: "test",
	}
	return r
}

type lockedWriter struct {
	mu sync.Mutex
	w  *strings.Builder
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

func (r *rig) take(_ context.Context, p pipeline.Parsed) error {
	for _, m := range p.Messages {
		r.mu.Lock()
		accept := r.accept
		r.mu.Unlock()
		if accept != nil {
			if err := accept(m); err != nil {
				return err
			}
		}
		r.mu.Lock()
		r.accepted = append(r.accepted, m)
		r.mu.Unlock()
	}
	return nil
}

func (r *rig) lose(_ context.Context, p pipeline.Parsed, _ error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lost = append(r.lost, p.Messages...)
}

func (r *rig) setAccept(f func(chat.Message) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.accept = f
}

// start runs the receiver until end.
func (r *rig) start() {
	r.t.Helper()
	var err error
	if r.r, err = New(r.cfg); err != nil {
		r.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(r.t.Context())
	r.stop, r.done = stop, make(chan struct{})
	go func() {
		defer close(r.done)
		if err := r.r.Run(ctx); err != nil {
			r.t.Error(err)
		}
	}()
	synctest.Wait()
}

func (r *rig) end() {
	r.t.Helper()
	r.stop()
	<-r.done
	r.dt.Close()
	for _, v := range r.dt.Violations() {
		r.t.Error("violation:", v)
	}
	for _, secret := range []string{r.dt.Secret, "ticket"} {
		if strings.Contains(r.log.String(), secret) {
			r.t.Errorf("the log holds %q:\n%s", secret, r.log)
		}
	}
}

func (r *rig) say(text string) {
	r.dt.Push(dingtest.TopicMessage, r.dt.Said(dingtest.Inbound{Text: text}))
}

// counts returns how often messages were accepted and lost.
func (r *rig) counts() (accepted, lost int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.accepted), len(r.lost)
}

// heard returns the texts that were made durable, each message once.
func (r *rig) heard() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := map[string]bool{}
	var out []string
	for _, m := range r.accepted {
		if !seen[m.ID] {
			seen[m.ID] = true
			out = append(out, m.Text)
		}
	}
	return out
}

func bubble(t *testing.T, o dingtest.Options, f func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, o)
		r.start()
		f(t, r)
		r.end()
	})
}

func TestReceiveAndAck(t *testing.T) {
	bubble(t, dingtest.Options{}, func(t *testing.T, r *rig) {
		r.say("hello")
		synctest.Wait()
		if got := r.heard(); !slices.Equal(got, []string{"hello"}) {
			t.Errorf("heard %q", got)
		}
		acks := r.dt.Acks()
		if len(acks) != 1 || acks[0].Code != 200 || acks[0].Data != `{"response":null}` {
			t.Errorf("acks %+v", acks)
		}
		if h := r.r.Health(); !h.Connected || h.Err != nil {
			t.Errorf("health %+v", h)
		}
	})
}

// Ack means durable: none before, and none if it never becomes.
func TestNoAckBeforeDurable(t *testing.T) {
	bubble(t, dingtest.Options{RedeliverAfter: time.Hour}, func(t *testing.T, r *rig) {
		release := make(chan struct{})
		r.setAccept(func(chat.Message) error { <-release; return nil })
		r.say("hello")
		time.Sleep(time.Second)
		if n := len(r.dt.Acks()); n != 0 {
			t.Errorf("%d acks before it was durable", n)
		}
		close(release)
		synctest.Wait()
		if n := len(r.dt.Acks()); n != 1 {
			t.Errorf("%d acks once it was durable", n)
		}
	})
}

func TestEnqueueIsRetriedThenLeftToDingTalk(t *testing.T) {
	bubble(t, dingtest.Options{}, func(t *testing.T, r *rig) {
		r.setAccept(func(chat.Message) error { return errors.New("the queue is down") })
		began := time.Now()
		r.say("hello")
		for range 30 {
			time.Sleep(time.Second)
			if _, lost := r.counts(); lost > 0 {
				break
			}
		}
		if _, lost := r.counts(); lost != 1 {
			t.Errorf("%d lost, want 1", lost)
		}
		if took := time.Since(began); took < 17*time.Second || took > 22*time.Second {
			t.Errorf("given up after %v, want about 20s", took)
		}
		if n := len(r.dt.Acks()); n != 0 {
			t.Errorf("%d acks for what is not durable", n)
		}
		r.setAccept(nil)
		time.Sleep(time.Minute)
		if got := r.heard(); !slices.Equal(got, []string{"hello"}) || r.dt.Unacked() != 0 || r.dt.Redelivered() != 1 {
			t.Errorf("heard %q after redelivery, %d unacked", got, r.dt.Unacked())
		}
	})
}

// A redelivered frame has a new id and the same message: it is acknowledged again
// under its own id, and its identity is the same.
func TestRedeliveryKeepsIdentity(t *testing.T) {
	bubble(t, dingtest.Options{}, func(t *testing.T, r *rig) {
		r.dt.LoseAcks(2)
		r.say("hello")
		time.Sleep(3 * time.Minute)
		if n, _ := r.counts(); n != 3 || len(r.heard()) != 1 || r.dt.Unacked() != 0 {
			t.Errorf("accepted %d times, as %d messages", n, len(r.heard()))
		}
	})
}

// Order holds within a conversation even when the first message has to be tried
// again; other conversations do not wait.
func TestOrderPerConversation(t *testing.T) {
	bubble(t, dingtest.Options{RedeliverAfter: time.Hour}, func(t *testing.T, r *rig) {
		fail := 3
		r.setAccept(func(m chat.Message) error {
			r.mu.Lock()
			defer r.mu.Unlock()
			if m.Text == "a0" && fail > 0 {
				fail--
				return errors.New("busy")
			}
			return nil
		})
		for i := range 10 {
			r.dt.Push(dingtest.TopicMessage, r.dt.Said(dingtest.Inbound{Text: fmt.Sprint("a", i), Group: "A"}))
		}
		r.dt.Push(dingtest.TopicMessage, r.dt.Said(dingtest.Inbound{Text: "b", Group: "B"}))
		synctest.Wait()
		if got := r.heard(); !slices.Equal(got, []string{"b"}) {
			t.Errorf("heard %q while A waits", got)
		}
		time.Sleep(10 * time.Second)
		want := []string{"b", "a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8", "a9"}
		if got := r.heard(); !slices.Equal(got, want) {
			t.Errorf("heard %q", got)
		}
	})
}

// A ping is echoed at once, whatever the handlers are doing.
func TestPingDuringABlockedHandler(t *testing.T) {
	bubble(t, dingtest.Options{RedeliverAfter: time.Hour}, func(t *testing.T, r *rig) {
		release := make(chan struct{})
		r.setAccept(func(chat.Message) error { <-release; return nil })
		for i := range 2 * maxRunning {
			r.dt.Push(dingtest.TopicMessage, r.dt.Said(dingtest.Inbound{Text: "x", Group: fmt.Sprint("g", i)}))
		}
		synctest.Wait()
		r.dt.Ping("opaque-1")
		synctest.Wait()
		if took, ok := r.dt.Echoed("opaque-1"); !ok || took != 0 {
			t.Errorf("echoed %v after %v", ok, took)
		}
		close(release)
		time.Sleep(time.Second)
		if r.dt.Unacked() != 0 {
			t.Errorf("%d unacked", r.dt.Unacked())
		}
	})
}

// The successor is connected before the old connection is given up, and what is
// under way on the old one is acknowledged there.
func TestDisconnectBringsTheSuccessorFirst(t *testing.T) {
	bubble(t, dingtest.Options{RedeliverAfter: time.Hour}, func(t *testing.T, r *rig) {
		time.Sleep(2 * time.Minute)
		release := make(chan struct{})
		r.setAccept(func(m chat.Message) error {
			if m.Text == "slow" {
				<-release
			}
			return nil
		})
		r.say("slow")
		synctest.Wait()
		r.dt.Disconnect()
		synctest.Wait()
		if n := r.dt.Connections(); n != 1 {
			t.Fatalf("%d connections right after a disconnect frame, want the successor", n)
		}
		r.dt.Push(dingtest.TopicMessage, r.dt.Said(dingtest.Inbound{Text: "next", Group: "other"}))
		time.Sleep(2 * time.Second)
		close(release)
		synctest.Wait()
		if r.dt.Unacked() != 0 {
			t.Errorf("%d unacked: what was under way was not acknowledged", r.dt.Unacked())
		}
	})
}

func TestDroppedConnectionIsReplaced(t *testing.T) {
	bubble(t, dingtest.Options{}, func(t *testing.T, r *rig) {
		r.dt.Drop()
		synctest.Wait()
		if h := r.r.Health(); h.Connected || h.Err == nil || h.Config {
			t.Errorf("health %+v", h)
		}
		time.Sleep(2 * time.Second)
		r.say("hello")
		synctest.Wait()
		if got := r.heard(); !slices.Equal(got, []string{"hello"}) {
			t.Errorf("heard %q", got)
		}
	})
}

// A connection that is dead without saying so is noticed by its missing pongs
// within a minute; a merely quiet one is kept for hours.
func TestHalfOpen(t *testing.T) {
	bubble(t, dingtest.Options{}, func(t *testing.T, r *rig) {
		time.Sleep(5 * time.Hour)
		if n := r.dt.Calls(dingtest.Open); n != 1 {
			t.Fatalf("%d connections for a quiet night, want 1", n)
		}
		r.dt.HalfOpen()
		r.say("hello")
		time.Sleep(time.Minute)
		if n := r.dt.Calls(dingtest.Open); n != 2 {
			t.Errorf("%d connections a minute after the link died, want 2", n)
		}
		time.Sleep(time.Minute)
		if got := r.heard(); !slices.Equal(got, []string{"hello"}) {
			t.Errorf("heard %q", got)
		}
	})
}

// A hundred forced disconnects and drops during traffic lose nothing, and what is
// redelivered is recognised as the same message.
func TestHundredDisconnects(t *testing.T) {
	bubble(t, dingtest.Options{}, func(t *testing.T, r *rig) {
		random := rand.New(rand.NewPCG(1, 2)) // the scheduler adds its own
		r.setAccept(func(chat.Message) error {
			time.Sleep(rand.N(400 * time.Millisecond))
			if rand.N(20) == 0 {
				return errors.New("busy")
			}
			return nil
		})
		total := 0
		for i := range 100 {
			for range 5 {
				r.dt.Push(dingtest.TopicMessage, r.dt.Said(dingtest.Inbound{Text: fmt.Sprint(total), Group: fmt.Sprint("g", total%7)}))
				total++
			}
			if i%2 == 0 {
				r.dt.Disconnect()
			} else {
				r.dt.Drop()
			}
			time.Sleep(time.Duration(random.IntN(15_000)) * time.Millisecond)
		}
		time.Sleep(5 * time.Minute)
		heard := r.heard()
		slices.Sort(heard)
		if n := len(slices.Compact(slices.Clone(heard))); n != total || len(heard) != total || r.dt.Unacked() != 0 {
			t.Errorf("heard %d of %d messages under %d identities, %d unacked", n, total, len(heard), r.dt.Unacked())
		}
		if r.dt.Redelivered() == 0 {
			t.Error("nothing had to be redelivered: the case proves nothing")
		}
	})
}

func TestSeveralInstancesShareTheTraffic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newRig(t, dingtest.Options{})
		a.start()
		b := &rig{t: t, dt: a.dt, cfg: a.cfg, log: &strings.Builder{}}
		b.cfg.Accept = b.take
		b.start()
		for range 10 {
			a.say("x")
		}
		synctest.Wait()
		if len(a.heard())+len(b.heard()) != 10 || len(a.heard()) == 0 || len(b.heard()) == 0 {
			t.Errorf("heard %d and %d", len(a.heard()), len(b.heard()))
		}
		b.stop()
		<-b.done
		synctest.Wait()
		a.say("y")
		synctest.Wait()
		if !slices.Contains(a.heard(), "y") {
			t.Error("the instance that stayed heard nothing")
		}
		a.end()
	})
}

// An operator's mistake is retried slowly, for ever, and reported as one.
func TestWrongCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, dingtest.Options{})
		var secret atomic.Value
		secret.Store("wrong")
		r.cfg.Secret = func(context.Context) (string, error) { return secret.Load().(string), nil }
		r.start()
		time.Sleep(10 * time.Minute)
		if n := r.dt.Calls(dingtest.Open); n < 8 || n > 13 {
			t.Errorf("%d attempts in ten minutes, want about one a minute", n)
		}
		if h := r.r.Health(); h.Connected || !h.Config {
			t.Errorf("health %+v", h)
		}
		secret.Store(r.dt.Secret)
		time.Sleep(2 * time.Minute)
		if h := r.r.Health(); !h.Connected {
			t.Errorf("health %+v after the secret was mended", h)
		}
		r.end()
	})
}

func TestGatewayDownForAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, dingtest.Options{})
		r.dt.Fail(dingtest.Open, 0, dingtest.FaultBusy)
		r.start()
		time.Sleep(time.Hour)
		if n := r.dt.Calls(dingtest.Open); n < 50 || n > 85 {
			t.Errorf("%d attempts in an hour, want about one a minute", n)
		}
		r.dt.Heal(dingtest.Open)
		time.Sleep(80 * time.Second)
		if !r.r.Health().Connected {
			t.Error("not connected again")
		}
		r.end()
	})
}

// At the end, nothing new is read, and what was read becomes durable and is
// acknowledged.
func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, dingtest.Options{RedeliverAfter: time.Hour})
		r.start()
		r.setAccept(func(chat.Message) error { time.Sleep(2 * time.Second); return nil })
		for range 3 {
			r.say("x")
		}
		synctest.Wait()
		began := time.Now()
		r.end()
		if took := time.Since(began); took < 6*time.Second || took > DrainLimit {
			t.Errorf("drained in %v", took)
		}
		if n, _ := r.counts(); n != 3 || r.dt.Unacked() != 0 {
			t.Errorf("%d accepted, %d unacked", n, r.dt.Unacked())
		}
	})
}

// A queue that is down does not hold up the end of the process beyond its limit.
func TestDrainIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, dingtest.Options{RedeliverAfter: time.Hour})
		r.start()
		r.setAccept(func(chat.Message) error { return errors.New("down") })
		for range 20 {
			r.say("x")
		}
		synctest.Wait()
		began := time.Now()
		r.end()
		if took := time.Since(began); took > DrainLimit {
			t.Errorf("drained in %v, want at most %v", took, DrainLimit)
		}
	})
}

func TestPanicsAreErrors(t *testing.T) {
	bubble(t, dingtest.Options{}, func(t *testing.T, r *rig) {
		panics := 2
		r.setAccept(func(chat.Message) error {
			r.mu.Lock()
			defer r.mu.Unlock()
			if panics--; panics >= 0 {
				panic("boom")
			}
			return nil
		})
		r.say("hello")
		time.Sleep(5 * time.Second)
		if got := r.heard(); !slices.Equal(got, []string{"hello"}) {
			t.Errorf("heard %q", got)
		}
	})
}

func TestOddFrames(t *testing.T) {
	bubble(t, dingtest.Options{RedeliverAfter: time.Hour}, func(t *testing.T, r *rig) {
		for _, body := range []string{"", "null", "[]", `{"msgtype":"text"}`, "not JSON"} {
			r.dt.Push(dingtest.TopicMessage, []byte(body))
		}
		synctest.Wait()
		if n, _ := r.counts(); n != 0 || r.dt.Unacked() != 0 {
			t.Errorf("%d unacked: what can never be understood must not come again", r.dt.Unacked())
		}
	})
}

func TestCardPressIsAnsweredWithTheCardsChange(t *testing.T) {
	bubble(t, dingtest.Options{}, func(t *testing.T, r *rig) {
		v, err := dingtalk.CardValue{Subject: "dingtalk:r:m", Conversation: chat.Conversation{Platform: chat.DingTalk, Tenant: "r", Channel: "c"}}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		content, err := json.Marshal(map[string]any{"cardPrivateData": map[string]any{"params": map[string]string{"action": "up", "parley": v}}})
		if err != nil {
			t.Fatal(err)
		}
		body, err := json.Marshal(map[string]string{"outTrackId": "o", "userId": "u", "content": string(content)})
		if err != nil {
			t.Fatal(err)
		}
		r.dt.Push(dingtest.TopicCard, body)
		synctest.Wait()
		acks := r.dt.Acks()
		if len(acks) != 1 || !strings.HasPrefix(acks[0].Data, `{"response":{`) || !strings.Contains(acks[0].Data, `"feedback":"up"`) {
			t.Errorf("acks %+v", acks)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		if len(r.accepted) != 1 || r.accepted[0].Kind != chat.KindFeedback {
			t.Errorf("accepted %+v", r.accepted)
		}
	})
}

func TestBackoff(t *testing.T) {
	fault, config := errors.New("x"), pipeline.Permanent(pipeline.ReasonConfig, errors.New("x"))
	for n, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60, 60} {
		want *= time.Second
		for range 100 {
			if d := backoff(fault, n); d < want*8/10 || d > want*12/10 {
				t.Fatalf("backoff after %d failures = %v, want about %v", n, d, want)
			}
		}
		if d := backoff(config, n); d < 48*time.Second {
			t.Errorf("backoff of a configuration error = %v", d)
		}
	}
	if d := backoff(fault, 1<<20); d > 72*time.Second || d < 48*time.Second {
		t.Errorf("backoff after very many failures = %v", d)
	}
}

func TestEndpointMustBeSecure(t *testing.T) {
	r := &Receiver{cfg: Config{APIURL: "https://api.dingtalk.com"}}
	for body, want := range map[string]string{
		`{"endpoint":"wss://wss-open-connection.dingtalk.com:443/connect","ticket":"a/b+c="}`: "wss://wss-open-connection.dingtalk.com:443/connect?ticket=a%2Fb%2Bc%3D",
		`{"endpoint":"ws://wss-open-connection.dingtalk.com/connect","ticket":"a"}`:           "",
		`{"endpoint":"https://x/connect","ticket":"a"}`:                                       "",
		`{"endpoint":"wss://x/connect"}`:                                                      "",
		`<response/>`:                                                                         "",
	} {
		if got, err := r.endpoint(200, []byte(body)); got != want || (err == nil) != (want != "") {
			t.Errorf("endpoint(%s) = %q, %v", body, got, err)
		}
	}
}

func TestNewChecks(t *testing.T) {
	full := Config{ClientID: "c", Secret: func(context.Context) (string, error) { return "", nil }, Parser: dingtalk.NewParser(dingtalk.Config{}),
		Accept: func(context.Context, pipeline.Parsed) error { return nil }, Log: slog.New(slog.DiscardHandler)}
	if _, err := New(full); err != nil {
		t.Fatal(err)
	}
	for _, spoil := range []func(*Config){
		func(c *Config) { c.ClientID = "" }, func(c *Config) { c.Secret = nil }, func(c *Config) { c.Parser = nil },
		func(c *Config) { c.Accept = nil }, func(c *Config) { c.Log = nil }, func(c *Config) { c.APIURL = "x" },
	} {
		c := full
		spoil(&c)
		if _, err := New(c); err == nil {
			t.Errorf("New(%+v) succeeded", c)
		}
	}
}

func FuzzFrame(f *testing.F) {
	f.Add([]byte(`{"specVersion":"1.0","type":"CALLBACK","headers":{"topic":"/v1.0/im/bot/messages/get","messageId":"m"},"data":"{}"}`))
	f.Add([]byte(`{"type":1,"headers":{"topic":7},"data":{"a":1}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var fr frame
		if json.Unmarshal(data, &fr) != nil {
			return
		}
		if _, err := json.Marshal(fr.ack(200, fr.data())); err != nil {
			t.Fatal(err)
		}
	})
}

// The same over real sockets.
func TestOnLoopback(t *testing.T) {
	dt := dingtest.New(dingtest.Options{})
	dt.Start(t)
	got := make(chan chat.Message, 10)
	r, err := New(Config{
		ClientID: dt.ClientID, Secret: func(context.Context) (string, error) { return dt.Secret, nil },
		Parser: dingtalk.NewParser(dingtalk.Config{TrustedHosts: []string{dingtest.Host(dt.OAPIURL)}}),
		Accept: func(_ context.Context, p pipeline.Parsed) error { got <- p.Messages[0]; return nil },
		APIURL: dt.APIURL, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- r.Run(ctx) }()
	dt.Push(dingtest.TopicMessage, dt.Said(dingtest.Inbound{Text: "hello"})) // waits for the connection
	m := <-got
	route, err := dingtalk.ParseRoute(m.Route)
	if err != nil || m.Text != "hello" || route.SessionWebhook == "" {
		t.Errorf("%+v, %v", m, err)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if v := dt.Violations(); len(v) > 0 {
		t.Error(v)
	}
}
