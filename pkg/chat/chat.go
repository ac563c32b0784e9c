// Package chat is the vocabulary that crosses Parley's queues: conversations,
// the messages people send in them, and the snapshots of answers that go back.
//
// It imports nothing but the standard library and does no input or output. The
// wire form of a message or reply is a separate, versioned struct (codec.go);
// every version ever written stays readable, because a dead letter may be weeks
// old when an operator replays it.
package chat

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"
)

// Platform names a chat system. It is the first part of every identity.
type Platform string

// The platforms Parley speaks.
const (
	Slack    Platform = "slack"
	DingTalk Platform = "dingtalk"
	Web      Platform = "web" // the page of `parley dev`
)

// Conversation is one line of talk: its messages are handled one at a time, in
// order, and share one memory.
type Conversation struct {
	Platform Platform `json:"platform"`
	// Tenant is the installation, stable over every delivery of one message:
	// Slack's api_app_id (team ids differ between deliveries of one message in a
	// shared channel), DingTalk's robotCode.
	Tenant  string `json:"tenant"`
	Channel string `json:"channel"`
	// Thread is Slack's thread root, the person where memory is per person, or
	// empty where the channel is one conversation.
	Thread string `json:"thread,omitempty"`
}

// Key is the memory key of c. Parts are escaped, so that no two conversations
// share a key.
func (c Conversation) Key() string {
	var b strings.Builder
	b.Grow(len(c.Platform) + len(c.Tenant) + len(c.Channel) + len(c.Thread) + 3)
	for i, part := range [...]string{string(c.Platform), c.Tenant, c.Channel, c.Thread} {
		if i > 0 {
			b.WriteByte('/')
		}
		b.WriteString(keyEscaper.Replace(part))
	}
	return b.String()
}

var (
	keyEscaper   = strings.NewReplacer("%", "%25", "/", "%2F", "#", "%23")
	keyUnescaper = strings.NewReplacer("%25", "%", "%2F", "/", "%23", "#")
)

// ParseKey is the inverse of Key; ok is false for what Key does not return.
func ParseKey(key string) (c Conversation, ok bool) {
	parts := strings.Split(key, "/")
	if len(parts) != 4 {
		return Conversation{}, false
	}
	for i, part := range parts {
		parts[i] = keyUnescaper.Replace(part)
	}
	c = Conversation{Platform: Platform(parts[0]), Tenant: parts[1], Channel: parts[2], Thread: parts[3]}
	return c, c.Key() == key
}

// Group is the FIFO group of c: the SHA-256 of its key in hex, which fits SQS's
// 128 characters whatever the platform puts into its ids.
func (c Conversation) Group() string { return Hash(c.Key()) }

// Hash is the SHA-256 in hex of parts joined by a byte that no id contains.
func Hash(parts ...string) string {
	data := make([]byte, 0, 256) // ids are short: this stays off the heap
	for i, part := range parts {
		if i > 0 {
			data = append(data, 0)
		}
		data = append(data, part...)
	}
	sum := sha256.Sum256(data)
	var digits [2 * sha256.Size]byte
	hex.Encode(digits[:], sum[:])
	return string(digits[:])
}

// Ref is the short reference to message id that people are shown and operators
// search for: eight hex digits.
func Ref(messageID string) string { return Hash(messageID)[:8] }

// Kind says what a person did.
type Kind string

// What a person can do.
const (
	KindAsk        Kind = "ask"        // a question to answer
	KindReset      Kind = "reset"      // forget the conversation so far
	KindHelp       Kind = "help"       // what can you do
	KindUsage      Kind = "usage"      // what have I used
	KindStop       Kind = "stop"       // stop answering in this conversation
	KindRetry      Kind = "retry"      // try the failed Subject again
	KindRegenerate Kind = "regenerate" // answer the answered Subject anew
	KindFeedback   Kind = "feedback"   // Value is a verdict on the answer to Subject
	KindRemember   Kind = "remember"   // keep this thread as knowledge
	KindForget     Kind = "forget"     // remove what was remembered of this thread
	KindApprove    Kind = "approve"    // what Subject proposes to keep may be kept
	KindReject     Kind = "reject"     // it may not
	KindPassages   Kind = "passages"   // show what the answer to Subject, or the newest, relies on
	KindEdited     Kind = "edited"     // Subject now reads Text
	KindDeleted    Kind = "deleted"    // Subject was withdrawn by its author
	KindFile       Kind = "file"       // wants the answer to Subject as a file
	KindOpened     Kind = "opened"     // opened Parley, and has said nothing yet
	KindHome       Kind = "home"       // opened their own page, or pressed there what Value says
)

// Control reports whether messages of kind k must not wait behind the
// conversation's questions: they travel on the control queue.
func (k Kind) Control() bool {
	switch k {
	case KindStop, KindEdited, KindDeleted, KindRetry, KindRegenerate, KindFeedback, KindFile, KindPassages, KindOpened, KindHome:
		return true
	}
	return false
}

