package webchat

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

// Path is where the page posts; its Parser is the Hub.
const Path = "/web/messages"

var _ pipeline.Parser = (*Hub)(nil)

// accepted is the answer to a gesture that is durable.
type accepted struct {
	MessageID    string    `json:"message_id"`
	Conversation string    `json:"conversation"`
	Kind         chat.Kind `json:"kind"`
	SentAt       time.Time `json:"sent_at"`
}

// refusal is the answer to a request that makes no sense.
type refusal struct {
	Error string `json:"error"`
}

// Parse implements pipeline.Parser. Unlike a platform, a page does not send again
// what was refused, so a request that makes no sense is answered 400 or 413 and
// counted as ignored. The request's Host is expected among its headers, where
// Handler puts it.
func (h *Hub) Parse(r pipeline.Request, now time.Time) (pipeline.Parsed, error) {
	if err := h.authorize(r); err != nil {
		return pipeline.Parsed{}, fmt.Errorf("%w: %w", pipeline.ErrUnauthorized, err)
	}
	var g Gesture
	if err := json.Unmarshal(r.Body, &g); err != nil {
		return refuse(http.StatusBadRequest, errors.New("the body is not the JSON of a message")), nil
	}
	g.Locale = locale(r.Header.Get("Accept-Language"))
	m, err := h.Message(g, now)
	switch {
	case errors.Is(err, errTooLong):
		return refuse(http.StatusRequestEntityTooLarge, err), nil
	case err != nil:
		return refuse(http.StatusBadRequest, err), nil
	}
	return pipeline.Parsed{
		Messages: []chat.Message{m},
		Response: answer(http.StatusOK, accepted{m.ID, m.Conversation.Channel, m.Kind, m.SentAt}),
	}, nil
}

func refuse(status int, err error) pipeline.Parsed {
	return pipeline.Parsed{Ignored: "malformed", Response: answer(status, refusal{err.Error()})}
}

func answer(status int, v any) pipeline.Response {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings and times always marshal
	}
	return pipeline.Response{Status: status, ContentType: "application/json", Body: body}
}

var (
	errForeignHost   = errors.New("the request's host is not this machine")
	errForeignOrigin = errors.New("the request comes from another site")
)

// authorize lets in the page itself and programs on this machine.
func (h *Hub) authorize(r pipeline.Request) error {
	host := r.Header.Get("Host")
	if !h.ownHost(host) {
		return errForeignHost
	}
	check := http.Request{Method: http.MethodPost, Host: host, Header: r.Header, URL: &url.URL{Path: r.Path}}
	if err := http.NewCrossOriginProtection().Check(&check); err != nil {
		return errForeignOrigin
	}
	return nil
}

// ownHost reports whether a Host header names this machine. A site can make its own
// name resolve to a loopback address, but cannot change what the browser sends.
func (h *Hub) ownHost(hostport string) bool {
	host := hostOf(hostport)
	if strings.EqualFold(host, "localhost") {
		return true
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() {
		return true
	}
	listening := hostOf(h.config.Addr)
	if ip := net.ParseIP(listening); ip != nil && ip.IsUnspecified() {
		return false
	}
	return listening != "" && strings.EqualFold(host, listening)
}

// hostOf is the host of an address, with or without a port.
func hostOf(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	return strings.TrimSuffix(strings.TrimPrefix(hostport, "["), "]")
}

// locale is the first language a browser asks for.
func locale(acceptLanguage string) string {
	tag, _, _ := strings.Cut(acceptLanguage, ",")
	tag, _, _ = strings.Cut(tag, ";")
	tag = strings.TrimSpace(tag)
	if tag == "*" || len(tag) > 35 { // RFC 5646 section 4.4.1: longer ones are not met
		return ""
	}
	return tag
}
