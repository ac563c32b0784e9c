package pipeline

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"parley/pkg/chat"
	"parley/pkg/phrase"
)

// WorkerConfig is what an operator may choose. Zero values take the defaults.
type WorkerConfig struct {
	Profile      Profile // of places that have none of their own
	MaxTokens    int     // of an answer; 0 leaves it to the model package
	MemoryTurns  int     // of a window; default 20
	MemoryTokens int     // of a window; default 8,000
	Version      string  // of Parley, for letters
	Policy       Policy
	Seats        Seats
	Generation   time.Duration // deadline of one model call; default 240 s
	FileTokens   int           // of documents attached to a question, and of those a window remembers; default 20,000
	ThreadLimit  int           // messages read of a thread people began; default 50
	Passages     int           // passages retrieved for a question; default 5
	RememberDays int           // how long a remembered thread is kept; 0 is for ever
}

// The worker's rhythm: a crash is noticed after hidden, not after the queue's
// own visibility, and the lease never outlives the visibility.
const (
	hidden    = 60 * time.Second
	lease     = 55 * time.Second
	heartbeat = 20 * time.Second
	watch     = time.Second
)

// maxAnswer bounds an answer in bytes as JSON writes them, so that its snapshots
// fit an envelope with room for citations and route.
const maxAnswer = 40 << 10

// Worker answers questions: claim, read memory, retrieve, run the model, commit,
// publish. It is safe for concurrent use; the queue's groups keep each
// conversation in order.
type Worker struct {
	Cases      Cases
	Memory     Memory
	Visibility Visibility // of the requests queue
	Replies    Outbox
	Letters    Outbox // the requests queue's dead letters
	Control    *Control
	Model      Model
	Profiles   Profiles                 // nil: every place has Config.Profile
	Rewriter   Rewriter                 // nil: none
	Readers    map[chat.Platform]Reader // a missing platform reads nothing
	Extract    Extract                  // nil: no files are read
	Knowledge  Knowledge                // nil: no thread can be remembered
	Metrics    Metrics
	Log        *slog.Logger
	Now        func() time.Time // nil: time.Now
	Config     WorkerConfig
	Quotas     Quotas // nil: nothing is counted
	People     People // nil: nobody has chosen anything
	// Price says what a call of a model cost, "" for the configured one; ok is
	// false for one without a price. nil: nobody knows.
	Price    func(model string, u chat.Usage) (cost float64, ok bool)
	Gate     *Gate // nil: a throttle holds back nobody else
	Suspects *Lane // nil where a process answers one question at a time
}

// Handle settles a batch of requests, one after the other. It is a Handler.
func (w *Worker) Handle(ctx context.Context, batch []Delivery) []Settlement {
	settled := make([]Settlement, len(batch))
	for i, d := range batch {
		settled[i] = w.handle(ctx, d)
	}
	return settled
}

func (w *Worker) handle(ctx context.Context, d Delivery) Settlement {
	if err := w.Visibility.Extend(ctx, d, hidden); err != nil {
		w.Log.WarnContext(ctx, "extend visibility", "err", err)
	}
	m, err := chat.DecodeMessage(d.Body)
	if err != nil {
		return w.buryUnreadable(ctx, d, err)
	}
	measure(w.Metrics, MetricQueueWait, ms(w.now().Sub(d.SentAt)), "platform", string(m.Conversation.Platform))
	if w.outsider(m) {
		return w.refuse(ctx, m)
	}
	if !m.FollowUp { // most of those are people talking to each other
		m = personal(ctx, w.People, w.Log, m)
	}
	switch {
	case m.Kind == chat.KindAsk:
		return w.ask(ctx, d, m)
	case m.Kind.Control():
		return w.Control.handle(ctx, d)
	case m.Kind == chat.KindRemember:
		return w.propose(ctx, d, m)
	case m.Kind == chat.KindApprove, m.Kind == chat.KindReject:
		return w.decide(ctx, m)
	case m.Kind == chat.KindForget:
		return w.forget(ctx, m)
	default:
		return w.notice(ctx, m)
	}
}

// ask answers a question, from claim to published final.
func (w *Worker) ask(ctx context.Context, d Delivery, m chat.Message) Settlement {
	log := w.Log.With("msg_id", m.ID, "conversation", m.Conversation.Group()[:12], "attempt", d.Receives)
	if wanted, err := w.wanted(ctx, m); err != nil || !wanted {
		if err != nil {
			log.ErrorContext(ctx, "read memory", "err", err)
			return Settlement{Action: Retry, After: w.config().Policy.wait(d.Receives - 1)}
		}
		measure(w.Metrics, MetricIgnored, 1, "why", "not_in_thread")
		return Settlement{}
	}
	if m.FollowUp {
		m = personal(ctx, w.People, w.Log, m)
	}
	wait, leave := w.seat(ctx, d, m)
	if wait > 0 {
		w.tellInLine(ctx, d, m)
		return Settlement{Action: Retry, After: wait}
	}
	defer leave()
	leave, err := w.suspect(ctx, d, m.ID)
	if err != nil {
		log.WarnContext(ctx, "not claimed", "err", err)
		return Settlement{Action: Retry, After: w.config().Policy.wait(d.Receives - 1)}
	}
	defer leave()
	return w.attempts(ctx, d, m, log)
}

