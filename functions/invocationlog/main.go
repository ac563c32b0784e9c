// Command invocationlog is the Lambda function behind the template's custom
// resource for model invocation logging: an account has one such setting in each
// region, and CloudFormation has no resource for it.
//
// It sets what the stack asks for, unless somebody else's setting is in place, and
// on removal takes away the stack's own and nothing else.
package main

import (
	"context"
	"os"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/bedrock"
)

func main() {
	cfg, err := awsconfig.LoadDefaultConfig(context.Background())
	if err != nil {
		lambdacontext.NewLogger().Error("start", "err", err)
		os.Exit(1)
	}
	lambda.Start(cfn.LambdaWrap(setting{bedrock.NewFromConfig(cfg)}.handle))
}
