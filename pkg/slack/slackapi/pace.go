package slackapi

import (
	"sync"
	"time"
)

// Slack's limits are a minute's, for each method and workspace, over all answers
// (docs.slack.dev/apis/web-api/rate-limits). What may be left out stays below
// them, so that what may not finds room.
const (
	startsPerMinute  = 15 // of 20; each start needs a stop
	appendsPerMinute = 75 // of 100, and appendsAtOnce more
	appendsAtOnce    = 15
	editsPerMinute   = 24 // of 50, and editsAtOnce more
	editsAtOnce      = 6
	editEvery        = 3 * time.Second
	appendEvery      = 750 * time.Millisecond
	signEvery        = time.Minute // Slack takes a sign away after two
)

// pace is what one process knows of how often it called what. The zero value is
// ready to use.
type pace struct {
	mu    sync.Mutex
	until map[string]time.Time
	calls map[string][]time.Time
	last  map[string]time.Time
	spent map[string]budget
}

// budget is what is left of a rate that is spread over the minute.
type budget struct {
	left float64
	at   time.Time
}

// NotBefore is when a method may be called again.
func (p *pace) NotBefore(method string) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.until[method]
}

// Throttle records what a refusal said.
func (p *pace) Throttle(method string, until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.until == nil {
		p.until = map[string]time.Time{}
	}
	if until.After(p.until[method]) {
		p.until[method] = until
	}
}

// allow counts a call of method, unless it would be more than limit in a minute.
func (p *pace) allow(method string, limit int, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.calls == nil {
		p.calls = map[string][]time.Time{}
	}
	calls := p.calls[method]
	for len(calls) > 0 && now.Sub(calls[0]) >= time.Minute {
		calls = calls[1:]
	}
	if len(calls) >= limit {
		p.calls[method] = calls
		return false
	}
	p.calls[method] = append(calls, now)
	return true
}

// spend takes one call of method from a budget that grows by perMinute, up to
// atOnce; false if there is none.
func (p *pace) spend(method string, perMinute, atOnce float64, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.spent == nil {
		p.spent = map[string]budget{}
	}
	b, ok := p.spent[method]
	if !ok {
		b = budget{atOnce, now}
	}
	b = budget{min(atOnce, b.left+now.Sub(b.at).Minutes()*perMinute), now}
	ok = b.left >= 1
	if ok {
		b.left--
	}
	p.spent[method] = b
	return ok
}

// every reports whether key was not seen for d, and notes that it was seen now.
func (p *pace) every(key string, d time.Duration, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last == nil {
		p.last = map[string]time.Time{}
	}
	if at, ok := p.last[key]; ok && now.Sub(at) < d {
		return false
	}
	if len(p.last) > 10_000 { // forget what is too old to matter
		for k, at := range p.last {
			if now.Sub(at) > time.Minute {
				delete(p.last, k)
			}
		}
	}
	p.last[key] = now
	return true
}
