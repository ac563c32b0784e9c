// Command echo is a function for the tests of runtimeapi. Its event says what it
// does.
package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

type order struct {
	Do string
}

type report struct {
	Said, Handler, Home, RequestID string
	Left                           time.Duration
	Calls                          int
}

func main() {
	if os.Getenv("FAIL") != "" {
		os.Exit(3)
	}
	calls := 0
	lambda.Start(func(ctx context.Context, o order) (report, error) {
		calls++
		switch o.Do {
		case "fail":
			return report{}, errors.New("as told")
		case "die":
			os.Exit(3)
		case "hang":
			select {}
		case "sleep":
			time.Sleep(200 * time.Millisecond)
		}
		deadline, _ := ctx.Deadline()
		lc, _ := lambdacontext.FromContext(ctx)
		return report{os.Getenv("SAID"), os.Getenv("_HANDLER"), os.Getenv("HOME"), lc.AwsRequestID, time.Until(deadline), calls}, nil
	})
}
