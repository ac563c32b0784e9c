package webchat

import (
	"context"
	"iter"
)

// watcher follows one conversation at its own speed. It buffers nothing: it knows
// how far it has read, and asks for what stands beyond.
type watcher struct {
	h       *Hub
	channel string
	wake    chan struct{} // holds one: something has changed
	read    uint64        // version of the last change taken
}

// watch begins to follow a conversation behind version read.
func (h *Hub) watch(channel string, read uint64) *watcher {
	w := &watcher{h: h, channel: channel, wake: make(chan struct{}, 1), read: read}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.talk(channel).watchers[w] = struct{}{}
	return w
}

// leave ends w.
func (w *watcher) leave() {
	w.h.mu.Lock()
	defer w.h.mu.Unlock()
	delete(w.h.talk(w.channel).watchers, w)
}

// next takes the oldest change that w has not read, in the form that stands now.
func (w *watcher) next() (Snapshot, bool) {
	w.h.mu.Lock()
	defer w.h.mu.Unlock()
	var first *item
	for _, it := range w.h.talk(w.channel).items {
		if it.version > w.read && (first == nil || it.version < first.version) {
			first = it
		}
	}
	if first == nil {
		return Snapshot{}, false
	}
	w.read = first.version
	return first.snapshot, true
}

// Subscribe yields what stands in a conversation, then every change, until ctx
// ends, the Hub closes or the loop is left. A slow loop skips snapshots that newer
// ones have replaced.
func (h *Hub) Subscribe(ctx context.Context, conversation string) iter.Seq[Snapshot] {
	return func(yield func(Snapshot) bool) {
		w := h.watch(conversation, 0)
		defer w.leave()
		for {
			for s, ok := w.next(); ok; s, ok = w.next() {
				if !yield(s) {
					return
				}
			}
			select {
			case <-w.wake:
			case <-ctx.Done():
				return
			case <-h.done:
				return
			}
		}
	}
}
