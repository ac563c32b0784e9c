package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"parley/pkg/pipeline"
)

// patience is how long a platform is let wait in all. Slack gives up after three
// seconds; a refusal before that tells it more than silence does.
const patience = 2500 * time.Millisecond

// gateway takes API Gateway's events for HTTP APIs, payload version 2.0. It is a
// lambda.Handler of bytes, so that an event is decoded once and into no more than
// what is used.
//
// Format: "Working with AWS Lambda proxy integrations for HTTP APIs" in API
// Gateway's developer guide. A Function URL's events have the same members.
type gateway struct{ ingress *pipeline.Ingress }

// event is what is used of an event.
type event struct {
	RawPath string  `json:"rawPath"`
	Headers headers `json:"headers"`
	Body    string  `json:"body"`
	// IsBase64Encoded is true for bodies that are not text, and for forms.
	IsBase64Encoded bool `json:"isBase64Encoded"`
	RequestContext  struct {
		HTTP struct {
			Method string `json:"method"`
			Path   string `json:"path"`
		} `json:"http"`
	} `json:"requestContext"`
}

// headers are those that a parser reads, named as the gateway names them: in lower
// case. The dozen others are not worth an allocation each.
type headers struct {
	SlackSignature string `json:"x-slack-signature"`
	SlackTimestamp string `json:"x-slack-request-timestamp"`
	SlackRetry     string `json:"x-slack-retry-num"`
	DingTimestamp  string `json:"timestamp"`
	DingSign       string `json:"sign"`
	CardTimestamp  string `json:"x-ddpaas-signature-timestamp"`
	CardSign       string `json:"x-ddpaas-signature"`
}

// header is h as net/http has it.
func (h headers) header() http.Header {
	out := make(http.Header, 3) // what either platform sends
	for _, f := range [...]struct{ name, value string }{
		{"X-Slack-Signature", h.SlackSignature}, {"X-Slack-Request-Timestamp", h.SlackTimestamp}, {"X-Slack-Retry-Num", h.SlackRetry},
		{"Timestamp", h.DingTimestamp}, {"Sign", h.DingSign},
		{"X-Ddpaas-Signature-Timestamp", h.CardTimestamp}, {"X-Ddpaas-Signature", h.CardSign},
	} {
		if f.value != "" {
			out[f.name] = []string{f.value}
		}
	}
	return out
}

type response struct {
	StatusCode int               `json:"statusCode"`
	Headers    map[string]string `json:"headers,omitempty"`
	Body       string            `json:"body"`
}

// Invoke implements lambda.Handler.
func (g gateway) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var e event
	if err := json.Unmarshal(payload, &e); err != nil {
		return nil, fmt.Errorf("not an event of an HTTP API: %w", err)
	}
	r, err := e.request()
	if err != nil {
		return json.Marshal(response{StatusCode: http.StatusBadRequest})
	}
	answer := g.ingress.Handle(ctx, r)
	out := response{StatusCode: answer.Status, Body: string(answer.Body)}
	if answer.ContentType != "" {
		out.Headers = map[string]string{"Content-Type": answer.ContentType}
	}
	return json.Marshal(out)
}

// request undoes what the gateway did to the platform's request, so that the
// bytes are those that were signed.
func (e event) request() (pipeline.Request, error) {
	r := pipeline.Request{Method: e.RequestContext.HTTP.Method, Path: e.path(), Header: e.Headers.header(), Body: []byte(e.Body)}
	if e.IsBase64Encoded {
		body, err := base64.StdEncoding.DecodeString(e.Body)
		if err != nil {
			return r, fmt.Errorf("decode body: %w", err)
		}
		r.Body = body
	}
	return r, nil
}

// path is the request's path, without the name of a stage that is not $default.
func (e event) path() string {
	if e.RawPath != "" {
		return e.RawPath
	}
	return e.RequestContext.HTTP.Path
}