// Author is the person behind a message.
type Author struct {
	ID     string `json:"id"`
	Name   string `json:"name,omitempty"`
	Team   string `json:"team,omitempty"`   // the person's own workspace or organisation
	Locale string `json:"locale,omitempty"` // BCP 47, where the platform tells
	// Language is the one the person chose, before what their words or their
	// platform tell.
	Language string `json:"language,omitempty"`
	// External is true for people outside the installation's organisation.
	External bool `json:"external,omitempty"`
}

// File is a reference to something a person attached; bytes never cross a queue.
type File struct {
	ID       string `json:"id"`
	Name     string `json:"name,omitempty"`
	MIMEType string `json:"mime_type,omitempty"`
	Size     int64  `json:"size,omitempty"` // bytes, as the platform claims
	URL      string `json:"url,omitempty"`  // where the platform says it can be fetched
}

// Quote is an earlier message that a person replied to.
type Quote struct {
	MessageID string `json:"message_id,omitempty"`
	Author    string `json:"author,omitempty"`
	Text      string `json:"text,omitempty"`
}

// Token permits one more answer to a message whose case has ended. It names the
// state it was issued for; once that state is left, the token is worth nothing,
// so a letter replayed twice is answered once.
type Token struct {
	Fence  int64  `json:"fence"`
	Reason string `json:"reason,omitempty"`
	// At is when the person asked again, in the platform's clock; a stop before
	// it was about something else. Zero where an operator replays.
	At time.Time `json:"at,omitzero"`
}

// AskedAt is when the person last asked for an answer to m, in the platform's
// clock: when it was sent, or when they asked again.
func (m Message) AskedAt() time.Time {
	if m.Token != nil && m.Token.At.After(m.SentAt) {
		return m.Token.At
	}
	return m.SentAt
}

// Message is what a person did, and everything the later stages need to answer.
type Message struct {
	// ID is the identity of the gesture, not of its delivery: every redelivery
	// and every twin event of one gesture has the same ID.
	ID           string       `json:"id"`
	Kind         Kind         `json:"kind"`
	Conversation Conversation `json:"conversation"`
	// Parent is the conversation this one hangs under, when it began as a reply
	// to one turn of it; ParentTurn is the time of that turn.
	Parent     *Conversation `json:"parent,omitempty"`
	ParentTurn time.Time     `json:"parent_turn,omitzero"`
	// Subject is the ID of the message that a control gesture acts on.
	Subject string `json:"subject,omitempty"`
	// Workspace is where Parley was addressed: Slack's team id of the installation,
	// DingTalk's corpId. It has no part in identities: deliveries of one message in
	// a shared channel may differ in it.
	Workspace string `json:"workspace,omitempty"`
	Author    Author `json:"author"`
	Text      string `json:"text,omitempty"`
	Value     string `json:"value,omitempty"` // verdict of a feedback, model of a regenerate, press of a home
	// Complaint is what a person found wrong with the answer they rated: one of
	// Complaints. Text holds their own words, if they wrote any.
	Complaint string `json:"complaint,omitempty"`
	Files     []File `json:"files,omitempty"`
	Quote     *Quote `json:"quote,omitempty"`
	// SentAt is the platform's clock. It orders turns and markers.
	SentAt time.Time `json:"sent_at"`
	// FollowUp marks a thread reply that did not mention Parley: it is answered
	// only if Parley is part of that thread and the configuration wants it.
	FollowUp bool `json:"follow_up,omitempty"`
	// Threaded marks a first mention inside a thread that people began.
	Threaded bool `json:"threaded,omitempty"`
	// Viewing marks a question asked with something else in view, which the
	// platform's Reader reads like a thread.
	Viewing bool `json:"viewing,omitempty"`
	// Token is set on replays, retries and regenerations.
	Token *Token `json:"token,omitempty"`
	// Model names another model than the configured one, as people know it: the
	// worker alone knows ids.
	Model string `json:"model,omitempty"`
	// Route is for the platform package alone: how to answer.
	Route json.RawMessage `json:"route,omitempty"`
}

// ReplyKind says what a snapshot is.
type ReplyKind string

// The kinds of snapshot, in the order an answer passes through them.
const (
	Working   ReplyKind = "working"   // seen, being worked on; Markdown may say why it takes long
	Partial   ReplyKind = "partial"   // the answer so far
	Final     ReplyKind = "final"     // the whole answer
	Failed    ReplyKind = "failed"    // one plain sentence: why not, how to retry
	Stopped   ReplyKind = "stopped"   // what was said before the person stopped it
	Notice    ReplyKind = "notice"    // Parley's own words: help, reset, usage
	Withdrawn ReplyKind = "withdrawn" // the question is gone, and so is its answer
	Opened    ReplyKind = "opened"    // no answer: a person may be shown what to ask
	Attached  ReplyKind = "attached"  // Markdown as a file beside the answer; no file if it is empty
	Rated     ReplyKind = "rated"     // no answer: a person who rated one may be asked why
	AtHome    ReplyKind = "home"      // no answer: a person's own page, in Home
)

