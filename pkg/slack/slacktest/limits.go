package slacktest

import (
	"math"
	"time"
)

// Tiers of docs.slack.dev/apis/web-api/rate-limits: calls a minute for each
// method, workspace and app. Methods not named here are tier 3.
var perMinute = map[string]int{
	"chat.startStream": 20, "chat.stopStream": 20,
	"chat.appendStream": 100,
	"auth.test":         300, "users.info": 100, "files.info": 100,
	"views.open": 100, "views.publish": 100,
	"assistant.threads.setStatus": 600,
	"chat.postEphemeral":          100,
}

const tier3 = 50

// bucket holds a channel to about one message a second.
type bucket struct {
	tokens float64
	at     time.Time
}

// limited reports how long a call must wait, 0 if it may go ahead. A call made
// before an earlier wait has passed is a breach. s.mu is held.
func (s *Server) limited(method, channel string, now time.Time) time.Duration {
	key := method
	if method == "chat.postMessage" {
		key += " " + channel
	}
	for _, k := range []string{method, key} {
		if wait := s.early(k, method, now); wait > 0 {
			return wait
		}
	}
	var wait time.Duration
	if method == "chat.postMessage" {
		wait = s.take(key, now)
	} else {
		wait = s.window(method, now)
	}
	if wait > 0 {
		s.block(key, now, wait)
	}
	return wait
}

// refusal is a 429 that still holds.
type refusal struct{ issued, until time.Time }

// inFlight is how long after a refusal a call may arrive that was made before
// its caller could know.
const inFlight = 200 * time.Millisecond

// early reports how long key is still forbidden. A call that comes so early is a
// breach, unless it was made before its caller can have known. s.mu is held.
func (s *Server) early(key, method string, now time.Time) time.Duration {
	b := s.blocked[key]
	wait := b.until.Sub(now)
	if wait > 0 && now.Sub(b.issued) > inFlight {
		s.breach("%s was called %v before its Retry-After had passed", method, wait)
	}
	return wait
}

// storm is a time in which every call is refused.
type storm struct {
	until time.Time
	wait  time.Duration
}

// Storm has Slack refuse every call for as long as life, and ask each caller to
// come back in wait. A method that is called before that is breaking a rule, as
// ever.
func (s *Server) Storm(life, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.storm = storm{s.opt.Now().Add(life), wait}
}

// block forbids key for wait, rounded up to seconds as the header is. s.mu is held.
func (s *Server) block(key string, now time.Time, wait time.Duration) {
	until := now.Add(time.Duration(math.Ceil(wait.Seconds())) * time.Second)
	next := refusal{now, until}
	if b := s.blocked[key]; now.Before(b.until) {
		next.issued = b.issued // known since the first
		if b.until.After(until) {
			next.until = b.until
		}
	}
	s.blocked[key] = next
}

// take draws a token from a channel's bucket. s.mu is held.
func (s *Server) take(key string, now time.Time) time.Duration {
	b, ok := s.buckets[key]
	if !ok {
		b = bucket{tokens: float64(s.opt.PostBurst), at: now}
	}
	b.tokens = min(float64(s.opt.PostBurst), b.tokens+now.Sub(b.at).Seconds())
	b.at = now
	defer func() { s.buckets[key] = b }()
	if b.tokens < 1 {
		return time.Duration((1 - b.tokens) * float64(time.Second))
	}
	b.tokens--
	return 0
}

// window counts a method's calls in the last minute. s.mu is held.
func (s *Server) window(method string, now time.Time) time.Duration {
	limit, ok := s.opt.PerMinute[method]
	if !ok {
		if limit, ok = perMinute[method]; !ok {
			limit = tier3
		}
	}
	calls := s.windows[method]
	for len(calls) > 0 && now.Sub(calls[0]) >= time.Minute {
		calls = calls[1:]
	}
	if len(calls) >= limit {
		s.windows[method] = calls
		return calls[len(calls)-limit].Add(time.Minute).Sub(now)
	}
	s.windows[method] = append(calls, now)
	return 0
}
