package slacksocket

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

// watch observes what slack-go does not tell: when the connection was last heard
// from, and how many messages were written to it.
type watch struct {
	heard   atomic.Int64 // Unix nanoseconds
	pool    *writeCount
	network net.Dialer
}

func newWatch() *watch {
	return &watch{pool: &writeCount{more: make(chan struct{}, 1)}}
}

func (w *watch) dialer() *websocket.Dialer {
	return &websocket.Dialer{
		Proxy:            http.ProxyFromEnvironment, // as every HTTP client of Go
		HandshakeTimeout: acceptTimeout,
		// Slack does not put a message together that comes in several frames.
		WriteBufferSize: ackLimit + 4<<10,
		WriteBufferPool: w.pool,
		NetDialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := w.network.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return heardConn{conn, &w.heard}, nil
		},
	}
}

func (w *watch) lastHeard() time.Time {
	if ns := w.heard.Load(); ns != 0 {
		return time.Unix(0, ns)
	}
	return time.Time{}
}

// written waits until n messages were written, and reports whether they were
// before ctx ended.
func (w *watch) written(ctx context.Context, n int64) bool {
	for w.pool.count.Load() < n {
		select {
		case <-w.pool.more:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// heardConn notes when it was last read from.
type heardConn struct {
	net.Conn
	heard *atomic.Int64
}

func (c heardConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.heard.Store(time.Now().UnixNano())
	}
	return n, err
}

// writeCount is a pool of write buffers. The websocket package gives a buffer
// back when it has written the message that was in it, which is the only word of
// it there is: slack-go writes acknowledgements in a goroutine of its own.
type writeCount struct {
	buffers sync.Pool
	count   atomic.Int64
	more    chan struct{}
}

func (c *writeCount) Get() any { return c.buffers.Get() }

func (c *writeCount) Put(buffer any) {
	c.buffers.Put(buffer)
	c.count.Add(1)
	select {
	case c.more <- struct{}{}:
	default:
	}
}
