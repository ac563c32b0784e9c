// Command responder is the Lambda function that shows answers in Slack and
// DingTalk: of each answer in a batch the newest snapshot, recorded in the table
// so that nobody ever sees two. It may not call a model.
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
	return d.responder(ctx)
}
