package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"parley/pkg/chat"
	"parley/pkg/phrase"
)

// errRevised: the question was edited while it was being answered.
var errRevised = errors.New("the question was edited")

// attempt is one claim's work on a question. Its snapshots share its fence.
type attempt struct {
	w       *Worker
	d       Delivery
	k       Case         // as claimed; the guard reads it
	hold    Hold         // what is reserved for the question
	m       chat.Message // in its newest form
	log     *slog.Logger
	began   time.Time
	known   knowledge // set before the model is asked
	profile Profile
	private bool // the answer is for its asker alone

	mu  sync.Mutex
	seq int // of the last snapshot; guarded by mu

	steps steps

	asked chat.Usage // what the prompt is estimated to cost
	said  int        // tokens, by estimate, that the model has answered
}

// run answers the question and publishes the final. Its error tells settle what
// became of the attempt; nil means that everything is done.
func (a *attempt) run(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			a.log.ErrorContext(ctx, "panic", "value", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = Transient(ReasonCrash, fmt.Errorf("panic while answering"))
		}
	}()
	if a.k.Unsettled > a.w.config().Policy.Crashes {
		return Permanent(ReasonCrash, fmt.Errorf("%d attempts ended without a word", a.k.Unsettled-1))
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watched := a.guard(ctx, cancel)
	defer watched()

	if err := a.w.Gate.pass(a.profile.model(a.m.Model), a.w.now()); err != nil {
		return err
	}
	a.sign(ctx)
	if a.m.Kind == chat.KindRemember {
		if err := a.w.point(ctx, a.m); err != nil {
			return err
		}
		return a.draft(ctx)
	}
	prompt, passages, err := a.prompt(ctx)
	if err != nil {
		return causeOf(ctx, err)
	}
	if err := a.reserve(ctx, prompt); err != nil {
		return causeOf(ctx, err)
	}
	turn, err := a.generate(ctx, prompt, passages)
	if err != nil && !errors.Is(err, ErrStopped) {
		return err
	}
	return a.commit(ctx, turn, errors.Is(err, ErrStopped))
}

// sign shows that Parley is at work. It is best effort, like every snapshot that
// is not terminal. A person who was told of a delay has a message that says what
// will become of it.
func (a *attempt) sign(ctx context.Context) {
	if a.k.Told && a.k.Unsettled == 1 {
		return
	}
	r := a.snapshot(chat.Working)
	r.Title = excerpt(a.m.Text, maxTitle)
	if a.k.Unsettled > 1 {
		r.Markdown = phrase.In(r.Language).Say("retrying")
	}
	a.send(ctx, r)
}

// maxTitle is how much of a question names its conversation, in characters.
const maxTitle = 80

// snapshot begins the attempt's next snapshot.
func (a *attempt) snapshot(kind chat.ReplyKind) chat.Reply {
	a.mu.Lock()
	a.seq++
	seq := a.seq
	a.mu.Unlock()
	r := replyTo(a.m, a.k.Fence, kind)
	r.Seq, r.Language = seq, a.language()
	return r
}

// send publishes a snapshot that may be lost.
func (a *attempt) send(ctx context.Context, r chat.Reply) {
	ctx, cancel := context.WithTimeoutCause(ctx, 3*time.Second, errors.New("publishing a snapshot took too long"))
	defer cancel()
	if err := SendReply(ctx, a.w.Replies, r); err != nil && ctx.Err() == nil {
		a.log.WarnContext(ctx, "publish snapshot", "kind", r.Kind, "err", err)
	}
}

// commit makes the answer durable and publishes it. A stopped answer keeps what
// was said; if nothing was, there is no turn to keep.
func (a *attempt) commit(ctx context.Context, t Turn, stopped bool) error {
	kind := chat.Final
	if stopped {
		kind, t.Stopped = chat.Stopped, true
		ctx = context.WithoutCancel(ctx) // the stop itself cancelled it
		if t.Answer == "" {
			return ErrStopped
		}
	}
	asked := t.TurnKey // a stop counts from when the answer was asked for
	asked.SentAt = a.m.AskedAt()
	last := a.snapshot(kind)
	effects := Effects{Put: &t}
	if !stopped {
		effects.UnlessStopped = &asked
	}
	k, err := a.w.ledger().settleAt(ctx, a.m.ID, effects, func(k Case) (Case, error) {
		if a.revised(k) {
			return k, errRevised
		}
		return k.answered(a.k.Fence, t.TurnKey, last.Seq, kind)
	})
	switch {
	case errors.Is(err, ErrStopped):
		return a.commit(ctx, t, true)
	case err != nil:
		return causeOf(ctx, err)
	}
	a.settleBudget(ctx, a.spent(t))
	measure(a.w.Metrics, MetricAnswer, ms(a.w.now().Sub(a.began)), "platform", string(a.m.Conversation.Platform))
	measure(a.w.Metrics, MetricAnswers, 1, "profile", a.profile.Label())
	final := answerOf(a.m, k, t, a.profile)
	final.Markdown += a.warning(ctx, last.Language)
	if err := SendReply(context.WithoutCancel(ctx), a.w.Replies, final); err != nil {
		return fmt.Errorf("%w: %w", errPublish, err)
	}
	return nil
}

