package slacktest

import (
	"net/http"
	"strconv"
	"time"
)

// Fault makes one call go wrong. Its zero value does nothing; the constructors
// below name the useful ones.
type Fault struct {
	// Delay passes before anything else happens. A caller that stops waiting
	// does not stop the call.
	Delay time.Duration
	// Before makes the call fail without taking effect.
	Before bool
	// Cut closes the connection in place of an answer.
	Cut bool
	// Status answers with this HTTP status and a page of HTML.
	Status int
	// RetryAfter answers 429 and forbids the method for so long.
	RetryAfter time.Duration
	// Code answers ok:false with this error.
	Code string
	// Undecodable adds a block to the answer that client libraries reject.
	Undecodable bool
}

// CutBefore loses the call on its way to Slack.
func CutBefore() Fault { return Fault{Before: true, Cut: true} }

// CutAfter lets the call take effect and loses the answer.
func CutAfter() Fault { return Fault{Cut: true} }

// FailBefore answers 500 and does nothing.
func FailBefore() Fault { return Fault{Before: true, Status: http.StatusInternalServerError} }

// FailAfter lets the call take effect and answers 500.
func FailAfter() Fault { return Fault{Status: http.StatusInternalServerError} }

// Undecodable lets the call take effect and echoes a block that is unknown to
// client libraries.
func Undecodable() Fault { return Fault{Undecodable: true} }

// RateLimited answers 429 with Retry-After.
func RateLimited(d time.Duration) Fault { return Fault{Before: true, RetryAfter: d} }

// Refused answers ok:false with an error code.
func Refused(code string) Fault { return Fault{Before: true, Code: code} }

// Late lets the call take effect after d.
func Late(d time.Duration) Fault { return Fault{Delay: d} }

type injected struct {
	method string
	call   int // calls of method until it strikes; 1 is the next
	fault  Fault
}

// Inject makes the n-th call of method from now on go wrong; 1 is the next call.
// The method "*" counts the calls of all methods.
func (s *Server) Inject(method string, n int, f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &injected{method, n, f})
}

// Heal takes back what Inject has planned.
func (s *Server) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// strike counts a call against the injected faults and returns the one that is
// due. s.mu is held.
func (s *Server) strike(method string) (due Fault) {
	rest := s.faults[:0]
	for _, f := range s.faults {
		if f.method == method || f.method == "*" {
			f.call--
		}
		if f.call == 0 {
			due = f.fault
			continue
		}
		rest = append(rest, f)
	}
	s.faults = rest
	return due
}

// fail writes what f says in place of an answer; ok is false if f has none.
func (f Fault) fail(w http.ResponseWriter) (ok bool) {
	switch {
	case f.Cut:
		panic(http.ErrAbortHandler)
	case f.Status != 0:
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(f.Status)
		_, _ = w.Write([]byte("<html>Something went wrong</html>"))
		return true
	case f.RetryAfter != 0:
		tooMany(w, f.RetryAfter)
		return true
	case f.Code != "":
		writeJSON(w, answer{"ok": false, "error": f.Code})
		return true
	}
	return false
}

func tooMany(w http.ResponseWriter, wait time.Duration) {
	seconds := int((wait + time.Second - 1) / time.Second)
	w.Header().Set("Retry-After", strconv.Itoa(seconds))
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusTooManyRequests)
	_, _ = w.Write([]byte(`{"ok":false,"error":"ratelimited"}`))
}
