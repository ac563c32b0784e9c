package dingstream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"parley/pkg/pipeline"
)

// Topics of the gateway (open.dingtalk.com, Stream protocol).
const (
	topicMessage = "/v1.0/im/bot/messages/get"
	topicCard    = "/v1.0/card/instances/callback"
)

const (
	openPath    = "/v1.0/gateway/connections/open"
	openTimeout = 10 * time.Second
)

// connect opens a connection. Each takes a ticket of its own, which is good for
// one use within 90 seconds.
func (r *Receiver) connect(ctx context.Context) (*link, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, 2*openTimeout, errors.New("no connection in time"))
	defer cancel()
	address, err := r.open(ctx)
	if err != nil {
		return nil, fmt.Errorf("open stream: %w", err)
	}
	d := websocket.Dialer{
		Proxy: http.ProxyFromEnvironment, HandshakeTimeout: openTimeout, NetDialContext: r.cfg.NetDial,
	}
	ws, resp, err := d.DialContext(ctx, address, nil)
	if err != nil {
		if resp != nil {
			err = fmt.Errorf("status %d", resp.StatusCode)
		}
		return nil, pipeline.Transient(pipeline.ReasonUnavailable, fmt.Errorf("dial stream: %w", bare(err)))
	}
	return newLink(r, ws), nil
}

// open asks the gateway for a place to connect to, and returns its address with
// the ticket.
func (r *Receiver) open(ctx context.Context) (string, error) {
	secret, err := r.cfg.Secret(ctx)
	if err != nil {
		return "", pipeline.Transient(pipeline.ReasonConfig, fmt.Errorf("secret: %w", err))
	}
	body, err := json.Marshal(map[string]any{
		"clientId": r.cfg.ClientID, "clientSecret": secret, "ua": "parley/" + r.cfg.Version,
		"subscriptions": []map[string]string{
			{"type": "CALLBACK", "topic": topicMessage},
			{"type": "CALLBACK", "topic": topicCard}, // presses are lost without it
		},
	})
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.cfg.APIURL+openPath, bytes.NewReader(body))
	if err != nil {
		return "", bare(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json") // without it the answer may be XML
	resp, err := r.cfg.HTTPClient.Do(req)
	if err != nil {
		return "", pipeline.Transient(pipeline.ReasonUnavailable, bare(err))
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return "", pipeline.Transient(pipeline.ReasonUnavailable, bare(err))
	}
	return r.endpoint(resp.StatusCode, data)
}

// endpoint reads the gateway's answer.
func (r *Receiver) endpoint(status int, data []byte) (string, error) {
	var v struct {
		Endpoint string `json:"endpoint"`
		Ticket   string `json:"ticket"`
	}
	switch {
	case status == http.StatusBadRequest, status == http.StatusUnauthorized, status == http.StatusForbidden:
		return "", pipeline.Permanent(pipeline.ReasonConfig, fmt.Errorf("status %d: check the client id and secret, "+
			"that the robot is in Stream mode, that the app version is published, and the IP list", status))
	case status != http.StatusOK:
		return "", pipeline.Transient(pipeline.ReasonUnavailable, fmt.Errorf("status %d", status))
	case json.Unmarshal(data, &v) != nil || v.Ticket == "":
		return "", pipeline.Transient(pipeline.ReasonUnavailable, errors.New("the answer holds no ticket"))
	}
	u, err := url.Parse(v.Endpoint)
	secure := strings.HasPrefix(r.cfg.APIURL, "https:")
	if err != nil || u.Host == "" || (u.Scheme != "wss" && (secure || u.Scheme != "ws")) {
		return "", pipeline.Transient(pipeline.ReasonUnavailable, errors.New("the answer holds no secure endpoint"))
	}
	u.RawQuery = url.Values{"ticket": {v.Ticket}}.Encode()
	return u.String(), nil
}

// bare is err without the addresses that *url.Error spells out: they hold
// tickets.
func bare(err error) error {
	var u *url.Error
	for errors.As(err, &u) {
		err = u.Err
	}
	return err
}
