package sqssend

import (
	"errors"
	"fmt"
	"strings"

	"github.com/aws/smithy-go"

	"parley/pkg/pipeline"
)

// permanent holds the error codes that no retry cures, with the class an operator
// is shown, without the prefix and suffix that some protocols add. Sources: the
// SQS API reference and AWS's list of common errors.
var permanent = map[string]pipeline.Reason{
	"AccessDenied":          pipeline.ReasonConfig,
	"InvalidAddress":        pipeline.ReasonConfig,
	"InvalidClientTokenId":  pipeline.ReasonConfig,
	"InvalidSecurity":       pipeline.ReasonConfig,
	"KmsAccessDenied":       pipeline.ReasonConfig,
	"KmsDisabled":           pipeline.ReasonConfig,
	"KmsInvalidKeyUsage":    pipeline.ReasonConfig,
	"KmsInvalidState":       pipeline.ReasonConfig,
	"KmsNotFound":           pipeline.ReasonConfig,
	"KmsOptInRequired":      pipeline.ReasonConfig,
	"NonExistentQueue":      pipeline.ReasonConfig,
	"QueueDoesNotExist":     pipeline.ReasonConfig,
	"SignatureDoesNotMatch": pipeline.ReasonConfig,
	"UnrecognizedClient":    pipeline.ReasonConfig,

	"InvalidAttributeValue":  pipeline.ReasonStore,
	"InvalidMessageContents": pipeline.ReasonStore,
	"InvalidParameterValue":  pipeline.ReasonStore,
	"MessageNotInflight":     pipeline.ReasonStore,
	"MissingParameter":       pipeline.ReasonStore,
	"ReceiptHandleIsInvalid": pipeline.ReasonStore,
	"UnsupportedOperation":   pipeline.ReasonStore,
}

var throttled = map[string]bool{
	"KmsThrottled": true, "OverLimit": true, "RequestThrottled": true,
	"Throttling": true, "TooManyRequests": true,
}

// Classify wraps err with the operation and says what settlement may do about it.
// What the service refused did not happen; after anything else it may have. The
// error may be the SDK's or awsjson's: both are smithy's.
func Classify(op string, err error) error {
	err = fmt.Errorf("%s: %w", op, err)
	var refused smithy.APIError
	if !errors.As(err, &refused) {
		return pipeline.OutcomeUnknown(pipeline.ReasonStore, err)
	}
	code := strings.TrimPrefix(refused.ErrorCode(), "AWS.SimpleQueueService.")
	code = strings.TrimSuffix(code, "Exception")
	if reason, ok := permanent[code]; ok {
		return pipeline.Permanent(reason, err)
	}
	if throttled[code] {
		return pipeline.Throttled(pipeline.ReasonStore, 0, err)
	}
	return pipeline.OutcomeUnknown(pipeline.ReasonStore, err)
}
