package pipeline

import (
	"context"
	"iter"
	"slices"
	"time"

	"parley/pkg/chat"
)

// CaseState is where the work on a message stands.
type CaseState string

// The states of a case. The zero value means that no claim was made yet (a
// case may exist because an edit came first).
const (
	CasePending   CaseState = ""
	CaseWorking   CaseState = "working"
	CaseAnswered  CaseState = "answered"
	CaseDead      CaseState = "dead"
	CaseCancelled CaseState = "cancelled"
)

// Case records the work on one message. All its transitions are pure functions
// in case.go; stores only compare and swap.
type Case struct {
	MessageID string
	Rev       int64 // counts writes, 1 for the first; 0 means there is no record
	// Nonce is drawn anew for each write. A writer that finds its own nonce
	// after a failed write knows that the write took effect.
	Nonce string
	State CaseState
	// Fence rises with every claim and outlives expiry and restores, because it
	// is never below the claim's time in milliseconds.
	Fence      int64
	Owner      string // of the claim
	LeaseUntil time.Time
	Tries      int // real attempts that ended in failure
	Unsettled  int // claims in a row that ended without a word: crashes
	FirstClaim time.Time
	LastClaim  time.Time
	// Reason is why a case is dead or cancelled; or, where an answered one was
	// asked again, why there is no newer answer than Turn.
	Reason Reason
	Detail string // error chain of Reason: no secrets, no message text
	Buried bool   // the letter that tells Reason is in the dead-letter queue
	Told   bool   // the person has been told about a delay
	// Message is the encoded chat.Message in its newest form; EditedAt is the
	// platform's time of that form when it is not the first.
	Message  []byte
	EditedAt time.Time
	// Turn is where the answer is kept once State is CaseAnswered.
	Turn TurnKey
	// FinalSeq and FinalKind identify the terminal snapshot, for republishing.
	FinalSeq  int
	FinalKind chat.ReplyKind
	Hold      Hold // of the attempt under way
	UpdatedAt time.Time
}

// Hold is what an attempt has reserved of its budgets and not yet settled.
type Hold struct {
	Day    string `json:"day"` // YYYYMMDD, in UTC
	Amount int64  `json:"amount"`
	// Scopes are the counters it was reserved in: the budget may change meanwhile.
	Scopes []string `json:"scopes,omitempty"`
}

// TurnKey locates a turn.
type TurnKey struct {
	Conversation string // chat.Conversation.Key
	SentAt       time.Time
	MessageID    string
}

// Turn is one question and its answer, the unit of memory.
type Turn struct {
	TurnKey
	Author    chat.Author
	Question  string
	Answer    string
	Citations []chat.Citation
	Usage     chat.Usage
	Model     string
	Profile   string // Profile.Name of the place when it was asked
	Stopped   bool   // the answer was cut short by the person
	Private   bool   // nobody but its author may learn of the answer
	Votes     []Vote // what people made of the answer, one each
	// Attachments is the text of documents that came with the question.
	Attachments string
	AnsweredAt  time.Time
}

// Vote is what one person made of an answer.
type Vote struct {
	By      string `json:"by"`      // id of the person
	Verdict string `json:"verdict"` // chat.Up or chat.Down
	// Complaint is one of chat.Complaints, or empty; Comment is the person's own
	// words.
	Complaint string    `json:"complaint,omitempty"`
	Comment   string    `json:"comment,omitempty"`
	At        time.Time `json:"at"` // in the platform's clock
}

// RatedSince reports whether somebody has voted on t at since or later.
func (t Turn) RatedSince(since time.Time) bool {
	return slices.ContainsFunc(t.Votes, func(v Vote) bool { return !v.At.Before(since) })
}

// kind is how the answer was shown when it was committed.
func (t Turn) kind() chat.ReplyKind {
	if t.Stopped {
		return chat.Stopped
	}
	return chat.Final
}

// Effects are what a case transition changes besides the case, in the same
// transaction.
type Effects struct {
	Put  *Turn    // insert or replace
	Drop *TurnKey // delete if present
	// UnlessStopped makes the swap fail with ErrStopped if the conversation of
	// this key has a stop marker later than its SentAt.
	UnlessStopped *TurnKey
}

// Cases keeps cases by compare-and-swap. Reads are strongly consistent. Records
// live for 30 days from their last write and are read until they are removed,
// even when expired.
type Cases interface {
	// LoadCase returns the case of a message, or one with Rev 0.
	LoadCase(ctx context.Context, messageID string) (Case, error)
	// SwapCase writes next and its effects in one transaction, provided that the
	// stored Rev is next.Rev-1 (none stored counts as 0). Otherwise it fails with
	// ErrConflict and changes nothing. Any other error but ErrStopped leaves open
	// whether the write took effect.
	SwapCase(ctx context.Context, next Case, with Effects) error
}

