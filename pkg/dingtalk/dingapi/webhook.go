package dingapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"parley/pkg/pipeline"
)

// errcodes of session webhooks, which come with HTTP 200.
const (
	errcodeBusy     = -1
	errcodeTooFast  = 130101
	errcodeTooFast2 = 302033
)

// waitWebhook is the window of a webhook's rate limit.
const waitWebhook = time.Minute

// webhook posts Markdown to a session webhook. An error that is a *refusal means
// that nothing was posted.
func (c *Client) webhook(ctx context.Context, hook, title, text string, at []string) error {
	in := map[string]any{
		"msgtype":  "markdown",
		"markdown": map[string]string{"title": title, "text": text},
		"at":       map[string]any{"atUserIds": at, "isAtAll": false},
	}
	a, err := c.post(ctx, "POST", hook, "", in)
	if err == nil {
		err = a.check()
	}
	if err == nil {
		err = a.checkErrcode()
	}
	if err != nil {
		return fmt.Errorf("dingtalk session webhook: %w", err)
	}
	return nil
}

// checkErrcode classifies the old API's answers.
func (a answer) checkErrcode() error {
	var v struct {
		Errcode *int `json:"errcode"`
	}
	if err := json.Unmarshal(a.body, &v); err != nil || v.Errcode == nil {
		return pipeline.OutcomeUnknown(pipeline.ReasonUnavailable, errors.New("no errcode in the answer"))
	}
	r := &refusal{status: a.status, code: strconv.Itoa(*v.Errcode)}
	switch *v.Errcode {
	case 0:
		return nil
	case errcodeTooFast, errcodeTooFast2:
		return pipeline.Throttled(pipeline.ReasonChat, waitWebhook, r)
	case errcodeBusy:
		return pipeline.Transient(pipeline.ReasonUnavailable, r)
	}
	return pipeline.Permanent(pipeline.ReasonChat, r)
}
