package dingstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"parley/pkg/pipeline"
)

// The rhythm of a connection. Whether it lives is judged by pongs alone: a quiet
// one may carry no frame for hours.
const (
	pingEvery  = 30 * time.Second
	pongWait   = 10 * time.Second
	misses     = 2
	writeWait  = 5 * time.Second
	leaveWait  = 10 * time.Second // the gateway's own, from disconnect to the end
	maxFrame   = 1 << 20
	provenTime = time.Minute
)

// link is one connection.
type link struct {
	r    *Receiver
	ws   *websocket.Conn
	born time.Time

	writing sync.Mutex // one writer at a time
	pongs   chan struct{}
	leaving chan struct{} // closed when a successor is needed
	leave   sync.Once
	pending sync.WaitGroup // frames being made durable

	used atomic.Bool // it carried a message

	mu  sync.Mutex
	err error // why it ended; nil while it lives and when it was asked to leave
}

func newLink(r *Receiver, ws *websocket.Conn) *link {
	l := &link{r: r, ws: ws, born: time.Now(), pongs: make(chan struct{}, 1), leaving: make(chan struct{})}
	ws.SetReadLimit(maxFrame)
	ws.SetPongHandler(func(string) error {
		select {
		case l.pongs <- struct{}{}:
		default:
		}
		return nil
	})
	return l
}

// serve reads until the connection ends or ctx does. Then nothing new is read,
// and what is being made durable is acknowledged while the connection allows.
func (l *link) serve(ctx context.Context) {
	done := make(chan struct{})
	var watchers sync.WaitGroup
	watchers.Go(func() { l.keepAlive(done) })
	watchers.Go(func() {
		select {
		case <-ctx.Done():
			_ = l.ws.SetReadDeadline(time.Now()) // wakes the reader
		case <-done:
		}
	})
	err := l.read(ctx)
	l.end(err)
	close(done)
	watchers.Wait()
	l.pending.Wait()
	l.writing.Lock()
	defer l.writing.Unlock()
	_ = l.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(writeWait))
	_ = l.ws.Close()
}

// end records why the connection ended and asks for a successor.
func (l *link) end(err error) {
	l.leave.Do(func() {
		l.mu.Lock()
		l.err = err
		l.mu.Unlock()
		close(l.leaving)
	})
}

// ended returns why the connection ended, nil if it was asked to.
func (l *link) ended() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// proven reports whether the connection was of use: then the next attempt starts
// without the waits of those before it.
func (l *link) proven() bool {
	return l.used.Load() || time.Since(l.born) >= provenTime
}

func (l *link) read(ctx context.Context) error {
	for {
		_, data, err := l.ws.ReadMessage()
		if err != nil {
			return pipeline.Transient(pipeline.ReasonUnavailable, fmt.Errorf("read stream: %w", err))
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		l.take(ctx, data)
	}
}

// take handles one frame without waiting for anything but the write of an answer.
func (l *link) take(ctx context.Context, data []byte) {
	defer func() {
		if p := recover(); p != nil {
			l.r.cfg.Log.Error("panic", "value", fmt.Sprint(p), "stack", string(debug.Stack()))
		}
	}()
	var f frame
	if err := json.Unmarshal(data, &f); err != nil {
		l.r.cfg.Log.Warn("unreadable frame", "bytes", len(data))
		return
	}
	topic := f.header("topic")
	switch {
	case f.Type == typeSystem && topic == systemPing:
		l.answer(f.ack(http.StatusOK, f.data()))
	case f.Type == typeSystem && topic == systemDisconnect:
		l.r.cfg.Log.Info("DingTalk ends the connection")
		l.end(nil)
		_ = l.ws.SetReadDeadline(time.Now().Add(leaveWait))
	case f.Type == typeCallback && (topic == topicMessage || topic == topicCard):
		l.used.Store(true)
		l.receive(ctx, f, topic)
	case f.Type == typeEvent:
		l.answer(f.ack(http.StatusOK, `{"status":"SUCCESS","message":"ok"}`))
	case f.Type == typeSystem:
		l.answer(f.ack(http.StatusOK, noResponse))
	default:
		l.answer(f.ack(http.StatusNotFound, noResponse))
	}
}

// answer writes an acknowledgement. One that cannot be written is lost, and its
// frame sent again.
func (l *link) answer(a ack) {
	data, err := json.Marshal(a)
	if err != nil {
		panic(err) // strings and a number always marshal
	}
	l.writing.Lock()
	defer l.writing.Unlock()
	_ = l.ws.SetWriteDeadline(time.Now().Add(writeWait))
	if err := l.ws.WriteMessage(websocket.TextMessage, data); err != nil {
		l.r.cfg.Log.Info("acknowledgement lost", "err", err)
		_ = l.ws.Close() // a failed write leaves the stream of frames broken
	}
}

var errDead = errors.New("no pong: the connection is dead")

// keepAlive pings until done, and closes a connection that does not answer.
func (l *link) keepAlive(done <-chan struct{}) {
	wait := time.NewTimer(pingEvery)
	defer wait.Stop()
	missed := 0
	for {
		select {
		case <-done:
			return
		case <-wait.C:
		}
		select { // a pong that came too late for the ping before
		case <-l.pongs:
		default:
		}
		_ = l.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeWait))
		wait.Reset(pongWait)
		select {
		case <-done:
			return
		case <-l.pongs:
			missed = 0
			wait.Reset(pingEvery)
		case <-wait.C:
			if missed++; missed >= misses {
				l.end(pipeline.Transient(pipeline.ReasonUnavailable, errDead))
				_ = l.ws.Close()
				return
			}
			wait.Reset(0) // ping again at once
		}
	}
}
