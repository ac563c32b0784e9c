package pipeline

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"parley/pkg/chat"
)

// DeadQueue is one dead-letter queue and the queue its letters go back to.
type DeadQueue struct {
	Name   string // "requests", "control" or "replies"
	Dead   DeadLetters
	Source Outbox
}

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

// Operator inspects and replays dead letters.
type Operator struct {
	Cases      Cases
	Memory     Memory
	Deliveries Deliveries
	Queues     []DeadQueue
	Now        func() time.Time
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

// List returns the letters that match f, oldest question first. complete is false when a
// queue cannot show everything it holds.
func (o *Operator) List(ctx context.Context, f Filter) (letters []Letter, complete bool, err error) {
	complete = true
	for _, q := range o.Queues {
		found, all, err := q.Dead.Letters(ctx)
		if err != nil {
			return nil, false, fmt.Errorf("list dead letters of %s: %w", q.Name, err)
		}
		complete = complete && all
		for _, d := range found {
			if l := readLetter(q.Name, d); f.matches(l, clock(o.Now)) {
				letters = append(letters, l)
			}
		}
	}
	slices.SortStableFunc(letters, func(a, b Letter) int { return a.AskedAt().Compare(b.AskedAt()) })
	return letters, complete, nil
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

// ReplayResult is what became of a letter.
type ReplayResult struct {
	Replayed bool
	Removed  bool   // the letter is gone: it was sent back, or there is nothing left to do
	Why      string // of a letter that was not replayed
}

// Check says whether replaying l would do something, without doing it.
func (o *Operator) Check(ctx context.Context, l Letter, maxAge time.Duration) (ReplayResult, error) {
	if maxAge > 0 && clock(o.Now).Sub(l.AskedAt()) > maxAge {
		return ReplayResult{Why: "older than " + maxAge.String()}, nil
	}
	switch {
	case l.message != nil:
		return o.checkMessage(ctx, l)
	case l.reply != nil:
		placed, err := o.Deliveries.LoadDelivery(ctx, l.MessageID)
		if err != nil {
			return ReplayResult{}, err
		}
		if placed.Rev > 0 && !placed.Order.Before(l.reply.Order()) {
			return ReplayResult{Removed: true, Why: "shown since"}, nil
		}
		return ReplayResult{Replayed: true, Removed: true}, nil
	}
	return ReplayResult{Why: "cannot be read by this version"}, nil
}

func (o *Operator) checkMessage(ctx context.Context, l Letter) (ReplayResult, error) {
	k, err := o.Cases.LoadCase(ctx, l.MessageID)
	if err != nil {
		return ReplayResult{}, err
	}
	token := l.message.Token
	settled := ""
	switch {
	case k.State == CaseCancelled:
		settled = "withdrawn by its author"
	case k.State == CaseAnswered && !k.opens(token):
		settled = "answered since"
	}
	if settled != "" {
		// A letter that the queue moved may be all that is left to have the end
		// shown: then it is sent back, and costs no model call.
		shown, err := o.shown(ctx, k)
		if err != nil || !shown {
			return ReplayResult{Replayed: err == nil, Removed: err == nil}, err
		}
		return ReplayResult{Removed: true, Why: settled}, nil
	}
	switch {
	case k.State == CaseWorking && k.leased(clock(o.Now), lease):
		return ReplayResult{Why: "being answered now"}, nil
	case k.State == CaseDead && token != nil && !k.opens(token):
		return ReplayResult{Removed: true, Why: "failed again since; the newer letter replays it"}, nil
	}
	return ReplayResult{Replayed: true, Removed: true}, nil
}

// shown reports whether people see the end of k.
func (o *Operator) shown(ctx context.Context, k Case) (bool, error) {
	placed, err := o.Deliveries.LoadDelivery(ctx, k.MessageID)
	if err != nil {
		return false, err
	}
	return placed.Rev > 0 && !placed.Order.Before(chat.Order{Fence: k.Fence, Terminal: true}), nil
}

// Replay sends l back to its queue and removes it. A letter whose work is done
// already is removed only. Interrupted between the two steps, the letter is
// replayed again later, and its token sees to it that it is answered once.
func (o *Operator) Replay(ctx context.Context, l Letter, maxAge time.Duration) (ReplayResult, error) {
	result, err := o.Check(ctx, l, maxAge)
	if err != nil {
		return ReplayResult{}, fmt.Errorf("replay %s: %w", l.ID, err)
	}
	queue, err := o.queue(l)
	if err != nil {
		return ReplayResult{}, err
	}
	if result.Replayed {
		if err := o.sendBack(ctx, queue, l); err != nil {
			return ReplayResult{}, fmt.Errorf("replay %s: %w", l.ID, err)
		}
	}
	if result.Removed {
		if err := queue.Dead.Remove(ctx, l.delivery); err != nil {
			return result, fmt.Errorf("remove replayed letter %s: %w", l.ID, err)
		}
	}
	return result, nil
}

// sendBack sends the letter under an identity that no queue has seen before.
func (o *Operator) sendBack(ctx context.Context, queue DeadQueue, l Letter) error {
	if l.reply != nil {
		r := *l.reply
		r.Nonce, r.Again = rand.Text(), true
		return SendReply(ctx, queue.Source, r)
	}
	m := *l.message
	if m.Token == nil {
		k, err := o.Cases.LoadCase(ctx, m.ID)
		if err != nil {
			return err
		}
		// Opens nothing that is not dead, and has a post looked up whose record
		// is gone.
		m.Token = &chat.Token{}
		if k.State == CaseDead {
			m.Token = &chat.Token{Fence: k.Fence, Reason: string(k.Reason)}
		}
	}
	if m.Token.Fence > 0 { // the person was told it failed: what they stopped since was something else
		again := *m.Token
		again.At = clock(o.Now).UTC()
		m.Token = &again
	}
	return SendMessage(ctx, queue.Source, m, "replay:"+rand.Text())
}

// Drop removes l for good.
func (o *Operator) Drop(ctx context.Context, l Letter) error {
	queue, err := o.queue(l)
	if err != nil {
		return err
	}
	return queue.Dead.Remove(ctx, l.delivery)
}

func (o *Operator) queue(l Letter) (DeadQueue, error) {
	for _, q := range o.Queues {
		if q.Name == l.Queue {
			return q, nil
		}
	}
	return DeadQueue{}, errors.New("letter is from a queue this operator does not know: " + l.Queue)
}

// Event is one line of a message's story.
type Event struct {
	At   time.Time `json:"at"`
	What string    `json:"what"`
}

// Story tells what happened to the message of l, oldest event first, from its
// letter, case, turn and delivery. It contains no message text.
func (o *Operator) Story(ctx context.Context, l Letter) ([]Event, error) {
	var story []Event
	add := func(at time.Time, format string, args ...any) {
		if !at.IsZero() {
			story = append(story, Event{at, fmt.Sprintf(format, args...)})
		}
	}
	add(l.AskedAt(), "asked (%s)", l.MessageID)
	k, err := o.Cases.LoadCase(ctx, l.MessageID)
	if err != nil {
		return nil, err
	}
	add(k.FirstClaim, "first claimed")
	add(k.LastClaim, "last claimed, as try %d", k.Tries+1)
	if k.Rev > 0 {
		add(k.UpdatedAt, "case is %s%s", orNone(string(k.State)), because(string(k.Reason), k.Detail))
	}
	if k.State == CaseAnswered {
		t, ok, err := o.Memory.Turn(ctx, k.Turn)
		if err != nil {
			return nil, err
		}
		if ok {
			add(t.AnsweredAt, "answered by %s, %d tokens", t.Model, t.Usage.Total())
		}
	}
	placed, err := o.Deliveries.LoadDelivery(ctx, l.MessageID)
	if err != nil {
		return nil, err
	}
	if placed.Rev > 0 {
		add(placed.UpdatedAt, "shown: %s (posts: %d)", orNone(string(placed.Kind)), len(placed.At.Posts))
	}
	buried := l.LastTried
	if sent := l.delivery.SentAt; sent.After(buried) {
		buried = sent
	}
	add(buried, "buried in %s at attempt %d%s", l.Queue, l.Attempts, because(l.Reason, l.Error))
	slices.SortStableFunc(story, func(a, b Event) int { return a.At.Compare(b.At) })
	return story, nil
}

// because says why, once: an error's chain begins with its reason.
func because(reason, detail string) string {
	switch {
	case detail == "" && reason == "":
		return ""
	case strings.HasPrefix(detail, reason):
		return ": " + detail
	}
	return ": " + strings.TrimSuffix(reason+": "+detail, ": ")
}

func orNone(s string) string {
	if s == "" {
		return "pending"
	}
	return s
}
