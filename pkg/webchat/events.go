package webchat

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The rhythm of an event stream.
const (
	heartbeat   = 15 * time.Second // so that both ends notice a dead connection
	writeWithin = 10 * time.Second // a peer that takes longer is gone
	reconnect   = time.Second      // what the browser waits after a loss
)

// events serves GET /web/events?conversation=: what stands, then every change, as
// Server-Sent Events. Each carries an id, from which a browser that reconnects to
// the same process goes on.
func (h *Hub) events(w http.ResponseWriter, r *http.Request) {
	channel, ok := conversationOf(w, r)
	if !ok {
		return
	}
	head := w.Header()
	head.Set("Content-Type", "text/event-stream")
	head.Set("Cache-Control", "no-store")
	head.Set("X-Accel-Buffering", "no") // a proxy must not hold events back
	s := stream{w, http.NewResponseController(w), h.boot}
	watch := h.watch(channel, h.readUpTo(r.Header.Get("Last-Event-ID")))
	defer watch.leave()
	if s.hello() != nil {
		return
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		if s.changes(watch) != nil {
			return
		}
		select {
		case <-watch.wake:
		case <-beat.C:
			if s.write(": still here\n\n") != nil {
				return
			}
		case <-r.Context().Done():
			return
		case <-h.done:
			return
		}
	}
}

// readUpTo is the version behind which a stream begins: 0, everything, for an id
// that another process gave out.
func (h *Hub) readUpTo(eventID string) uint64 {
	boot, version, _ := strings.Cut(eventID, "-")
	n, err := strconv.ParseUint(version, 10, 64)
	if err != nil || boot != h.boot {
		return 0
	}
	return n
}

// stream writes one response of events.
type stream struct {
	w    io.Writer
	rc   *http.ResponseController
	boot string
}

// hello tells the page which process it talks to: a new one has forgotten what it
// showed, so the page reads the history.
func (s stream) hello() error {
	data, err := json.Marshal(map[string]string{"boot": s.boot})
	if err != nil {
		return err
	}
	return s.write(fmt.Sprintf("retry: %d\n\nevent: hello\ndata: %s\n\n", reconnect.Milliseconds(), data))
}

// changes writes what the watcher has not read yet.
func (s stream) changes(watch *watcher) error {
	for snapshot, ok := watch.next(); ok; snapshot, ok = watch.next() {
		data, err := json.Marshal(snapshot) // on one line, as an event's data must be
		if err != nil {
			return err
		}
		if err := s.write(fmt.Sprintf("id: %s-%d\nevent: snapshot\ndata: %s\n\n", s.boot, watch.read, data)); err != nil {
			return err
		}
	}
	return nil
}

// write sends text at once. Deadlines that a test's writer cannot set do not matter.
func (s stream) write(text string) error {
	_ = s.rc.SetWriteDeadline(time.Now().Add(writeWithin))
	if _, err := io.WriteString(s.w, text); err != nil {
		return err
	}
	return s.rc.Flush()
}
