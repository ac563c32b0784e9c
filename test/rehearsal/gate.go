package rehearsal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"time"
)

// gate is the only way from one function to AWS: it refuses what the function's
// role does not allow, and may be told to make a service slow.
type gate struct {
	function string
	account  account
	allowed  []permission
	services map[string]*httputil.ReverseProxy
	server   *httptest.Server

	mu      sync.Mutex
	refused []string
	used    map[permission]bool
	slow    map[string]time.Duration // by service
	lose    map[string]int           // answers still to lose, by service
}

// newGate opens a gate in front of services, which are addresses by name.
func newGate(function string, a account, allowed []permission, services map[string]string) (*gate, error) {
	g := &gate{function: function, account: a, allowed: allowed, services: map[string]*httputil.ReverseProxy{}, used: map[permission]bool{}, slow: map[string]time.Duration{}, lose: map[string]int{}}
	for name, address := range services {
		u, err := url.Parse(address)
		if err != nil {
			return nil, fmt.Errorf("service %s: %w", name, err)
		}
		g.services[name] = &httputil.ReverseProxy{
			// The host that was signed must not change on the way.
			Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(u); r.Out.Host = u.Host },
			FlushInterval: -1, // streams are passed on as they come
			ErrorHandler:  func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
		}
	}
	g.server = httptest.NewServer(g)
	return g, nil
}

// ServeHTTP implements http.Handler.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the function has left
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	service, needed, err := g.account.needs(r, body)
	if err != nil {
		g.refuse(w, err.Error())
		return
	}
	for _, p := range needed {
		if !allows(g.allowed, p) {
			g.refuse(w, p.action+" on "+p.resource)
			return
		}
	}
	g.mu.Lock()
	for _, p := range needed {
		g.used[p] = true
	}
	slow, lost := g.slow[service], g.lose[service] > 0
	if lost {
		g.lose[service]--
	}
	g.mu.Unlock()
	select {
	case <-time.After(slow):
	case <-r.Context().Done():
		return
	}
	if lost {
		g.services[service].ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	}
	g.services[service].ServeHTTP(w, r)
}

func (g *gate) refuse(w http.ResponseWriter, what string) {
	g.mu.Lock()
	g.refused = append(g.refused, g.function+" may not "+what)
	g.mu.Unlock()
	w.Header().Set("X-Amzn-ErrorType", "AccessDeniedException")
	w.Header().Set("X-Amzn-Query-Error", "AccessDenied;Sender")
	w.WriteHeader(http.StatusForbidden)
	_ = json.NewEncoder(w).Encode(map[string]string{"__type": "AccessDeniedException", "message": "not authorized: " + what})
}

// slowDown makes every later call of service take at least d.
func (g *gate) slowDown(service string, d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.slow[service] = d
}

// loseAnswers lets the next n calls of service take effect and breaks the
// connection instead of answering them.
func (g *gate) loseAnswers(service string, n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.lose[service] = n
}

// refusals are the calls that the role did not allow.
func (g *gate) refusals() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.refused)
}
