package dingtest

import (
	"context"
	"net"
	"net/http"
	"sync"
)

// pipes is a listener for connections within the process.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

// Pipe prepares Dial, and changes APIURL; call it within the bubble the test runs in, and Close
// before it ends.
func (s *Server) Pipe() {
	p := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
	s.mu.Lock()
	s.gateway.pipes = p
	s.APIURL = "http://api.dingtalk.com" // pipes carry no TLS
	s.mu.Unlock()
	go func() { _ = (&http.Server{Handler: s}).Serve(p) }()
}

// Dial is the way to the gateway within the process, for a WebSocket dialer.
func (s *Server) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	s.mu.Lock()
	p := s.gateway.pipes
	s.mu.Unlock()
	ours, theirs := net.Pipe()
	select {
	case p.conns <- theirs:
		return ours, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.done:
		return nil, errCut
	}
}

// Close ends every connection; nothing is delivered after it.
func (s *Server) Close() {
	s.mu.Lock()
	s.gateway.closed = true
	for _, p := range s.gateway.pushes {
		if p.timer != nil {
			p.timer.Stop()
		}
	}
	p := s.gateway.pipes
	s.mu.Unlock()
	if p != nil {
		_ = p.Close()
	}
	s.Drop()
}