// Terminal reports whether k ends its fence: nothing newer follows in it.
func (k ReplyKind) Terminal() bool { return k != Working && k != Partial && k != Opened && k != Rated }

// Citation is a source of an answer. Number n is cited as [n] in the text.
type Citation struct {
	Number  int     `json:"number"`
	Title   string  `json:"title,omitempty"`
	URL     string  `json:"url,omitempty"`
	Page    int     `json:"page,omitempty"`
	Heading string  `json:"heading,omitempty"`
	Quote   string  `json:"quote,omitempty"`
	Score   float64 `json:"score,omitempty"`
}

// Verdicts of a feedback.
const (
	Up   = "up"
	Down = "down"
)

// Complaints are what people may say is wrong with an answer, in the order they
// are offered. ComplaintOther is whatever they say in their own words.
var Complaints = []string{"wrong", "outdated", "unsourced", "long", ComplaintOther}

// ComplaintOther is none of the complaints that have a name.
const ComplaintOther = "other"

// Rating is what a reply of kind Rated is about.
type Rating struct {
	Subject string `json:"subject"` // message id of the question
	Fence   int64  `json:"fence"`   // of the answer that was rated
	// Complaint is what the person said is wrong with it, empty if they are to be
	// asked.
	Complaint string `json:"complaint,omitempty"`
}

// Usage counts tokens of one or more model calls.
type Usage struct {
	Input      int `json:"input,omitempty"`
	Output     int `json:"output,omitempty"`
	CacheRead  int `json:"cache_read,omitempty"`
	CacheWrite int `json:"cache_write,omitempty"`
}

// Add returns the sum of u and v.
func (u Usage) Add(v Usage) Usage {
	return Usage{u.Input + v.Input, u.Output + v.Output, u.CacheRead + v.CacheRead, u.CacheWrite + v.CacheWrite}
}

// Total is the number of tokens read and written.
func (u Usage) Total() int { return u.Input + u.Output + u.CacheRead + u.CacheWrite }

// Step is one thing done on the way to an answer, for people to follow.
type Step struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	Done  bool   `json:"done,omitempty"`
}

// Reply is a snapshot of the answer to one message. Snapshots are cumulative:
// any of them may be lost, repeated or skipped without harm.
type Reply struct {
	MessageID    string       `json:"message_id"`
	Conversation Conversation `json:"conversation"`
	Fence        int64        `json:"fence"`
	Seq          int          `json:"seq"`
	Kind         ReplyKind    `json:"kind"`
	// Markdown is the text so far, in CommonMark with tables and fences.
	Markdown  string     `json:"markdown,omitempty"`
	Citations []Citation `json:"citations,omitempty"`
	Steps     []Step     `json:"steps,omitempty"`
	Usage     Usage      `json:"usage,omitzero"`
	Model     string     `json:"model,omitempty"`
	// Choices are the names of the models that the asker may have answer instead.
	Choices []string `json:"choices,omitempty"`
	// Title is the question in a few words, for lists of conversations.
	Title string `json:"title,omitempty"`
	// Reason is the error class of a failed answer; people may retry it with
	// the token {Fence, Reason}.
	Reason string `json:"reason,omitempty"`
	// Language is the tag of the language Parley's own words are in.
	Language string    `json:"language,omitempty"`
	Asker    Author    `json:"asker"`
	AskedAt  time.Time `json:"asked_at,omitzero"`
	// Nonce is set when a dead letter of the replies queue is replayed.
	Nonce string `json:"nonce,omitempty"`
	// Private is set where nobody but the asker may see the answer.
	Private bool `json:"private,omitempty"`
	// Proposal is set where the answer waits for an approval.
	Proposal bool `json:"proposal,omitempty"`
	// Rating is set on replies of kind Rated.
	Rating *Rating `json:"rating,omitempty"`
	// Again is set when the message was answered or given up before: a post of
	// it may stand even where the delivery record is gone.
	Again bool            `json:"again,omitempty"`
	Home  *Home           `json:"home,omitempty"` // of kind AtHome
	Route json.RawMessage `json:"route,omitempty"`
}

// Doing is the title of the step under way, "" if there is none.
func (r Reply) Doing() string {
	for _, s := range r.Steps {
		if !s.Done {
			return s.Title
		}
	}
	return ""
}

// Order places snapshots of one answer in the order they supersede each other.
type Order struct {
	Fence    int64 `json:"fence"`
	Terminal bool  `json:"terminal,omitempty"`
	Seq      int   `json:"seq"`
}

// Order returns the place of r among the snapshots of its answer.
func (r Reply) Order() Order { return Order{r.Fence, r.Kind.Terminal(), r.Seq} }

// Before reports whether o is superseded by p. A terminal snapshot is the
// newest of its fence, so that a final published twice never looks old.
func (o Order) Before(p Order) bool {
	if o.Fence != p.Fence {
		return o.Fence < p.Fence
	}
	if o.Terminal != p.Terminal {
		return p.Terminal
	}
	return !o.Terminal && o.Seq < p.Seq
}
