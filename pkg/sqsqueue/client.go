package sqsqueue

import (
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// The bounds of a send that a chat platform is waiting for: Slack gives an event
// three seconds, cold start included.
const (
	ackAttempts = 2
	ackTimeout  = 900 * time.Millisecond // of each attempt
	ackBackoff  = 50 * time.Millisecond
)

// NewAckClient returns a client for the path between a platform and its
// acknowledgement: a call ends, well or badly, within 1.9 s. Long polls do not fit
// into that; it is for sending.
func NewAckClient(cfg aws.Config) *sqs.Client {
	return sqs.NewFromConfig(cfg, func(o *sqs.Options) {
		o.Retryer = retry.NewStandard(func(r *retry.StandardOptions) {
			r.MaxAttempts = ackAttempts
			r.MaxBackoff = ackBackoff
		})
		switch c := o.HTTPClient.(type) {
		case *awshttp.BuildableClient:
			o.HTTPClient = c.WithTimeout(ackTimeout)
		case *http.Client:
			bounded := *c
			bounded.Timeout = ackTimeout
			o.HTTPClient = &bounded
		case nil:
			o.HTTPClient = awshttp.NewBuildableClient().WithTimeout(ackTimeout)
		}
	})
}
