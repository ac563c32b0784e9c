package pipeline

import (
	"context"
	"time"
)

// Envelope is one message on its way into a queue.
type Envelope struct {
	// Group orders: messages of one group are delivered one batch at a time, in
	// the order they were sent.
	Group string
	// DedupID makes sends idempotent: a second send with the same id within five
	// minutes of the first succeeds and adds nothing, also after the first was
	// received and deleted.
	DedupID string
	Body    []byte
	// Attributes are for people and consoles; no stage decides by them.
	Attributes map[string]string
}

// Outbox accepts messages. Send returns nil only when the message is durable. A
// failed Send may have taken effect; sending again with the same DedupID is safe.
// Send is safe for concurrent use.
type Outbox interface {
	Send(ctx context.Context, e Envelope) error
}

// Delivery is a message as received. It stays hidden from other receivers until
// its visibility runs out, it is deleted, or it is given back.
type Delivery struct {
	ID         string // the queue's own id of the message
	Receipt    string // names this receive
	Group      string
	DedupID    string
	Body       []byte
	Attributes map[string]string
	Receives   int // 1 on the first
	SentAt     time.Time
	FirstSeen  time.Time // of the first receive
}

// Visibility changes how long a delivery stays hidden, counted from now. Zero
// gives it back at once. It fails for a receipt that is no longer current.
type Visibility interface {
	Extend(ctx context.Context, d Delivery, hidden time.Duration) error
}

// Queue is a FIFO-per-group queue with SQS's semantics: while messages of a group
// are hidden, no later message of that group is delivered; a message that runs out
// of visibility is delivered again before later ones of its group; a message
// received more often than the queue's maximum moves to its dead-letter queue.
// All methods are safe for concurrent use.
type Queue interface {
	Outbox
	Visibility
	// Receive waits up to wait for messages and returns at most max of them (1
	// to 10), hidden for the given time. No messages is not an error.
	Receive(ctx context.Context, max int, wait, hidden time.Duration) ([]Delivery, error)
	// Delete acknowledges d. Deleting twice is not an error. A receipt that is no
	// longer current deletes nothing, whether or not that is reported.
	Delete(ctx context.Context, d Delivery) error
}

// DeadLetters is a dead-letter queue as an operator sees it.
type DeadLetters interface {
	// Letters returns the letters that can be seen now, oldest first. complete is
	// false where the queue cannot show all of them at once (a FIFO queue on SQS
	// hides the rest of a group behind its first letter). Nothing stays hidden.
	Letters(ctx context.Context) (letters []Delivery, complete bool, err error)
	// Remove deletes a letter that Letters returned, by its ID. Removing one that
	// is gone is not an error.
	Remove(ctx context.Context, letter Delivery) error
}

// Depth is how much a queue holds, as far as it can tell.
type Depth struct {
	Visible, InFlight int
	Oldest            time.Time // zero where unknown or empty
}

// Attribute names of a buried letter. They are for people, consoles and filters;
// what replay needs is in the body.
const (
	AttrReason       = "reason"
	AttrError        = "error" // the chain, without secrets and message text
	AttrStage        = "stage"
	AttrAttempts     = "attempts"
	AttrFirstSeen    = "first_seen" // RFC 3339
	AttrLastTried    = "last_tried" // RFC 3339
	AttrPlatform     = "platform"
	AttrConversation = "conversation" // the FIFO group
	AttrVersion      = "version"      // of Parley
	AttrTold         = "told"         // "true" when the person was told
)
