package slacktest

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"
)

// Identities a Server uses unless Options say otherwise.
const (
	DefaultAppID   = "A0PARLEY01"
	DefaultTeam    = "T0ACME0001"
	DefaultBotUser = "U0PARLEY01"
	DefaultBotID   = "B0PARLEY01"
	DefaultToken   = "xoxb-test-token"
	DefaultApp     = "xapp-test-token" // app-level, for Socket Mode
	DefaultSecret  = "0123456789abcdef0123456789abcdef"
)

// Options configure a Server. The zero value is a workspace with the default
// identities and Slack's documented limits.
type Options struct {
	Now           func() time.Time // time.Now if nil
	AppID         string
	Team          string
	BotUser       string
	BotID         string
	Token         string
	SigningSecret string
	// PlainApp makes the app one that is not declared an agent: statuses and
	// sessions are refused.
	PlainApp bool
	// NoStreams makes chat.startStream answer channel_type_not_supported.
	NoStreams bool
	// NoHome makes the app one whose home tab is switched off.
	NoHome bool
	// PerMinute overrides how often a method may be called in a minute.
	PerMinute map[string]int
	// PostBurst is how many messages a channel takes at once before it is held
	// to one a second; 5 if zero.
	PostBurst int
	// StreamLife is how long a stream stays open; five minutes if zero.
	StreamLife time.Duration
	// PageSize caps conversations.replies and history; 1000 if zero. Apps
	// distributed outside Slack's marketplace get 15.
	PageSize int
}

// Server is one Slack workspace with one app installed. All methods are safe for
// concurrent use.
type Server struct {
	opt Options

	mu         sync.Mutex
	base       string // scheme and host; "" while reached through Transport
	token      string
	last       int64 // newest ts in microseconds
	serial     int
	channels   map[string]*Channel
	messages   []*Message
	statuses   map[string]status // channel/thread -> working sign
	sessions   map[string]string // channel/thread -> session status
	titles     map[string]string
	prompts    map[string][]Prompt
	reactions  map[string][]string // channel/ts -> names
	views      map[string]View     // user -> home tab
	people     map[string]Person
	modals     []View
	triggers   map[string]time.Time
	files      map[string]*File
	hooks      map[string]*hook
	calls      []Call
	violations []string
	faults     []*injected
	windows    map[string][]time.Time
	buckets    map[string]bucket
	blocked    map[string]refusal
	storm      storm
	busy       map[string]int // streams with a call under way
	socket     socket
}

// New returns an empty workspace.
func New(opt Options) *Server {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	defaults := []struct {
		field *string
		value string
	}{
		{&opt.AppID, DefaultAppID}, {&opt.Team, DefaultTeam}, {&opt.BotUser, DefaultBotUser},
		{&opt.BotID, DefaultBotID}, {&opt.Token, DefaultToken}, {&opt.SigningSecret, DefaultSecret},
	}
	for _, d := range defaults {
		if *d.field == "" {
			*d.field = d.value
		}
	}
	if opt.PostBurst == 0 {
		opt.PostBurst = 5
	}
	if opt.StreamLife == 0 {
		opt.StreamLife = 5 * time.Minute
	}
	if opt.PageSize == 0 {
		opt.PageSize = 1000
	}
	return &Server{
		opt: opt, token: opt.Token,
		channels: map[string]*Channel{}, statuses: map[string]status{}, sessions: map[string]string{},
		titles: map[string]string{}, prompts: map[string][]Prompt{}, reactions: map[string][]string{},
		views: map[string]View{}, people: map[string]Person{}, triggers: map[string]time.Time{}, files: map[string]*File{}, hooks: map[string]*hook{},
		windows: map[string][]time.Time{}, buckets: map[string]bucket{}, blocked: map[string]refusal{}, busy: map[string]int{},
	}
}

// Start serves s on a loopback port until stop is called. It returns the base
// URL, to which "/api/" is added for the Web API.
func (s *Server) Start() (base string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("start slack: %w", err)
	}
	srv := &httptest.Server{Listener: l, Config: &http.Server{Handler: s}}
	srv.Start()
	s.mu.Lock()
	s.base = srv.URL
	s.mu.Unlock()
	return srv.URL, func() { s.hangUp(); srv.Close() }, nil
}

// APIURL is the Web API's address, as slack-go's OptionAPIURL wants it.
func (s *Server) APIURL() string { return s.origin("slack.com") + "/api/" }

// origin is where host is reached: itself through Transport, the loopback
// address after Start.
func (s *Server) origin(host string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.originLocked(host)
}

func (s *Server) originLocked(host string) string {
	if s.base != "" {
		return s.base
	}
	return "https://" + host
}

// ServeHTTP answers a request to any of Slack's hosts; the path tells which.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	switch {
	case strings.HasPrefix(path, "/api/"):
		s.serveMethod(w, r, strings.TrimPrefix(path, "/api/"))
	case strings.HasPrefix(path, "/files-pri/"):
		s.serveFile(w, r)
	case strings.HasPrefix(path, "/upload/"):
		s.serveUpload(w, r)
	case strings.HasPrefix(path, "/commands/"), strings.HasPrefix(path, "/actions/"):
		s.serveHook(w, r)
	case path == linkPath:
		s.serveSocket(w, r)
	case path == "/" && r.URL.Query().Has("redir"):
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, "<!DOCTYPE html><title>Sign in</title>")
	default:
		http.NotFound(w, r)
	}
}

// SetToken replaces the token the workspace accepts, as a rotation does.
func (s *Server) SetToken(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token = token
}

// Violations are the breaches of Slack's rules so far, one sentence each.
func (s *Server) Violations() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.violations...)
}

// Check has t fail at its end for each rule of Slack's that was broken by then.
func (s *Server) Check(t interface {
	Cleanup(func())
	Errorf(format string, args ...any)
}) {
	t.Cleanup(func() {
		for _, v := range s.Violations() {
			t.Errorf("a rule of Slack's was broken: %s", v)
		}
	})
}

// breach records a broken rule. s.mu is held.
func (s *Server) breach(format string, args ...any) {
	s.violations = append(s.violations, fmt.Sprintf(format, args...))
}

// nextTS mints a message timestamp: the clock, and never the same twice. s.mu is
// held.
func (s *Server) nextTS() string {
	us := s.opt.Now().UnixMicro()
	if us <= s.last {
		us = s.last + 100
	}
	s.last = us
	return fmt.Sprintf("%d.%06d", us/1_000_000, us%1_000_000)
}

// id mints an identifier with a prefix such as Ev or F. s.mu is held.
func (s *Server) id(prefix string) string {
	s.serial++
	return fmt.Sprintf("%s0TEST%04d", prefix, s.serial)
}
