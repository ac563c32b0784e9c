package pipeline

import (
	"context"
	"time"
)

// Document is a piece of text to know.
type Document struct {
	// ID identifies the document; ingesting the same ID again replaces it.
	ID string
	// Request identifies the wish to ingest, such as the ID of the message that
	// expressed it: repeating a request is safe.
	Request string
	Title   string
	URL     string // where people can read its source; citations lead there
	Text    string
	Expires time.Time // zero: never
}

// Knowledge is what a Retriever finds in, as far as single documents can be put
// into it. Both methods are idempotent and safe for concurrent use; their errors
// are classified. What they change is seen by searches some time later.
type Knowledge interface {
	Ingest(ctx context.Context, d Document) error
	// Forget removes a document. One that is not there is no error.
	Forget(ctx context.Context, id string) error
}

// Permalinks is what a Reader also is on platforms whose messages have addresses.
type Permalinks interface {
	// Permalink is the address of the thread that raw, a message's Route, is in.
	Permalink(ctx context.Context, route []byte) (string, error)
}
