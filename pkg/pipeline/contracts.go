package pipeline

import (
	"context"
	"errors"
	"io"
	"iter"
	"net/http"
	"time"

	"parley/pkg/chat"
)

// Request is an HTTP request as a platform sent it.
type Request struct {
	Method string
	Path   string
	Header http.Header
	Body   []byte // raw, decoded from base64 where a gateway encoded it
}

// Response is what the platform is told when nothing goes wrong. The zero value
// means 200 with an empty body.
type Response struct {
	Status      int
	ContentType string
	Body        []byte
}

// Parsed is what a platform request means.
type Parsed struct {
	// Messages are to be made durable before Response is sent; usually one.
	Messages []chat.Message
	Response Response
	// Ignored says in one word why there is nothing to do, or what was left out
	// of Messages; it is a metric label.
	Ignored string
	// Retry is the platform's redelivery count, for metrics.
	Retry int
}

// Errors of a Parser, each with its HTTP status in ingress.go. After any other the
// request could not be judged: 503, and the platform sends it again.
var (
	// ErrUnauthorized: unsigned, wrongly signed, or stale. 401.
	ErrUnauthorized = errors.New("request is not signed by the platform")
	// ErrMalformed: signed, but it can never parse. 200, counted: the platform
	// must not send it again.
	ErrMalformed = errors.New("signed request cannot be understood")
)

// Parser verifies and parses one platform's requests. It does no input or
// output. Implementations are safe for concurrent use.
type Parser interface {
	Parse(r Request, now time.Time) (Parsed, error)
}

// Capabilities say what a platform's posts can do.
type Capabilities struct {
	Edit   bool // a post can be changed later
	Lookup bool // an uncertain post can be found again
	Stream bool // partial answers can be shown
	// Whisper: a person who pressed a button can be told something alone.
	Whisper bool
	Files   bool // an answer can be had as a file
}

// PostRequest asks for one snapshot to be shown.
type PostRequest struct {
	Reply chat.Reply
	At    Placement // where the answer stands now
	// Redelivered is true when this snapshot was received before: what a stream
	// holds is then uncertain.
	Redelivered bool
}

// Journal is a Poster's view of the delivery record while it posts.
type Journal interface {
	// Checkpoint makes at durable. A Poster calls it before each call that must
	// not be repeated blindly (with an Intent) and after learning an id.
	Checkpoint(ctx context.Context, at Placement) error
	// Owner returns the message whose answer a post belongs to, "" if none.
	Owner(ctx context.Context, postID string) (messageID string, err error)
	// NotBefore returns when method may be called again, zero if at once, and
	// Throttle records what a 429 said, for every answer of the installation.
	NotBefore(method string) time.Time
	Throttle(method string, until time.Time)
}

// Poster makes what a person sees equal to a snapshot. It is declarative: called
// again with the placement it returned and the same snapshot, it changes nothing.
// It returns the placement reached also when it fails. Its errors are classified
// (see Error); a throttled one carries the platform's wait.
type Poster interface {
	Post(ctx context.Context, r PostRequest, j Journal) (Placement, error)
	Capabilities() Capabilities
}

// ThreadMessage is something said in a thread outside Parley's memory.
type ThreadMessage struct {
	ID     string
	Author chat.Author
	Text   string
	Files  []chat.File
	SentAt time.Time
	Own    bool // said by Parley
}

// Reader reads what a message refers to on its platform.
type Reader interface {
	// Thread returns up to max messages around m that came before it, oldest
	// first.
	Thread(ctx context.Context, m chat.Message, max int) ([]ThreadMessage, error)
	// Open streams the bytes of an attached file. The caller bounds and closes it.
	Open(ctx context.Context, m chat.Message, f chat.File) (io.ReadCloser, error)
}

// Passage is a piece of knowledge found for a question.
type Passage struct {
	Text     string
	Citation chat.Citation
}

// Retriever finds passages for a question that makes sense by itself.
type Retriever interface {
	Retrieve(ctx context.Context, query string, max int) ([]Passage, error)
}

// Attachment is a picture or document to show to the model.
type Attachment struct {
	Name     string
	MIMEType string // by its bytes, where there are any
	// Data is nil where Text or Problem is all that is known.
	Data []byte
	// Text is what a document says, for models that cannot be shown Data.
	Text string
	// Problem says why there is no Data or no Text.
	Problem string
}

// Exchange is one earlier question and answer in a prompt.
type Exchange struct {
	Question, Answer string
	Attachments      string // the text of documents that came with the question
}

// Prompt is everything a model call depends on.
type Prompt struct {
	MessageID   string // for tracing; not shown to the model
	Model       string // "" for the configured one
	System      string
	History     []Exchange // oldest first
	Context     string     // the thread the question was asked in, if people began it
	Passages    []Passage  // numbered from 1 in this order
	Question    string
	Attachments []Attachment
	MaxTokens   int // 0 for the configured default
}

// StopReason says why a model ended.
type StopReason string

// Why models end.
const (
	StopEnd        StopReason = "end"
	StopLength     StopReason = "length"     // MaxTokens reached: the answer is cut
	StopIntervened StopReason = "intervened" // a guardrail replaced the answer
)

// Delta is one piece of a model's stream.
type Delta struct {
	Text string
	// Cite is the number of the passage that supports the text so far, 0 if none.
	Cite  int
	Usage chat.Usage // set on the last delta
	Model string     // the model that answered, set on the last delta
	Stop  StopReason // set on the last delta; a stream without it has failed
}

// Model streams an answer. The sequence ends after a delta with Stop set or after
// an error, which is classified. Cancelling ctx ends it promptly with ctx's
// cause. Implementations are safe for concurrent use.
type Model interface {
	Stream(ctx context.Context, p Prompt) iter.Seq2[Delta, error]
}

// Metric names, a bounded set.
const (
	MetricAck            = "AckLatency"
	MetricIgnored        = "EventsIgnored"
	MetricMalformed      = "EventsMalformed"
	MetricRefused        = "EventsRefused"
	MetricRedelivered    = "RedeliveriesAbsorbed"
	MetricQueueWait      = "QueueWait"
	MetricFirstToken     = "TimeToFirstToken"
	MetricFirstVisible   = "TimeToFirstVisible"
	MetricAnswer         = "AnswerLatency"
	MetricInputTokens    = "InputTokens"
	MetricOutputTokens   = "OutputTokens"
	MetricCachedTokens   = "CachedTokens"
	MetricCost           = "CostEstimate"
	MetricDuplicates     = "DuplicatesPrevented"
	MetricMaybeDuplicate = "PossibleDuplicates"
	MetricDeadLetters    = "DeadLetters"
	MetricThrottled      = "Throttled"
	MetricNoSources      = "AnswersWithoutSources"
	MetricAnswers        = "Answers"
	MetricFeedback       = "Feedback"
	MetricSyncs          = "SyncsCompleted" // sources of the knowledge base that were read
	MetricSyncsFailed    = "SyncsFailed"
	MetricIndexed        = "DocumentsIndexed"
	MetricUnindexed      = "DocumentsUnreadable"
)

// Metrics receives measurements. Durations are in milliseconds. labels are
// name-value pairs from bounded sets. Implementations are safe for concurrent use.
type Metrics interface {
	Measure(name string, value float64, labels ...string)
}
