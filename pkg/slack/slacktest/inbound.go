package slacktest

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Inbound is a request as Slack sends it to an app.
type Inbound struct {
	Path   string // /slack/events, /slack/commands or /slack/interactions
	Header http.Header
	Body   []byte
}

// Request is i as an HTTP request to the app at base, such as
// "http://127.0.0.1:3000".
func (i Inbound) Request(base string) (*http.Request, error) {
	r, err := http.NewRequest(http.MethodPost, base+i.Path, bytes.NewReader(i.Body))
	if err != nil {
		return nil, fmt.Errorf("build request: %w", err)
	}
	r.Header = i.Header.Clone()
	return r, nil
}

// Retry is i as Slack sends it again: num is 1, 2 or 3.
func (i Inbound) Retry(num int, reason string) Inbound {
	h := i.Header.Clone()
	h.Set("X-Slack-Retry-Num", strconv.Itoa(num))
	h.Set("X-Slack-Retry-Reason", reason)
	i.Header = h
	return i
}

// Sign returns the headers that prove body came from Slack at a given time
// (docs.slack.dev/authentication/verifying-requests-from-slack).
func Sign(secret string, body []byte, at time.Time) http.Header {
	stamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("v0:" + stamp + ":"))
	mac.Write(body)
	h := http.Header{}
	h.Set("X-Slack-Request-Timestamp", stamp)
	h.Set("X-Slack-Signature", "v0="+hex.EncodeToString(mac.Sum(nil)))
	return h
}

// Again is i sent anew: the same body, signed at this moment.
func (s *Server) Again(i Inbound) Inbound {
	return s.signed(i.Path, i.Header.Get("Content-Type"), i.Body)
}

func (s *Server) signed(path, contentType string, body []byte) Inbound {
	h := Sign(s.opt.SigningSecret, body, s.opt.Now())
	h.Set("Content-Type", contentType)
	return Inbound{Path: path, Header: h, Body: body}
}

// Event wraps an inner event in an event_callback with a fresh event_id.
func (s *Server) Event(inner map[string]any) Inbound {
	s.mu.Lock()
	body, _ := json.Marshal(answer{
		"token": "unused", "team_id": s.opt.Team, "context_team_id": s.opt.Team, "context_enterprise_id": nil,
		"api_app_id": s.opt.AppID, "event": inner, "type": "event_callback", "event_id": s.id("Ev"),
		"event_time": s.opt.Now().Unix(), "is_ext_shared_channel": false, "event_context": "4-test",
		"authorizations": []any{answer{
			"enterprise_id": nil, "team_id": s.opt.Team, "user_id": s.opt.BotUser, "is_bot": true, "is_enterprise_install": false,
		}},
	})
	s.mu.Unlock()
	return s.signed("/slack/events", "application/json", body)
}

// EventURLVerification is the handshake of a new request url.
func (s *Server) EventURLVerification(challenge string) Inbound {
	body, _ := json.Marshal(answer{"token": "unused", "challenge": challenge, "type": "url_verification"})
	return s.signed("/slack/events", "application/json", body)
}

// form sends a payload the way commands and interactions arrive.
func (s *Server) form(path string, values url.Values) Inbound {
	return s.signed(path, "application/x-www-form-urlencoded", []byte(values.Encode()))
}

func (s *Server) interaction(payload answer) Inbound {
	data, _ := json.Marshal(payload)
	return s.form("/slack/interactions", url.Values{"payload": {string(data)}})
}

// trigger issues a trigger_id, good for three seconds. s.mu is held.
func (s *Server) trigger() string {
	id := s.id("trigger.")
	s.triggers[id] = s.opt.Now()
	return id
}