// attempts claims a question and tries to answer it, anew whenever it was edited
// meanwhile.
func (w *Worker) attempts(ctx context.Context, d Delivery, m chat.Message, log *slog.Logger) Settlement {
	owner := rand.Text()
	for {
		k, met, err := w.ledger().claim(ctx, claim{message: m, encoded: d.Body, owner: owner, lease: lease})
		if err != nil {
			log.ErrorContext(ctx, "claim", "err", err)
			return Settlement{Action: Retry, After: w.config().Policy.wait(d.Receives - 1)}
		}
		if met != Claimed {
			measure(w.Metrics, MetricRedelivered, 1, "platform", string(m.Conversation.Platform))
			return w.met(ctx, d, m, k, met)
		}
		a := &attempt{w: w, d: d, k: k, hold: k.Hold, m: m, log: log, began: w.now()}
		if stored, err := chat.DecodeMessage(k.Message); err == nil {
			stored.Token = m.Token
			a.m = sameAs(m, stored)
		}
		a.profile, a.private = w.profile(a.m).confine(a.m)
		err = a.run(ctx)
		if errors.Is(err, errRevised) {
			a.giveBack(ctx)
			continue // the question was edited: claim again with its new text
		}
		return a.settle(ctx, err)
	}
}

// met settles a delivery whose case another delivery has brought to an end.
func (w *Worker) met(ctx context.Context, d Delivery, m chat.Message, k Case, met Outcome) Settlement {
	if stored, err := chat.DecodeMessage(k.Message); err == nil {
		m = sameAs(m, stored)
	}
	if met != Busy {
		w.release(ctx, m, k.Hold, 0)
	}
	var err error
	switch met {
	case Busy:
		v := Settle(&busyError{k.LeaseUntil}, k, w.config().Policy, w.now(), d.spread())
		return Settlement{Action: Retry, After: v.After}
	case WasAnswered:
		if k.failedAnew() && !k.Buried {
			err = w.finishBurial(ctx, d, m, k)
		} else {
			err = w.republish(ctx, m, k)
		}
	case WasDead:
		if !k.Buried {
			err = w.finishBurial(ctx, d, m, k)
		}
	case WasCancelled:
		r := replyTo(m, k.Fence, k.FinalKind)
		r.Seq, r.Language = k.FinalSeq, w.language(m)
		err = SendReply(ctx, w.Replies, r)
	}
	if err != nil {
		w.Log.ErrorContext(ctx, "publish", "msg_id", m.ID, "err", err)
		return Settlement{Action: Retry, After: w.config().Policy.wait(d.Receives - 1)}
	}
	return Settlement{}
}

// republish sends the committed answer again: it is never paid for twice.
func (w *Worker) republish(ctx context.Context, m chat.Message, k Case) error {
	t, ok, err := w.Memory.Turn(ctx, k.Turn)
	if err != nil {
		return err
	}
	if !ok {
		return nil // the memory has expired; so long after, the answer was shown
	}
	r := answerOf(m, k, t, w.profile(m))
	r.Again = true
	return SendReply(ctx, w.Replies, r)
}

// answerOf is the terminal snapshot of a committed turn.
func answerOf(m chat.Message, k Case, t Turn, p Profile) chat.Reply {
	language := languageFor(m, p.Language)
	r := replyTo(m, k.Fence, k.FinalKind)
	r.Seq, r.Markdown, r.Citations = k.FinalSeq, t.Answer, t.Citations
	r.Usage, r.Model, r.Choices, r.Language = t.Usage, t.Model, p.choices(), language
	r.Private = t.Private
	proposal(&r, m)
	if k.failedAnew() {
		words := phrase.In(language)
		r.Markdown += "\n\n_" + words.Say("failed."+string(k.Reason)) + " " + words.Say("kept") + "_"
	}
	return r
}