// Markers are a conversation's points in the platform's time.
type Markers struct {
	ResetBefore time.Time // turns up to here are forgotten
	StopBefore  time.Time // questions up to here must not be answered further
}

// Window bounds a read of memory. A zero time is no bound; no Turns or no Tokens
// is an empty window.
type Window struct {
	After  time.Time // exclusive; the reset marker
	Before time.Time // exclusive; the question's SentAt
	Turns  int       // at most so many, the newest
	// Tokens is the most that the turns' EstimateTokens may come to. The first turn
	// that does not fit ends the window, so that it has no gap.
	Tokens int
}

// Memory keeps turns and markers. Turns live as long as configured and are absent
// once expired, whether or not they have been removed yet.
type Memory interface {
	// Recent returns the newest turns of the conversation within w, oldest first,
	// with one query whose cost depends on w alone.
	Recent(ctx context.Context, conversation string, w Window) ([]Turn, error)
	// Turn returns the turn at key; ok is false if there is none.
	Turn(ctx context.Context, key TurnKey) (t Turn, ok bool, err error)
	// Markers returns the conversation's markers, zero if never set.
	Markers(ctx context.Context, conversation string) (Markers, error)
	// Mark moves markers forward: each becomes the later of the stored and the
	// given time. It is idempotent and safe against reordering.
	Mark(ctx context.Context, conversation string, m Markers) error
}

// Deliveries keeps the record of where each answer stands, by compare-and-swap
// like Cases, and which answer each platform post belongs to.
type Deliveries interface {
	// LoadDelivery returns the record of a message's answer, or one with Rev 0.
	LoadDelivery(ctx context.Context, messageID string) (Placed, error)
	// SwapDelivery writes next, provided that the stored Rev is next.Rev-1, and in
	// the same transaction registers each of its posts as belonging to the
	// message. It fails with ErrConflict, or with ErrClaimed when one of the posts
	// is registered to another message.
	SwapDelivery(ctx context.Context, next Placed) error
	// PostOwner returns the message whose answer a post belongs to, "" if none.
	PostOwner(ctx context.Context, postID string) (messageID string, err error)
}

// Ratings finds the turns that people have voted on, for an operator.
type Ratings interface {
	// Rated yields each turn that Memory holds and that was voted on at since or
	// later, once, in no order. An error ends it.
	Rated(ctx context.Context, since time.Time) iter.Seq2[Turn, error]
}

// Placed is the delivery record of one answer.
type Placed struct {
	MessageID string
	Rev       int64
	Nonce     string
	Order     chat.Order // of the newest snapshot that is fully shown
	Kind      chat.ReplyKind
	At        Placement
	UpdatedAt time.Time
}

// Placement is where an answer stands on its platform, and what is unsure about
// it. Only the platform package that made it reads Mode, Key and Stream.
type Placement struct {
	Mode  string `json:"mode,omitempty"`  // how it is shown: the platform's own word
	Posts []Post `json:"posts,omitempty"` // in reading order
	// Intent is set while a post that cannot be repeated blindly is under way.
	Intent *Intent `json:"intent,omitempty"`
	Stream *Stream `json:"stream,omitempty"`
	// Key is a platform's idempotency key, such as a card's outTrackId.
	Key string `json:"key,omitempty"`
	// Sign is true while a working sign outside the answer (a reaction, a
	// status) is shown and must be taken away.
	Sign bool `json:"sign,omitempty"`
}

// Post is one message on the platform.
type Post struct {
	ID   string `json:"id"`             // unique on the platform, such as channel/ts
	Hash string `json:"hash,omitempty"` // of what it shows, as rendered
}

// Intent is a post about to be made.
type Intent struct {
	Part   int       `json:"part"`   // index in Posts it will have
	Method string    `json:"method"` // the platform's call
	At     time.Time `json:"at"`
}

// Stream is the state of a platform's own streaming message.
type Stream struct {
	OpenedAt time.Time `json:"opened_at"`
	Length   int       `json:"length"` // bytes of the answer's Markdown that were appended
	Hash     string    `json:"hash"`   // of those bytes
	Fence    int64     `json:"fence"`
	// Sealed means that what the stream holds is no longer certain: it is
	// finished by edit and never appended to.
	Sealed bool `json:"sealed,omitempty"`
	Closed bool `json:"closed,omitempty"` // the platform confirmed its end
	// Steps are what the stream shows beside the answer of what was done for it.
	Steps []chat.Step `json:"steps,omitempty"`
}
