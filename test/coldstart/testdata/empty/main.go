// Command empty is a function that does nothing, to compare with.
package main

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"
)

func main() { lambda.Start(func(context.Context, []byte) error { return nil }) }
