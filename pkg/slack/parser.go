package slack

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"parley/pkg/pipeline"
)

// Paths that a Parser serves.
const (
	PathEvents       = "/slack/events"
	PathCommands     = "/slack/commands"
	PathInteractions = "/slack/interactions"
)

// Config is what a Parser needs.
type Config struct {
	// Secrets returns the signing secrets valid now: the current one, and during
	// a rotation the previous one. It is called for every request and must be
	// fast and safe for concurrent use. Without any, every request is refused.
	Secrets func() []string
	// AppID is the api_app_id of the app, optional. Slack tells it with all but
	// message shortcuts; without AppID, a shortcut is understood once any other
	// request has been.
	AppID string
	// BotUser is the bot's user id, optional: used where Slack does not tell it
	// with the event.
	BotUser string
	// FollowUps makes thread replies that do not mention Parley questions with
	// FollowUp set.
	FollowUps bool
	// APIURL is Slack's API as configured. Files and response URLs are trusted
	// on Slack's own https hosts and on exactly this scheme, host and port.
	APIURL string
	// Language is the tag of Parley's own words where the text does not tell.
	Language string
}

// Parser implements pipeline.Parser for the three paths. It is safe for
// concurrent use.
type Parser struct {
	cfg     Config
	trusted *url.URL // of APIURL, nil if there is none
	seenApp atomic.Pointer[string]
	signers verifier
}

var _ pipeline.Parser = (*Parser)(nil)

// NewParser returns a Parser. It fails if cfg makes no sense.
func NewParser(cfg Config) (*Parser, error) {
	if cfg.Secrets == nil {
		return nil, fmt.Errorf("new slack parser: no source of signing secrets")
	}
	p := &Parser{cfg: cfg}
	if cfg.APIURL != "" {
		u, err := url.Parse(cfg.APIURL)
		if err != nil || u.Host == "" {
			return nil, fmt.Errorf("new slack parser: %q is no URL of an API", cfg.APIURL)
		}
		p.trusted = u
	}
	return p, nil
}

// Parse verifies r and says what it means. It fails with ErrUnauthorized for a
// request that Slack did not just sign, and with ErrMalformed for one that Slack
// signed but that cannot be understood; whatever else there is no use for comes
// back with Ignored set. A redelivery is never ignored for being one.
func (p *Parser) Parse(r pipeline.Request, now time.Time) (pipeline.Parsed, error) {
	if r.Path == PathCommands && r.Header.Get(headerSignature) == "" && isSSLCheck(r.Body) {
		return ignored(IgnoredSSLCheck), nil // sent unsigned, as Slack's own SDK expects
	}
	if err := p.signers.verify(r.Header, r.Body, p.cfg.Secrets(), now); err != nil {
		return pipeline.Parsed{}, err
	}
	parsed, err := p.parseVerified(r.Path, r.Body, now)
	parsed.Retry = retryCount(r.Header)
	return parsed, err
}

func (p *Parser) parseVerified(path string, body []byte, now time.Time) (pipeline.Parsed, error) {
	switch path {
	case PathEvents:
		return p.parseEvent(body, now)
	case PathCommands:
		if isSSLCheck(body) {
			return ignored(IgnoredSSLCheck), nil
		}
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return pipeline.Parsed{}, malformed("command", "no form")
		}
		return p.parseCommand(formCommand(form), now)
	case PathInteractions:
		form, err := url.ParseQuery(string(body))
		if err != nil || form.Get("payload") == "" {
			return pipeline.Parsed{}, malformed("interaction", "no payload")
		}
		return p.parseInteraction([]byte(form.Get("payload")), now)
	}
	return pipeline.Parsed{}, malformed("request", "unknown path")
}

// PayloadKind is the type of a Socket Mode envelope.
type PayloadKind string

// The envelope types that carry a payload.
const (
	PayloadEvent       PayloadKind = "events_api"
	PayloadCommand     PayloadKind = "slash_commands"
	PayloadInteraction PayloadKind = "interactive"
)

// ParsePayload says what the payload of a Socket Mode envelope means. There is no
// signature to verify: the caller holds the connection it came over. A kind that
// is not known is ignored.
func (p *Parser) ParsePayload(kind PayloadKind, payload []byte, now time.Time) (pipeline.Parsed, error) {
	switch kind {
	case PayloadEvent:
		return p.parseEvent(payload, now)
	case PayloadCommand:
		var c command
		if err := decode(payload, &c); err != nil {
			return pipeline.Parsed{}, malformed("command", "no JSON")
		}
		return p.parseCommand(c, now)
	case PayloadInteraction:
		return p.parseInteraction(payload, now)
	}
	return ignored(IgnoredType), nil
}

// app returns the app id a payload tells, or else the one that is known.
func (p *Parser) app(told string) string {
	if isID(told) {
		if seen := p.seenApp.Load(); seen == nil || *seen != told {
			now := told // a copy that may stay
			p.seenApp.Store(&now)
		}
		return told
	}
	if p.cfg.AppID != "" {
		return p.cfg.AppID
	}
	if seen := p.seenApp.Load(); seen != nil {
		return *seen
	}
	return ""
}

// malformed describes a signed payload without quoting it.
func malformed(what, why string) error {
	return fmt.Errorf("parse slack %s: %s: %w", what, why, pipeline.ErrMalformed)
}

// isSSLCheck recognises the probe of a command URL's certificate.
func isSSLCheck(body []byte) bool {
	if !bytes.Contains(body, []byte("ssl_check=1")) {
		return false
	}
	form, err := url.ParseQuery(string(body))
	return err == nil && form.Get("ssl_check") == "1" && !form.Has("command")
}

func retryCount(h http.Header) int {
	if h.Get(headerRetry) == "" {
		return 0 // the usual case: no error to allocate
	}
	n, err := strconv.Atoi(h.Get(headerRetry))
	if err != nil || n < 0 {
		return 0
	}
	return n
}

func jsonResponse(v any) pipeline.Response {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // only maps of strings come here
	}
	return pipeline.Response{Status: http.StatusOK, ContentType: "application/json; charset=utf-8", Body: body}
}
