// Package deployed is what the functions behind queues are made of, whatever they
// do: how such a process starts, and the chat platforms that the deployment is
// connected to.
//
// The ingress shares none of it: it makes its own configuration and links no
// chat API, because somebody waits for it to start.
package deployed

import (
	"context"
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"

	"parley/pkg/config"
	"parley/pkg/emf"
	"parley/pkg/pipeline"
	"parley/pkg/sqsqueue/sqslambda"
)

// Function is what a function is built from.
type Function struct {
	Handler string // the template's, for binaries that are several functions
	Version string // of the build
	AWS     aws.Config
	Log     *slog.Logger
	Metrics pipeline.Metrics
}

// Run handles Lambda's batches with what build makes, for as long as the process
// lives. One that cannot be built ends it, and Lambda starts another for the next
// batch.
func Run(version string, build func(context.Context, Function) (*sqslambda.Batch, error)) {
	f := Function{Version: version, Log: lambdacontext.NewLogger()}
	ctx := context.Background()
	err := f.load(ctx)
	var batch *sqslambda.Batch
	if err == nil {
		batch, err = build(ctx, f)
	}
	if err != nil {
		f.Log.Error("start", "err", err)
		os.Exit(1)
	}
	lambda.Start(batch.Handle)
}

func (f *Function) load(ctx context.Context) (err error) {
	var told config.Function
	if err := config.Load(&told); err != nil {
		return err
	}
	f.Handler, f.Metrics = told.Handler, emf.New(os.Stdout, "Parley", told.Name)
	f.AWS, err = awsconfig.LoadDefaultConfig(ctx)
	return err
}
