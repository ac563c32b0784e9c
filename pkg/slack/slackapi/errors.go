package slackapi

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/slack-go/slack"

	"parley/pkg/pipeline"
)

// What Slack's error codes mean for a call (docs.slack.dev/reference/methods).
var (
	// tokenCodes: the token is no good, another might be.
	tokenCodes = []string{"invalid_auth", "not_authed", "token_expired", "token_revoked", "account_inactive"}
	// setupCodes: an operator must change the app's installation.
	setupCodes = []string{
		"missing_scope", "no_permission", "not_allowed_token_type", "ekm_access_denied", "org_login_required",
		"team_access_not_granted", "app_missing_action_url", "method_deprecated", "unknown_method",
	}
	// laterCodes: nothing happened, and it may work later.
	laterCodes = []string{"ratelimited", "rate_limited", "service_unavailable", "request_timeout", "team_added_to_org", "accesslimited"}
	// murkyCodes: Slack says that part of the operation may have succeeded.
	murkyCodes = []string{"internal_error", "fatal_error"}
)

// code is Slack's own word for why it refused a call, "" if it did not.
func code(err error) string {
	var e slack.SlackErrorResponse
	if errors.As(err, &e) {
		return e.Err
	}
	return ""
}

// is reports whether Slack refused a call with one of codes.
func is(err error, codes ...string) bool {
	c := code(err)
	return c != "" && slices.Contains(codes, c)
}

// refused reports whether Slack refused the token.
func refused(err error) bool { return is(err, tokenCodes...) }

func throttled(method string, wait time.Duration) error {
	return pipeline.Throttled(pipeline.ReasonChat, wait, fmt.Errorf("%s: Slack asks to wait", method))
}

// busyFor is the wait where Slack names none.
const busyFor = 30 * time.Second

// classify says what a failed call means. Errors carry method names and Slack's
// codes, never addresses: a response_url is a secret.
func classify(method string, write bool, err error) error {
	if err == nil {
		return nil
	}
	var limited *slack.RateLimitedError
	var status slack.StatusCodeError
	wrapped := fmt.Errorf("%s: %w", method, withoutURL(err))
	switch c := code(err); {
	case errors.As(err, &limited):
		return pipeline.Throttled(pipeline.ReasonChat, max(limited.RetryAfter, time.Second), wrapped)
	case errors.As(err, &status) && status.Code == http.StatusTooManyRequests, c == "ratelimited", c == "rate_limited":
		return pipeline.Throttled(pipeline.ReasonChat, busyFor, wrapped)
	case slices.Contains(laterCodes, c), neverSent(err):
		return pipeline.Transient(pipeline.ReasonUnavailable, wrapped)
	case slices.Contains(tokenCodes, c), slices.Contains(setupCodes, c):
		return pipeline.Permanent(pipeline.ReasonConfig, wrapped)
	case c != "" && !slices.Contains(murkyCodes, c):
		return pipeline.Permanent(pipeline.ReasonChat, wrapped)
	case write:
		return pipeline.OutcomeUnknown(pipeline.ReasonUnavailable, wrapped)
	}
	return pipeline.Transient(pipeline.ReasonUnavailable, wrapped)
}

// neverSent reports whether the connection could not be made.
func neverSent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// unknown reports whether the call may have taken effect.
func unknown(err error) bool { return errors.Is(err, pipeline.ErrOutcomeUnknown) }

// permanent reports whether Slack refused for good; nothing happened.
func permanent(err error) bool { return err != nil && pipeline.Classify(err).Permanent }