// revised reports whether the question was edited since the attempt claimed it.
func (a *attempt) revised(k Case) bool {
	return k.mine(a.k.Fence) == nil && k.EditedAt.After(a.k.EditedAt)
}

// errPublish: the answer is committed and only its final is missing.
var errPublish = errors.New("publish the final")

// settle turns the attempt's end into a settlement.
func (a *attempt) settle(ctx context.Context, err error) Settlement {
	ctx = context.WithoutCancel(ctx) // a stop or a shutdown must not cut this short
	policy := a.w.config().Policy
	switch {
	case err == nil:
		return Settlement{}
	case errors.Is(err, errPublish):
		a.log.ErrorContext(ctx, "publish", "err", err)
		return Settlement{Action: Retry, After: policy.Backoff[0]}
	case errors.Is(err, errFenced):
		a.w.release(ctx, a.m, a.hold, a.spent(Turn{}))
		return Settlement{Action: Retry, After: time.Second} // find out how the other ended
	case errors.Is(err, ErrStopped):
		return a.cancelled(ctx)
	}
	a.w.trouble(ctx, Classify(err))
	if e := Classify(err); e.Throttled && e.Reason == ReasonThrottled && !errors.Is(err, errShut) {
		a.w.Gate.shut(a.profile.model(a.m.Model), a.w.now(), max(e.After, policy.Backoff[0]))
		measure(a.w.Metrics, MetricThrottled, 1, "what", "model")
	}
	v := Settle(err, a.k, policy, a.w.now(), a.d.spread())
	if v.Action == Retry && a.d.Receives >= policy.Receives-1 {
		v.Action = Bury // else the queue gives it up, and nobody is told
	}
	if v.Action == Bury {
		a.log.ErrorContext(ctx, "giving up", "reason", v.Reason, "err", err)
		return a.bury(ctx, v.Reason, err)
	}
	a.log.WarnContext(ctx, "will try again", "after", v.After, "err", err)
	told := a.k.Told
	if v.Reason != "" && !told {
		a.tellDelay(ctx, err)
		told = true
	}
	if _, err := a.w.ledger().settleAt(ctx, a.m.ID, Effects{}, func(k Case) (Case, error) {
		return k.released(a.k.Fence, v.Counted, told)
	}); err != nil {
		a.log.ErrorContext(ctx, "release", "err", err)
	} else {
		a.settleBudget(ctx, a.spent(Turn{}))
	}
	return Settlement{Action: Retry, After: v.After}
}

// tellDelay tells the person, in the message that will become the answer.
func (a *attempt) tellDelay(ctx context.Context, err error) {
	r := a.snapshot(chat.Working)
	key := "retrying"
	if Classify(err).Throttled {
		key = "busy"
	}
	r.Markdown = phrase.In(r.Language).Say(key)
	a.send(ctx, r)
}

// cancelled ends a question that was stopped before anything was said. An answer
// that it had stays.
func (a *attempt) cancelled(ctx context.Context) Settlement {
	last := a.snapshot(chat.Stopped)
	had, answered, err := a.w.Memory.Turn(ctx, a.turnKey())
	if err != nil {
		return Settlement{Action: Retry, After: time.Second}
	}
	k, err := a.w.ledger().settleAt(ctx, a.m.ID, Effects{}, func(k Case) (Case, error) {
		if answered {
			return k.kept(a.k.Fence, "", "", had, last.Seq)
		}
		stopped := k.cancelled(reasonStopped, a.w.now())
		stopped.Hold = Hold{}
		return stopped, k.mine(a.k.Fence)
	})
	if err != nil { // the store failed, or somebody else ended it: find out
		return Settlement{Action: Retry, After: time.Second}
	}
	a.settleBudget(ctx, a.spent(Turn{}))
	if answered {
		return a.w.met(ctx, a.d, a.m, k, WasAnswered)
	}
	return a.w.met(ctx, a.d, a.m, k, WasCancelled)
}

// language is the tag of the language to speak to the asker in.
func (a *attempt) language() string { return languageFor(a.m, a.profile.Language) }

// turnKey is where the answer to the question is kept.
func (a *attempt) turnKey() TurnKey {
	return TurnKey{a.m.Conversation.Key(), a.m.SentAt, a.m.ID}
}

// giveBack releases the case without counting a try.
func (a *attempt) giveBack(ctx context.Context) {
	_, err := a.w.ledger().settleAt(context.WithoutCancel(ctx), a.m.ID, Effects{}, func(k Case) (Case, error) {
		return k.released(a.k.Fence, false, false)
	})
	if err != nil {
		a.log.ErrorContext(ctx, "release", "err", err)
		return
	}
	a.settleBudget(ctx, a.spent(Turn{}))
}

// causeOf prefers the reason a context was cancelled for over the error that the
// cancellation led to.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}
