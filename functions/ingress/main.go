// Command ingress is the Lambda function behind the front door: it verifies what
// Slack and DingTalk send, puts it into the queues, and only then acknowledges.
//
// It links neither a database, a model nor a chat API: what it may do is what it
// imports. It is built to answer within a second, its cold start included, and to
// answer 503 in time when it cannot make an event durable.
package main

import (
	"context"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"parley/pkg/config"
)

func main() {
	log := lambdacontext.NewLogger()
	var s settings
	if err := s.load(config.Load); err != nil {
		log.Error("configuration", "err", err)
		os.Exit(1)
	}
	in, err := build(context.Background(), s, log, os.Stdout)
	if err != nil {
		log.Error("start", "err", err)
		os.Exit(1)
	}
	lambda.Start(gateway{in})
}