// notice answers help, reset and the like, without a model call. It needs no
// case: the delivery record absorbs repetitions.
func (w *Worker) notice(ctx context.Context, m chat.Message) Settlement {
	if m.FollowUp { // a bare word in somebody else's thread
		if wanted, err := w.wanted(ctx, m); err == nil && !wanted {
			return Settlement{}
		}
	}
	key := string(m.Kind)
	if m.Kind == chat.KindReset {
		if err := w.Memory.Mark(ctx, m.Conversation.Key(), Markers{ResetBefore: m.SentAt}); err != nil {
			w.Log.ErrorContext(ctx, "reset", "msg_id", m.ID, "err", err)
			return Settlement{Action: Retry, After: w.config().Policy.Backoff[0]}
		}
	}
	r := replyTo(m, 1, chat.Notice)
	r.Seq, r.Language = 1, w.language(m)
	r.Markdown = phrase.In(r.Language).Say(key)
	if m.Kind == chat.KindUsage {
		var err error
		if r.Markdown, err = w.meter().today(ctx, w.profile(m).Budget, m, r.Language, "channel", "workspace"); err != nil {
			w.Log.ErrorContext(ctx, "usage", "msg_id", m.ID, "err", err)
			return Settlement{Action: Retry, After: w.config().Policy.Backoff[0]}
		}
	}
	if err := SendReply(ctx, w.Replies, r); err != nil {
		w.Log.ErrorContext(ctx, "publish", "msg_id", m.ID, "err", err)
		return Settlement{Action: Retry, After: w.config().Policy.Backoff[0]}
	}
	return Settlement{}
}

// outsider reports whether m is from somebody who is not to be answered. In
// DingTalk a person of the organisation may look like an outsider, while the robot
// is not published, and DINGTALK_CORP_ID refuses outsiders before they are queued.
func (w *Worker) outsider(m chat.Message) bool {
	return m.Author.External && m.Conversation.Platform == chat.Slack && !m.Kind.Control() && !w.profile(m).External
}

// refuse tells a person of another organisation that they are not answered. Nothing
// is read, remembered or asked for them. What they did not say to Parley stays
// without a word. Control gestures are not refused: a stop may be anybody's, and
// what asks the model again is the asker's alone.
func (w *Worker) refuse(ctx context.Context, m chat.Message) Settlement {
	measure(w.Metrics, MetricIgnored, 1, "why", "external")
	if m.FollowUp {
		return Settlement{}
	}
	r := replyTo(m, 1, chat.Notice)
	r.Seq, r.Language = 1, w.language(m)
	r.Markdown = phrase.In(r.Language).Say("external")
	if err := SendReply(ctx, w.Replies, r); err != nil {
		w.Log.ErrorContext(ctx, "publish", "msg_id", m.ID, "err", err)
		return Settlement{Action: Retry, After: w.config().Policy.Backoff[0]}
	}
	return Settlement{}
}

// wanted reports whether a thread reply that did not mention Parley is for it.
func (w *Worker) wanted(ctx context.Context, m chat.Message) (bool, error) {
	if !m.FollowUp {
		return true, nil
	}
	policy := w.profile(m).FollowUps
	if policy == FollowNever {
		return false, nil
	}
	turns, err := w.Memory.Recent(ctx, m.Conversation.Key(), Window{Before: m.SentAt, Turns: w.config().MemoryTurns, Tokens: 1 << 30})
	if err != nil {
		return false, err
	}
	for _, t := range turns {
		if policy == FollowAnyone || t.Author.ID == m.Author.ID {
			return true, nil
		}
	}
	return false, nil
}

// language is the tag of the language to speak to m's author in.
func (w *Worker) language(m chat.Message) string { return languageFor(m, w.profile(m).Language) }

func languageFor(m chat.Message, fallback string) string {
	if m.Author.Language != "" {
		return m.Author.Language
	}
	if l := phrase.Detect(m.Text); l != "" {
		return l
	}
	if m.Author.Locale != "" {
		return m.Author.Locale
	}
	return fallback
}

func (w *Worker) ledger() ledger { return ledger{w.Cases, w.now} }

func (w *Worker) now() time.Time { return clock(w.Now) }

func clock(now func() time.Time) time.Time {
	if now == nil {
		return time.Now()
	}
	return now()
}

func (w *Worker) config() WorkerConfig { return w.Config.withDefaults() }

// withDefaults is the configuration with defaults in place.
func (c WorkerConfig) withDefaults() WorkerConfig {
	if c.MemoryTurns == 0 {
		c.MemoryTurns = 20
	}
	if c.MemoryTokens == 0 {
		c.MemoryTokens = 8000
	}
	if c.Policy.Tries == 0 {
		c.Policy = DefaultPolicy()
	}
	if c.Policy.Receives == 0 {
		c.Policy.Receives = DefaultPolicy().Receives
	}
	if c.Generation == 0 {
		c.Generation = 240 * time.Second
	}
	if c.FileTokens == 0 {
		c.FileTokens = 20_000
	}
	if c.ThreadLimit == 0 {
		c.ThreadLimit = 50
	}
	if c.Passages == 0 {
		c.Passages = 5
	}
	return c
}

// detail is an error chain fit for an operator's eyes: bounded, on one line.
func detail(err error) string {
	s := strings.Join(strings.Fields(fmt.Sprint(err)), " ")
	if len(s) > 500 {
		s = strings.ToValidUTF8(s[:500], "") + "…"
	}
	return s
}

func measure(m Metrics, name string, value float64, labels ...string) {
	if m != nil {
		m.Measure(name, value, labels...)
	}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
