package slacktest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
)

// errCut is what a caller sees when the connection is cut.
var errCut = errors.New("connection reset by peer")

// Transport returns a RoundTripper that reaches s under every host name without
// a socket. A call outlives a caller that stops waiting for it, as on a network:
// it may take effect after the caller's timeout.
func (s *Server) Transport() http.RoundTripper { return transport{s} }

type transport struct{ server *Server }

type roundTrip struct {
	response *http.Response
	err      error
}

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, fmt.Errorf("read request: %w", err)
		}
		r.Body.Close()
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	done := make(chan roundTrip, 1)
	go func() { done <- t.serve(r, body) }()
	select {
	case d := <-done:
		return d.response, d.err
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// serve runs the handler to its end, whatever becomes of the caller.
func (t transport) serve(r *http.Request, body []byte) (d roundTrip) {
	in := httptest.NewRequest(r.Method, r.URL.String(), bytes.NewReader(body))
	in.Header = r.Header.Clone()
	w := httptest.NewRecorder()
	defer func() {
		switch p := recover(); p {
		case nil:
			d.response = w.Result()
			d.response.Request = r
		case http.ErrAbortHandler:
			d = roundTrip{err: errCut}
		default:
			panic(p)
		}
	}()
	t.server.ServeHTTP(w, in)
	return d
}
