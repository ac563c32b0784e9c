package slacksocket

import (
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

const (
	firstWait = 500 * time.Millisecond
	longWait  = 30 * time.Second
	// settled is how long a connection has to last to count as a good one. Slack
	// asks to reconnect every few hours; that goes without a wait.
	settled = 10 * time.Second
)

// pacer is the HTTP client that opens connections. It delays each opening by how
// badly the last ones went, so that neither an outage nor a server that hangs up
// at once is met with a storm.
type pacer struct {
	inner *http.Client
	first time.Duration // the wait after one failure; it doubles with each

	mu       sync.Mutex
	bad      int       // openings in a row without a connection that settled
	since    time.Time // of the current connection
	earliest time.Time // what a 429 asked for
}

// Do waits for its turn and sends the request. It implements slack-go's client.
func (p *pacer) Do(r *http.Request) (*http.Response, error) {
	timer := time.NewTimer(p.wait(time.Now()))
	defer timer.Stop()
	select {
	case <-timer.C:
		return p.inner.Do(r)
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// wait counts one more opening and returns how long it is to be delayed.
func (p *pacer) wait(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.since.IsZero() && now.Sub(p.since) >= settled {
		p.bad = 0
	}
	p.since = time.Time{}
	delay := max(0, p.earliest.Sub(now))
	if p.bad > 0 {
		most := min(p.first<<min(p.bad-1, 10), longWait)
		delay = max(delay, most/2+rand.N(most/2))
	}
	p.bad++
	return delay
}

func (p *pacer) connected(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.since = now
}

func (p *pacer) notBefore(t time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.earliest = t
}
