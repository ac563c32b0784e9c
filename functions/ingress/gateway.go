package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"parley/pkg/dingtalk"
	"parley/pkg/pipeline"
	"parley/pkg/slack"
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
	RawPath word    `json:"rawPath"`
	Headers headers `json:"headers"`
	Body    body    `json:"body"`
	// IsBase64Encoded is true for bodies that are not text, and for forms.
	IsBase64Encoded bool `json:"isBase64Encoded"`
	RequestContext  struct {
		HTTP struct {
			Method word `json:"method"`
		} `json:"http"`
	} `json:"requestContext"`
}

// word is a string that is nearly always one of a few, which take no memory of
// their own.
type word string

// UnmarshalText implements encoding.TextUnmarshaler.
func (w *word) UnmarshalText(text []byte) error {
	for _, known := range [...]word{
		http.MethodPost, http.MethodGet, slack.PathEvents, slack.PathCommands, slack.PathInteractions, dingtalk.MessagesPath, dingtalk.CardsPath,
	} {
		if string(text) == string(known) {
			*w = known
			return nil
		}
	}
	*w = word(text)
	return nil
}

// body is a string as bytes. (What encoding/json decodes into a []byte is base64.)
type body []byte

// UnmarshalText implements encoding.TextUnmarshaler.
func (b *body) UnmarshalText(text []byte) error {
	*b = slices.Clone(text)
	return nil
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
	values := make([]string, 0, 3)
	for _, f := range [...]struct{ name, value string }{
		{"X-Slack-Signature", h.SlackSignature}, {"X-Slack-Request-Timestamp", h.SlackTimestamp}, {"X-Slack-Retry-Num", h.SlackRetry},
		{"Timestamp", h.DingTimestamp}, {"Sign", h.DingSign},
		{"X-Ddpaas-Signature-Timestamp", h.CardTimestamp}, {"X-Ddpaas-Signature", h.CardSign},
	} {
		if f.value != "" {
			values = append(values, f.value)
			out[f.name] = values[len(values)-1 : len(values) : len(values)]
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
	r := pipeline.Request{Method: string(e.RequestContext.HTTP.Method), Path: string(e.RawPath), Header: e.Headers.header(), Body: e.Body}
	if e.IsBase64Encoded {
		n, err := base64.StdEncoding.Decode(e.Body, e.Body)
		if err != nil {
			return r, fmt.Errorf("decode body: %w", err)
		}
		r.Body = e.Body[:n]
	}
	return r, nil
}
