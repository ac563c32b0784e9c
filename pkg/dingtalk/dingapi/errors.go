package dingapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"parley/pkg/pipeline"
)

// refusal is an error that DingTalk answered with.
type refusal struct {
	status int
	code   string   // of the OpenAPI, or an errcode
	id     string   // DingTalk's request id, for its support
	scopes []string // what the app lacks
}

func (r *refusal) Error() string {
	s := fmt.Sprintf("status %d, code %q", r.status, r.code)
	if len(r.scopes) > 0 {
		s += ", the app lacks the permissions " + strings.Join(r.scopes, " ")
	}
	if r.id != "" {
		s += ", request " + r.id
	}
	return s
}

// Codes of the OpenAPI (open.dingtalk.com, global error codes and the error
// tables of each call).
const (
	codeQPS          = "Forbidden.AccessDenied.QpsLimitFor" // ...AppkeyAndApi, ...Api
	codeBusy         = "system.busy"
	codeCardExists   = "param.cardAlreadyExist"
	codeUnknownError = "unknownError"
)

// Waits that DingTalk asks for: its windows are one second for an API's rate and
// five minutes for an address that called too often.
const (
	waitQPS    = time.Second
	waitPunish = 5 * time.Minute
)

// check classifies an OpenAPI answer; nil means success.
func (a answer) check() error {
	var v struct {
		Code    string `json:"code"`
		ID      string `json:"requestid"`
		Status  int    `json:"status"`
		Punish  string `json:"punish"`
		Details struct {
			Scopes []string `json:"requiredScopes"`
		} `json:"accessdenieddetail"`
	}
	_ = json.Unmarshal(a.body, &v) // a gateway's own page is not JSON
	r := &refusal{status: a.status, code: word(v.Code), id: word(v.ID)}
	for _, s := range v.Details.Scopes {
		r.scopes = append(r.scopes, word(s))
	}
	switch {
	case v.Punish != "" && v.Status != 0: // any status, in place of an error
		return pipeline.Throttled(pipeline.ReasonChat, waitPunish, r)
	case a.status/100 == 2:
		return nil
	case strings.HasPrefix(r.code, codeQPS):
		return pipeline.Throttled(pipeline.ReasonChat, waitQPS, r)
	case a.status == http.StatusTooManyRequests:
		return pipeline.Throttled(pipeline.ReasonChat, waitQPS, r)
	case a.status == http.StatusUnauthorized, a.status == http.StatusForbidden:
		return pipeline.Permanent(pipeline.ReasonConfig, r)
	case a.status == http.StatusServiceUnavailable, r.code == codeBusy:
		return pipeline.Transient(pipeline.ReasonUnavailable, r)
	case a.status >= 500:
		return pipeline.OutcomeUnknown(pipeline.ReasonUnavailable, r)
	}
	return pipeline.Permanent(pipeline.ReasonChat, r)
}

// word is a code as it may stand in an error: bounded, and of plain characters.
func word(s string) string {
	s = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r) {
			return r
		}
		return -1
	}, s)
	return s[:min(len(s), 80)]
}
