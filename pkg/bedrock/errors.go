package bedrock

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"parley/pkg/pipeline"
)

var (
	errLeft    = errors.New("the consumer left")
	errNoStop  = errors.New("stream ended without messageStop")
	errSilent  = errors.New("the model sent no event")
	errNothing = errors.New("the model answered nothing")
)

// tooLong matches the many wordings of one fact. The models behind the service
// phrase it each in its own way: "prompt is too long: 200049 tokens > 200000
// maximum", "Input is too long for requested model", "Input Tokens Exceeded".
var tooLong = regexp.MustCompile(`(?i)too long|too many (input )?tokens|tokens? exceed|exceeds? the (maximum|model|context|limit)|context (length|window)|maximum (context|number of tokens|input)|reduce the length`)

// unreadable matches complaints about a picture or document that was sent.
var unreadable = regexp.MustCompile(`(?i)could not process (the )?(image|document|pdf)|(image|document|pdf)[^.]{0,60}(invalid|corrupt|password|encrypted|unsupported|exceeds?|not valid)|(invalid|corrupt|unsupported)[^.]{0,30} (image|document|pdf)`)

// classify turns an error of a Bedrock call into one that settlement understands.
// operation and target name the call; what the service says is kept, shortened.
// otherwise is the reason of failures that may pass.
func classify(otherwise pipeline.Reason, operation, target string, err error) error {
	var known *pipeline.Error
	if errors.As(err, &known) {
		return err
	}
	api := apiError(err)
	if api == nil {
		return pipeline.Transient(otherwise, fmt.Errorf("%s %s: %w", operation, target, err))
	}
	said := &serviceError{operation, target, api}
	switch code := exception(api.ErrorCode()); code {
	case "ThrottlingException", "TooManyRequestsException", "ModelNotReadyException":
		return pipeline.Throttled(pipeline.ReasonThrottled, retryAfter(err), said)
	case "ValidationException":
		switch {
		case tooLong.MatchString(api.ErrorMessage()):
			return pipeline.Permanent(pipeline.ReasonTooLong, said)
		case unreadable.MatchString(api.ErrorMessage()):
			return pipeline.Permanent(pipeline.ReasonUnreadable, said)
		}
		return pipeline.Permanent(pipeline.ReasonConfig, said)
	case "AccessDeniedException", "ResourceNotFoundException", "ServiceQuotaExceededException", "ConflictException",
		"UnrecognizedClientException", "InvalidSignatureException", "IncompleteSignatureException", "InvalidClientTokenId":
		return pipeline.Permanent(pipeline.ReasonConfig, said)
	}
	// Timeouts, model errors, 5xx, expired credentials, and names not yet known.
	return pipeline.Transient(otherwise, said)
}

// serviceError is what the service said, with its message cut short.
type serviceError struct {
	operation, target string
	api               smithy.APIError
}

func (e *serviceError) Error() string {
	return fmt.Sprintf("%s %s: %s: %s", e.operation, e.target, e.api.ErrorCode(), brief(e.api.ErrorMessage()))
}

func (e *serviceError) Unwrap() error { return e.api }

// exception is the code as the service's model spells it. Inside a stream codes
// that the SDK does not know arrive with a small first letter.
func exception(code string) string {
	if code == "" {
		return code
	}
	return strings.ToUpper(code[:1]) + code[1:]
}

// apiError is what the service said in err's chain, nil if it said nothing.
func apiError(err error) smithy.APIError {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return nil
	}
	return api
}

// isCode reports whether err is the service's exception of that name.
func isCode(err error, name string) bool {
	api := apiError(err)
	return api != nil && exception(api.ErrorCode()) == name
}

// retryAfter is the wait that the service asked for in its response, 0 if none.
func retryAfter(err error) time.Duration {
	var response *smithyhttp.ResponseError
	if !errors.As(err, &response) || response.Response == nil {
		return 0
	}
	value := response.Response.Header.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil && seconds > 0 {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}

// brief keeps a service's message from filling logs, and from carrying along what
// a model quotes of its input.
func brief(message string) string {
	const limit = 300
	if len(message) <= limit {
		return message
	}
	return strings.ToValidUTF8(message[:limit], "") + "…"
}
