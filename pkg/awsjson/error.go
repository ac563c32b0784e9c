package awsjson

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/smithy-go"
)

// Error is a service's refusal. It is a smithy.APIError, as the SDK's own are.
type Error struct {
	Status        int
	Code, Message string
	// RequestID is what AWS's support asks for.
	RequestID string
}

var _ smithy.APIError = (*Error)(nil)

func (e *Error) Error() string {
	return fmt.Sprintf("%s: %s (HTTP %d, request id %q)", e.Code, e.Message, e.Status, e.RequestID)
}

// HTTPStatusCode implements what the SDK's retries look for.
func (e *Error) HTTPStatusCode() int { return e.Status }

// ErrorCode implements smithy.APIError.
func (e *Error) ErrorCode() string { return e.Code }

// ErrorMessage implements smithy.APIError.
func (e *Error) ErrorMessage() string { return e.Message }

// ErrorFault implements smithy.APIError.
func (e *Error) ErrorFault() smithy.ErrorFault {
	if e.Status >= http.StatusInternalServerError {
		return smithy.FaultServer
	}
	return smithy.FaultClient
}

// refusal reads an answer that is not 200. The code stands in a header or in the
// body, with a namespace before "#" or an address behind ":" ("AWS JSON 1.0
// protocol", Smithy's specification).
func refusal(answer *http.Response, text []byte) *Error {
	var told struct {
		Type    string `json:"__type"`
		Code    string `json:"code"`
		Message string `json:"message"` // in either case
	}
	_ = json.Unmarshal(text, &told) // what is not JSON, a proxy's page, tells nothing
	code := answer.Header.Get("X-Amzn-Errortype")
	for _, c := range []string{told.Type, told.Code, http.StatusText(answer.StatusCode)} {
		if code == "" {
			code = c
		}
	}
	code, _, _ = strings.Cut(code, ":")
	if _, name, ok := strings.Cut(code, "#"); ok {
		code = name
	}
	return &Error{Status: answer.StatusCode, Code: code, Message: told.Message, RequestID: answer.Header.Get("X-Amzn-Requestid")}
}
