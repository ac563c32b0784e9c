package dingtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Options set a Server up. Empty fields take the defaults named.
type Options struct {
	ClientID  string // "dingexamplekey01"
	Secret    string // "example-app-secret-not-real"
	RobotCode string // ClientID
	CorpID    string // "ding0000aaaa1111bbbb"
	// TokenLife is how long an access token lasts: two hours.
	TokenLife time.Duration
	// WebhookPerMinute limits session webhooks per conversation; 0: no limit.
	WebhookPerMinute int
	// QPS limits each API, as DingTalk does per app; 0: no limit.
	QPS int
	// SealFinal refuses to stream into a card that was finalized.
	SealFinal bool
	// RedeliverAfter is how long the gateway waits for an acknowledgement of a
	// frame: a minute.
	RedeliverAfter time.Duration
	// Now is the clock: time.Now.
	Now func() time.Time
}

func (o *Options) fill() {
	set := func(s *string, v string) {
		if *s == "" {
			*s = v
		}
	}
	set(&o.ClientID, "dingexamplekey01")
	set(&o.Secret, "example-app-secret-not-real")
	set(&o.RobotCode, o.ClientID)
	set(&o.CorpID, "ding0000aaaa1111bbbb")
	if o.TokenLife == 0 {
		o.TokenLife = 2 * time.Hour
	}
	if o.RedeliverAfter == 0 {
		o.RedeliverAfter = time.Minute
	}
	if o.Now == nil {
		o.Now = time.Now
	}
}

// Server is DingTalk. All its methods are safe for concurrent use.
type Server struct {
	Options
	// APIURL, OAPIURL and FilesURL are where it is reached: DingTalk's own
	// addresses through Transport, loopback after Start.
	APIURL, OAPIURL, FilesURL string

	mu         sync.Mutex
	calls      map[string]int
	lastCalls  map[string][]time.Time
	throttled  map[string]time.Time // when each endpoint last answered a QPS error
	faults     []*planned
	violations []string
	tokens     map[string]time.Time
	sessions   map[string]*session
	groups     map[string]bool
	refused    map[string]string // staff id to the list it ends up in
	messages   []*Message
	cards      map[string]*Card
	undeliver  int // how many cards to create without delivering them
	reactions  map[string][]string
	files      map[string][]byte
	routes     map[string]string // callbackRouteKey to URL
	serial     int
	gateway    gateway
}

// New returns a Server to be used through Transport and Dial.
func New(o Options) *Server {
	o.fill()
	return &Server{
		Options: o,
		APIURL:  "https://api.dingtalk.com", OAPIURL: "https://oapi.dingtalk.com",
		FilesURL: "https://static.dingtalk.com",
		calls:    map[string]int{}, lastCalls: map[string][]time.Time{}, throttled: map[string]time.Time{},
		tokens: map[string]time.Time{}, sessions: map[string]*session{}, groups: map[string]bool{},
		refused: map[string]string{}, cards: map[string]*Card{}, reactions: map[string][]string{},
		files: map[string][]byte{}, routes: map[string]string{},
	}
}

// Endpoints, as Fail and Calls name them.
const (
	Token        = "POST /v1.0/oauth2/accessToken"
	Webhook      = "POST /robot/sendBySession"
	GroupSend    = "POST /v1.0/robot/groupMessages/send"
	DirectSend   = "POST /v1.0/robot/oToMessages/batchSend"
	GroupRecall  = "POST /v1.0/robot/groupMessages/recall"
	DirectRecall = "POST /v1.0/robot/otoMessages/batchRecall"
	React        = "POST /v1.0/robot/emotion/reply"
	Unreact      = "POST /v1.0/robot/emotion/recall"
	FileURL      = "POST /v1.0/robot/messageFiles/download"
	CardCreate   = "POST /v1.0/card/instances/createAndDeliver"
	CardStream   = "PUT /v1.0/card/streaming"
	CardUpdate   = "PUT /v1.0/card/instances"
	CardRoute    = "POST /v1.0/card/callbacks/register"
	Open         = "POST /v1.0/gateway/connections/open"
	Blob         = "GET /files" // the file itself, without authentication
)

