// Command worker is three Lambda functions. As "bootstrap" it answers questions from
// the requests queue: it may call the model, the table and the queues, and read,
// never post, on the chat platforms. As "control" it handles stops, edits and
// retries from the control queue, which must not wait behind a question; it needs
// neither the model nor a secret. As "sync" it keeps the knowledge base fresh, and may
// do nothing else.
//
// The template's Handler says which one a process is.
package main

import (
	"context"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"

	"parley/pkg/config"
	"parley/pkg/emf"
	"parley/pkg/sqsqueue/sqslambda"
)

// version is set by the build.
var version = "dev"

func main() {
	log := lambdacontext.NewLogger()
	ctx := context.Background()
	batch, err := start(ctx, deployment{log: log, version: version})
	if err != nil {
		log.Error("start", "err", err)
		os.Exit(1)
	}
	lambda.Start(batch.Handle)
}

// start builds the function that the template named.
func start(ctx context.Context, d deployment) (*sqslambda.Batch, error) {
	var f config.Function
	if err := config.Load(&f); err != nil {
		return nil, err
	}
	aws, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, err
	}
	d.aws, d.metrics = aws, emf.New(os.Stdout, "Parley", f.Name)
	switch f.Handler {
	case "control":
		return d.control(ctx)
	case "sync":
		return d.sync()
	}
	return d.worker(ctx)
}
