package dingapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"

	"parley/pkg/pipeline"
)

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 1 << 20

// answer is an HTTP answer that has been read.
type answer struct {
	status int
	body   []byte
}

// method names a call of the OpenAPI, for errors, paces and metrics.
type method struct{ verb, path string }

var (
	methodToken        = method{http.MethodPost, "/v1.0/oauth2/accessToken"}
	methodGroupSend    = method{http.MethodPost, "/v1.0/robot/groupMessages/send"}
	methodDirectSend   = method{http.MethodPost, "/v1.0/robot/oToMessages/batchSend"}
	methodGroupRecall  = method{http.MethodPost, "/v1.0/robot/groupMessages/recall"}
	methodDirectRecall = method{http.MethodPost, "/v1.0/robot/otoMessages/batchRecall"}
	methodReact        = method{http.MethodPost, "/v1.0/robot/emotion/reply"}
	methodUnreact      = method{http.MethodPost, "/v1.0/robot/emotion/recall"}
	methodFile         = method{http.MethodPost, "/v1.0/robot/messageFiles/download"}
	methodCardCreate   = method{http.MethodPost, "/v1.0/card/instances/createAndDeliver"}
	methodCardStream   = method{http.MethodPut, "/v1.0/card/streaming"}
	methodCardUpdate   = method{http.MethodPut, "/v1.0/card/instances"}
	methodCardRegister = method{http.MethodPost, "/v1.0/card/callbacks/register"}
)

// call performs one OpenAPI call with a token and reads its answer into out,
// which may be nil. A token that DingTalk no longer takes is replaced once.
func (c *Client) call(ctx context.Context, m method, in, out any) error {
	for attempt := 0; ; attempt++ {
		token, err := c.token.get(ctx, c)
		if err != nil {
			return err
		}
		err = c.send(ctx, m, token, in, out)
		var refused *refusal
		if attempt == 0 && errors.As(err, &refused) && refused.status == http.StatusUnauthorized {
			c.token.drop(token)
			continue
		}
		return err
	}
}

// send performs one OpenAPI call.
func (c *Client) send(ctx context.Context, m method, token string, in, out any) error {
	a, err := c.post(ctx, m.verb, c.cfg.APIURL+m.path, token, in)
	if err != nil {
		return fmt.Errorf("dingtalk %s: %w", m.path, err)
	}
	if err := a.check(); err != nil {
		return fmt.Errorf("dingtalk %s: %w", m.path, err)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(a.body, out); err != nil {
		return pipeline.OutcomeUnknown(pipeline.ReasonChat, fmt.Errorf("dingtalk %s: the answer is not JSON", m.path))
	}
	return nil
}

// post sends in as JSON and reads the answer. Its errors are classified, and do
// not contain the address.
func (c *Client) post(ctx context.Context, verb, to, token string, in any) (answer, error) {
	var body bytes.Buffer
	e := json.NewEncoder(&body)
	e.SetEscapeHTML(false) // an escaped < breaks mentions
	if err := e.Encode(in); err != nil {
		return answer{}, pipeline.Permanent(pipeline.ReasonChat, fmt.Errorf("encode: %w", err))
	}
	ctx, cancel := context.WithTimeoutCause(ctx, callTimeout, errTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, verb, to, &body)
	if err != nil {
		return answer{}, pipeline.Permanent(pipeline.ReasonConfig, errors.New("the address is no URL"))
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	if token != "" {
		req.Header.Set("x-acs-dingtalk-access-token", token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return answer{}, network(ctx, err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return answer{}, network(ctx, err)
	}
	return answer{resp.StatusCode, data}, nil
}

var errTimeout = errors.New("no answer in time")

// network classifies an error of the connection. Unless the connection was never
// made, the call may have taken effect. The *url.Error around the cause is
// dropped, because it spells out the address, and a webhook is a secret.
func network(ctx context.Context, err error) error {
	var u *url.Error
	for errors.As(err, &u) {
		err = u.Err
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return pipeline.Transient(pipeline.ReasonUnavailable, errors.New("no connection"))
	}
	return pipeline.OutcomeUnknown(pipeline.ReasonUnavailable, err)
}