// handlers are called with s.mu held.
var handlers = map[string]func(s *Server, r *request) reply{
	Token: (*Server).token, Webhook: (*Server).webhook,
	GroupSend: (*Server).groupSend, DirectSend: (*Server).directSend,
	GroupRecall: (*Server).recall, DirectRecall: (*Server).recall,
	React: (*Server).react, Unreact: (*Server).unreact,
	FileURL: (*Server).fileURL, Blob: (*Server).blob,
	CardCreate: (*Server).cardCreate, CardStream: (*Server).cardStream,
	CardUpdate: (*Server).cardUpdate, CardRoute: (*Server).cardRoute,
	Open: (*Server).open,
}

// request is a call as a handler sees it.
type request struct {
	endpoint string
	http     *http.Request
	body     []byte
	fields   map[string]any // of a JSON body
}

func (r *request) str(key string) string { s, _ := r.fields[key].(string); return s }
func (r *request) flag(key string) bool  { b, _ := r.fields[key].(bool); return b }
func (r *request) object(key string) map[string]any {
	m, _ := r.fields[key].(map[string]any)
	return m
}

func (r *request) strings(key string) []string {
	list, _ := r.fields[key].([]any)
	var out []string
	for _, v := range list {
		if s, ok := v.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// reply is what a handler answers.
type reply struct {
	status int
	body   any // JSON, or []byte as it is
}

func ok(body any) reply { return reply{http.StatusOK, body} }

// refuse is the OpenAPI's error form.
func refuse(status int, code string) reply {
	return reply{status, map[string]any{"code": code, "message": code, "requestid": "5C0F-EXAMPLE"}}
}

// errcode is the old API's error form: HTTP 200.
func errcode(n int, msg string) reply { return ok(map[string]any{"errcode": n, "errmsg": msg}) }

// endpointOf names the call, "" if DingTalk has none such.
func endpointOf(r *http.Request) string {
	name := r.Method + " " + r.URL.Path
	if strings.HasPrefix(name, Blob) {
		return Blob
	}
	if _, known := handlers[name]; known {
		return name
	}
	return ""
}

// do performs one call up to the answer. The caller sends it, late or not at all
// as the fault says.
func (s *Server) do(r *http.Request, body []byte) (reply, Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	endpoint := endpointOf(r)
	if endpoint == "" {
		s.violate("unknown endpoint %s %s", r.Method, r.URL.Path)
		return refuse(http.StatusNotFound, "InvalidAction.NotFound"), Fault{}
	}
	s.calls[endpoint]++
	if since := s.Now().Sub(s.throttled[endpoint]); since < time.Second {
		s.violate("%s called %v after a QPS error", endpoint, since)
	}
	req := &request{endpoint: endpoint, http: r, body: body}
	if len(body) > 0 && json.Unmarshal(body, &req.fields) != nil {
		return refuse(http.StatusBadRequest, "InvalidParameter.Body"), Fault{}
	}
	f := s.fault(endpoint)
	if f.answers() && !f.Apply {
		return s.note(endpoint, f.reply()), f
	}
	answer := s.note(endpoint, s.guarded(req))
	if f.answers() && !f.Cut {
		answer = s.note(endpoint, f.reply())
	}
	return answer, f
}

// guarded checks the token and the rate before the call itself.
func (s *Server) guarded(r *request) reply {
	if s.overQPS(r.endpoint) {
		return refuse(http.StatusForbidden, CodeQPS)
	}
	switch r.endpoint {
	case Token, Webhook, Open, Blob:
	default:
		token := r.http.Header.Get("x-acs-dingtalk-access-token")
		if expires, known := s.tokens[token]; !known || !s.Now().Before(expires) {
			return refuse(http.StatusUnauthorized, "InvalidAuthentication")
		}
	}
	return handlers[r.endpoint](s, r)
}

func (s *Server) overQPS(endpoint string) bool {
	if s.QPS == 0 {
		return false
	}
	now := s.Now()
	recent := s.lastCalls[endpoint][:0]
	for _, at := range s.lastCalls[endpoint] {
		if now.Sub(at) < time.Second {
			recent = append(recent, at)
		}
	}
	s.lastCalls[endpoint] = append(recent, now)
	return len(recent) >= s.QPS
}

// note remembers a QPS error, to judge the caller's next call.
func (s *Server) note(endpoint string, a reply) reply {
	if m, _ := a.body.(map[string]any); m["code"] == CodeQPS {
		s.throttled[endpoint] = s.Now()
	}
	return a
}

func (s *Server) violate(format string, args ...any) {
	s.violations = append(s.violations, fmt.Sprintf(format, args...))
}

func (s *Server) next(prefix string) string {
	s.serial++
	return fmt.Sprintf("%s-%d", prefix, s.serial)
}
