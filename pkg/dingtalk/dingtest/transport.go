package dingtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"
)

// errCut is what a caller sees of a broken connection.
var errCut = errors.New("connection reset by peer")

// Transport is the way to the Server within the process, for an http.Client. It
// needs no network and no goroutine.
func (s *Server) Transport() http.RoundTripper { return transport{s} }

type transport struct{ s *Server }

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := readBody(r)
	if err != nil {
		return nil, err
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	t.s.checkHost(r.URL)
	a, f := t.s.do(r, body)
	if err := pause(r, f.Delay); err != nil {
		return nil, err
	}
	if f.Cut {
		return nil, errCut
	}
	rec := httptest.NewRecorder()
	write(rec, a)
	resp := rec.Result()
	resp.Request = r
	return resp, nil
}

// checkHost notes a call that would have left DingTalk.
func (s *Server) checkHost(u *url.URL) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, own := range []string{s.APIURL, s.OAPIURL, s.FilesURL} {
		if u.Scheme+"://"+u.Host == own {
			return
		}
	}
	s.violate("call to foreign host %s", u.Host)
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == connectPath {
		s.connect(w, r)
		return
	}
	body, err := readBody(r)
	if err != nil {
		return
	}
	a, f := s.do(r, body)
	if pause(r, f.Delay) != nil {
		return
	}
	if f.Cut {
		panic(http.ErrAbortHandler)
	}
	write(w, a)
}

// Start serves s on loopback until the test ends.
func (s *Server) Start(t interface{ Cleanup(func()) }) {
	srv := httptest.NewServer(s)
	t.Cleanup(func() {
		s.Close()
		srv.Close()
	})
	s.APIURL, s.OAPIURL, s.FilesURL = srv.URL, srv.URL, srv.URL
}

// Host is the host and port of a URL, in the form that trusted hosts take.
func Host(raw string) string {
	_, rest, _ := strings.Cut(raw, "://")
	host, _, _ := strings.Cut(rest, "/")
	return host
}

func readBody(r *http.Request) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	defer r.Body.Close()
	return io.ReadAll(r.Body)
}

func pause(r *http.Request, d time.Duration) error {
	if d == 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-r.Context().Done():
		return r.Context().Err()
	}
}

func write(w http.ResponseWriter, a reply) {
	if raw, is := a.body.([]byte); is {
		w.WriteHeader(a.status)
		_, _ = w.Write(raw)
		return
	}
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(a.body); err != nil {
		panic(err) // bodies are maps of strings and numbers
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.status)
	_, _ = w.Write(b.Bytes())
}
