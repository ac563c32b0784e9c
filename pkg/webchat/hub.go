package webchat

import (
	"crypto/rand"
	"log/slog"
	"sync"
	"time"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

// Tenant is the installation in every conversation of the page.
const Tenant = "local"

// Bounds of what a Hub keeps. What falls out is the longest unchanged, and its
// turns are still in memory.
const (
	maxTalks = 200 // conversations
	maxItems = 100 // answers in one conversation
)

// Config is what a Hub needs.
type Config struct {
	Log    *slog.Logger
	Now    func() time.Time // nil: time.Now
	Memory pipeline.Memory  // for the history; nil: there is none
	// Addr is the address listened on, as net.Listen takes it. Its host is
	// accepted in requests beside the loopback ones.
	Addr string
	// Hints are messages to try. The page offers them in an empty conversation.
	Hints []string
	// Endpoints are lines at the foot of the page, such as where Slack's events go.
	Endpoints []string
}

// Hub is the local page's platform. It is safe for concurrent use.
type Hub struct {
	config Config
	boot   string // names this process in event ids
	done   chan struct{}
	close  sync.Once

	mu      sync.Mutex
	version uint64 // of the last change
	talks   map[string]*talk
}

// talk is one conversation as the Hub knows it. All of it is guarded by Hub.mu.
type talk struct {
	items    map[string]*item // by message id
	watchers map[*watcher]struct{}
	changed  uint64    // version of the last change
	lastSent time.Time // newest SentAt given out
}

// item is what stands of one answer.
type item struct {
	order    chat.Order
	version  uint64 // of the change that put it there
	snapshot Snapshot
}

// New returns a Hub that shows nothing yet.
func New(c Config) *Hub {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Hub{config: c, boot: rand.Text()[:8], done: make(chan struct{}), talks: map[string]*talk{}}
}

// Close ends all event streams and subscriptions. A server that shuts down waits
// for its connections, so register Close with http.Server.RegisterOnShutdown.
// Posts still succeed after it.
func (h *Hub) Close() { h.close.Do(func() { close(h.done) }) }

// talk returns the conversation, made if need be. The caller holds mu.
func (h *Hub) talk(channel string) *talk {
	t, ok := h.talks[channel]
	if !ok {
		if len(h.talks) >= maxTalks {
			h.evictTalk()
		}
		t = &talk{items: map[string]*item{}, watchers: map[*watcher]struct{}{}, changed: h.version}
		h.talks[channel] = t
	}
	return t
}

// evictTalk drops the conversation that has been quiet for longest, unless
// somebody watches it.
func (h *Hub) evictTalk() {
	oldest, found := "", uint64(0)
	for channel, t := range h.talks {
		if len(t.watchers) == 0 && (oldest == "" || t.changed < found) {
			oldest, found = channel, t.changed
		}
	}
	delete(h.talks, oldest)
}

// put makes s what stands of its answer and wakes the watchers. It changes nothing
// if a snapshot as new stands already.
func (h *Hub) put(channel string, order chat.Order, s Snapshot) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.talk(channel)
	if old, ok := t.items[s.ID]; ok && !old.order.Before(order) {
		return
	} else if !ok && len(t.items) >= maxItems {
		t.evictItem()
	}
	h.version++
	t.changed = h.version
	t.items[s.ID] = &item{order, h.version, s}
	for w := range t.watchers {
		select {
		case w.wake <- struct{}{}:
		default: // it is awake already and will find this one
		}
	}
}

// evictItem drops the answer that has not changed for longest, finished ones first.
func (t *talk) evictItem() {
	var oldest *item
	for _, it := range t.items {
		if oldest == nil || it.order.Terminal && !oldest.order.Terminal ||
			it.order.Terminal == oldest.order.Terminal && it.version < oldest.version {
			oldest = it
		}
	}
	delete(t.items, oldest.snapshot.ID)
}

// sentAt is the platform's clock: now, but later than anything it gave out for the
// conversation before, so that no two messages share a moment.
func (h *Hub) sentAt(channel string, now time.Time) time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.talk(channel)
	now = now.UTC().Truncate(time.Microsecond)
	if !now.After(t.lastSent) {
		now = t.lastSent.Add(time.Microsecond)
	}
	t.lastSent = now
	return now
}
