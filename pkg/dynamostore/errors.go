package dynamostore

import (
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"parley/pkg/pipeline"
)

// permanent holds the error codes that no retry cures, with the class an operator
// is shown. Source: "Error handling with DynamoDB" in its developer guide.
var permanent = map[string]pipeline.Reason{
	"AccessDeniedException":                    pipeline.ReasonConfig,
	"IncompleteSignatureException":             pipeline.ReasonConfig,
	"MissingAuthenticationTokenException":      pipeline.ReasonConfig,
	"ResourceNotFoundException":                pipeline.ReasonConfig,
	"UnrecognizedClientException":              pipeline.ReasonConfig,
	"IdempotentParameterMismatchException":     pipeline.ReasonStore,
	"ItemCollectionSizeLimitExceededException": pipeline.ReasonStore,
	"ValidationException":                      pipeline.ReasonStore,
	"ValidationError":                          pipeline.ReasonStore, // of a transaction's action
}

var throttled = map[string]bool{
	"LimitExceededException": true, "ProvisionedThroughputExceededException": true,
	"RequestLimitExceeded": true, "ThrottlingException": true,
	// Of a transaction's action, and of the wait for another transaction.
	"ProvisionedThroughputExceeded": true, "ThrottlingError": true,
	"TransactionConflict": true, "TransactionConflictException": true,
}

// classify wraps err with the operation and says what settlement may do about it.
// What the service refused did not happen; after anything else it may have.
func classify(op string, err error) error {
	err = fmt.Errorf("%s: %w", op, err)
	code := codeOf(err)
	if reason, ok := permanent[code]; ok {
		return pipeline.Permanent(reason, err)
	}
	if throttled[code] {
		return pipeline.Throttled(pipeline.ReasonStore, 0, err)
	}
	return pipeline.OutcomeUnknown(pipeline.ReasonStore, err)
}

// codeOf is the service's error code: of a cancelled transaction, that of the
// first action to blame.
func codeOf(err error) string {
	var canceled *types.TransactionCanceledException
	if errors.As(err, &canceled) {
		for _, r := range canceled.CancellationReasons {
			if code := aws.ToString(r.Code); code != "" && code != "None" {
				return code
			}
		}
	}
	var refused smithy.APIError
	if errors.As(err, &refused) {
		return refused.ErrorCode()
	}
	return ""
}
