package pipeline

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"parley/pkg/chat"
)

// Letter is a dead letter as an operator sees it: a person waiting.
type Letter struct {
	ID           string    `json:"id"` // the queue's own id
	Ref          string    `json:"ref"`
	Queue        string    `json:"queue"`
	Reason       string    `json:"reason"`
	Stage        string    `json:"stage"`
	Error        string    `json:"error"`
	Platform     string    `json:"platform"`
	Conversation string    `json:"conversation"`
	MessageID    string    `json:"message_id"`
	Attempts     int       `json:"attempts"`
	FirstSeen    time.Time `json:"first_seen"`
	LastTried    time.Time `json:"last_tried"`
	Told         bool      `json:"told"` // whether the person knows
	Version      string    `json:"version,omitempty"`

	delivery Delivery
	message  *chat.Message
	reply    *chat.Reply
}

// AskedAt is when the person asked, in the platform's clock; FirstSeen where the
// letter cannot be read.
func (l Letter) AskedAt() time.Time {
	switch {
	case l.message != nil:
		return l.message.SentAt
	case l.reply != nil && !l.reply.AskedAt.IsZero():
		return l.reply.AskedAt
	}
	return l.FirstSeen
}

// Text is what the person wrote or was answered. Operators see it on request only.
func (l Letter) Text() string {
	switch {
	case l.message != nil:
		return l.message.Text
	case l.reply != nil:
		return l.reply.Markdown
	}
	return ""
}

// Filter selects letters. Zero fields select everything.
type Filter struct {
	IDs          []string // a letter's id, a reference, or a message id
	Queue        string
	Reason       string
	Platform     string
	Conversation string // a prefix of its key
	OlderThan    time.Duration
	NewerThan    time.Duration
}

func (f Filter) matches(l Letter, now time.Time) bool {
	named := slices.Contains(f.IDs, l.ID) || slices.Contains(f.IDs, l.Ref) || slices.Contains(f.IDs, l.MessageID)
	age := now.Sub(l.FirstSeen)
	return (len(f.IDs) == 0 || named) &&
		(f.Queue == "" || f.Queue == l.Queue) &&
		(f.Reason == "" || f.Reason == l.Reason) &&
		(f.Platform == "" || f.Platform == l.Platform) &&
		strings.HasPrefix(l.Conversation, f.Conversation) &&
		(f.OlderThan == 0 || age >= f.OlderThan) &&
		(f.NewerThan == 0 || age <= f.NewerThan)
}

// readLetter understands a letter from its body and, for what the body does not
// say, its attributes. A letter that the queue moved by itself has none: its
// reason is ReasonMoved and its person was not told.
func readLetter(queue string, d Delivery) Letter {
	l := Letter{
		ID: d.ID, Queue: queue, Reason: string(ReasonMoved), Attempts: d.Receives,
		FirstSeen: d.SentAt, LastTried: d.SentAt, delivery: d,
	}
	if m, err := chat.DecodeMessage(d.Body); err == nil {
		l.message, l.MessageID = &m, m.ID
		l.Platform, l.Conversation = string(m.Conversation.Platform), m.Conversation.Key()
	} else if r, err := chat.DecodeReply(d.Body); err == nil {
		l.reply, l.MessageID = &r, r.MessageID
		l.Platform, l.Conversation = string(r.Conversation.Platform), r.Conversation.Key()
	}
	if l.MessageID != "" {
		l.Ref = chat.Ref(l.MessageID)
	}
	a := d.Attributes
	if a[AttrReason] == "" {
		return l
	}
	l.Reason, l.Stage, l.Error, l.Version = a[AttrReason], a[AttrStage], a[AttrError], a[AttrVersion]
	l.Told = a[AttrTold] == "true"
	if n, err := strconv.Atoi(a[AttrAttempts]); err == nil {
		l.Attempts = n
	}
	if t, err := time.Parse(time.RFC3339, a[AttrFirstSeen]); err == nil {
		l.FirstSeen = t
	}
	if t, err := time.Parse(time.RFC3339, a[AttrLastTried]); err == nil {
		l.LastTried = t
	}
	return l
}
