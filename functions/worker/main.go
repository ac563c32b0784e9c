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

	"parley/functions/internal/deployed"
	"parley/pkg/sqsqueue/sqslambda"
)

// version is set by the build.
var version = "dev"

// deployment is what the functions are built from.
type deployment struct{ deployed.Function }

func main() {
	deployed.Run(version, func(ctx context.Context, f deployed.Function) (*sqslambda.Batch, error) {
		d := deployment{f}
		switch f.Handler {
		case "control":
			return d.control(ctx)
		case "sync":
			return d.sync()
		}
		return d.worker(ctx)
	})
}
