package dingtalk

import (
	"errors"
	"fmt"
	"time"

	"parley/pkg/pipeline"
)

// Paths of the HTTP callbacks.
const (
	MessagesPath = "/dingtalk/messages"
	CardsPath    = "/dingtalk/cards"
)

// What Parsed.Ignored says.
const (
	IgnoredUnmentioned = "unmentioned"     // said in a group, but not to Parley
	IgnoredAction      = "action"          // a button that is not Parley's
	IgnoredStranger    = "stranger"        // only the asker may stop an answer
	IgnoredWebhook     = "foreign_webhook" // it alone: the answer takes another way
)

// Config is what a Parser needs. Its zero value accepts nothing over HTTP.
type Config struct {
	// Secrets returns the client secrets valid now, more than one during a
	// rotation. It must not block.
	Secrets func() []string
	// RobotCode and CorpID, where set, refuse messages that name another.
	RobotCode, CorpID string
	// PersonalGroups gives each person in a group a conversation of their own.
	PersonalGroups bool
	// TrustedHosts are hosts besides DingTalk's own that a session webhook may
	// be on, as in a URL: "127.0.0.1:8080".
	TrustedHosts []string
}

// Parser implements pipeline.Parser for DingTalk's HTTP callbacks, and decodes
// the same payloads where Stream mode has already authenticated them. It is safe
// for concurrent use.
type Parser struct{ cfg Config }

// NewParser returns a Parser.
func NewParser(c Config) *Parser { return &Parser{cfg: c} }

// empty is the body of every acknowledgement: what a robot says in the response
// itself is not shown by DingTalk today.
var empty = pipeline.Response{Status: 200, ContentType: "application/json", Body: []byte("{}")}

// Parse verifies r's signature at the time now and says what it means.
func (p *Parser) Parse(r pipeline.Request, now time.Time) (pipeline.Parsed, error) {
	switch r.Path {
	case MessagesPath:
		if !p.robotSigned(r, now) {
			return pipeline.Parsed{}, pipeline.ErrUnauthorized
		}
		return p.Message(r.Body, now)
	case CardsPath:
		if !p.cardSigned(r, now) && !p.robotSigned(r, now) {
			return pipeline.Parsed{}, pipeline.ErrUnauthorized
		}
		return p.Card(r.Body, now)
	}
	return pipeline.Parsed{}, fmt.Errorf("%w: no callback at this path", pipeline.ErrUnauthorized)
}

func (p *Parser) robotSigned(r pipeline.Request, now time.Time) bool {
	at := header(r.Header, HeaderTimestamp)
	return fresh(at, now) && signed(Sign, at, header(r.Header, HeaderSign), p.secrets())
}

func (p *Parser) cardSigned(r pipeline.Request, now time.Time) bool {
	at := header(r.Header, HeaderCardTimestamp)
	return fresh(at, now) && signed(SignCard, at, header(r.Header, HeaderCardSign), p.secrets())
}

func (p *Parser) secrets() []string {
	if p.cfg.Secrets == nil {
		return nil
	}
	return p.cfg.Secrets()
}

// ours refuses what names another robot or organisation than the configured.
// What names none cannot be told apart and is accepted.
func (p *Parser) ours(robot, corp string) error {
	if p.cfg.RobotCode != "" && robot != "" && robot != p.cfg.RobotCode {
		return fmt.Errorf("%w: meant for another robot", pipeline.ErrUnauthorized)
	}
	if p.cfg.CorpID != "" && corp != "" && corp != p.cfg.CorpID {
		return fmt.Errorf("%w: sent by another organisation", pipeline.ErrUnauthorized)
	}
	return nil
}

var errEncrypted = errors.New("the body is encrypted: switch off the robot's AES key in DingTalk's console")

func malformed(err error) error { return fmt.Errorf("%w: %w", pipeline.ErrMalformed, err) }
