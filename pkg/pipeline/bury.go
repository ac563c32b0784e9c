package pipeline

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"parley/pkg/chat"
	"parley/pkg/phrase"
)

// Stages, as letters name them.
const (
	StageIngress   = "ingress"
	StageWorker    = "worker"
	StageResponder = "responder"
)

// bury gives the question up, in an order that loses nothing wherever it is
// interrupted: the case is dead on its fence, the person is told, the letter is
// in the dead-letter queue, the case says so; only then is the delivery
// acknowledged. A question that had an answer keeps it: what failed was another. A
// question over its budget has no letter: the person knows, and nothing is broken.
func (a *attempt) bury(ctx context.Context, reason Reason, cause error) Settlement {
	last := a.snapshot(chat.Failed)
	had, answered, err := a.w.Memory.Turn(ctx, a.turnKey())
	if err != nil {
		a.log.ErrorContext(ctx, "read the answer that stands", "err", err)
		return Settlement{Action: Retry, After: time.Second}
	}
	k, err := a.w.ledger().settleAt(ctx, a.m.ID, Effects{}, func(k Case) (Case, error) {
		if a.revised(k) {
			return k, errRevised
		}
		if answered {
			return k.kept(a.k.Fence, reason, detail(cause), had, last.Seq)
		}
		return k.died(a.k.Fence, reason, detail(cause), last.Seq)
	})
	if errors.Is(err, errRevised) { // what failed is not what is asked now
		a.giveBack(ctx)
		return Settlement{Action: Retry}
	}
	if err != nil {
		a.log.ErrorContext(ctx, "give up", "err", err)
		return Settlement{Action: Retry, After: time.Second}
	}
	a.settleBudget(ctx, a.spent(Turn{}))
	if err := a.w.finishBurial(ctx, a.d, a.m, k); err != nil {
		a.log.ErrorContext(ctx, "bury", "err", err)
		return Settlement{Action: Retry, After: a.w.config().Policy.Backoff[0]}
	}
	return Settlement{}
}

// finishBurial does what remains after a case is dead. Every step may be
// repeated: the sends have stable identities.
func (w *Worker) finishBurial(ctx context.Context, d Delivery, m chat.Message, k Case) error {
	if err := w.tellEnd(ctx, m, k); err != nil {
		return fmt.Errorf("tell the person: %w", err)
	}
	if k.Reason == ReasonBudget {
		return w.buried(ctx, m, k) // an answer, if not the one hoped for: nothing waits for an operator
	}
	m.Token = &chat.Token{Fence: k.Fence, Reason: string(k.Reason)}
	if err := w.remember(ctx, m); err != nil {
		return fmt.Errorf("note the failed question: %w", err)
	}
	body, err := chat.EncodeMessage(m)
	if err != nil {
		return err
	}
	err = w.Letters.Send(ctx, Envelope{
		Group:      m.Conversation.Group(),
		DedupID:    chat.Hash(m.ID, "letter", strconv.FormatInt(k.Fence, 10)),
		Body:       body,
		Attributes: w.letter(d, m, k),
	})
	if err != nil {
		return fmt.Errorf("send the letter: %w", err)
	}
	if err := w.buried(ctx, m, k); err != nil {
		return err
	}
	measure(w.Metrics, MetricDeadLetters, 1, "reason", string(k.Reason))
	return nil
}

// buried records that nothing is left to do for k.
func (w *Worker) buried(ctx context.Context, m chat.Message, k Case) error {
	_, err := w.ledger().settleAt(ctx, m.ID, Effects{}, func(c Case) (Case, error) { return c.buried(k.Fence) })
	if err != nil {
		return fmt.Errorf("record the burial: %w", err)
	}
	return nil
}

// tellEnd publishes what a person is shown of a case that has failed: the apology,
// or the answer that stands, with a line about the newer one.
func (w *Worker) tellEnd(ctx context.Context, m chat.Message, k Case) error {
	if k.failedAnew() {
		return w.republish(ctx, m, k)
	}
	r := replyTo(m, k.Fence, chat.Failed)
	r.Seq, r.Reason, r.Language = k.FinalSeq, string(k.Reason), w.language(m)
	r.Markdown = Apology(r)
	return SendReply(ctx, w.Replies, r)
}

// letter is what the dead letter says about itself to people and consoles.
func (w *Worker) letter(d Delivery, m chat.Message, k Case) map[string]string {
	return map[string]string{
		AttrReason:       string(k.Reason),
		AttrError:        k.Detail,
		AttrStage:        StageWorker,
		AttrAttempts:     strconv.Itoa(max(k.Tries+1, k.Unsettled, d.Receives)),
		AttrFirstSeen:    stamp(k.FirstClaim),
		AttrLastTried:    stamp(k.LastClaim),
		AttrPlatform:     string(m.Conversation.Platform),
		AttrConversation: m.Conversation.Group(),
		AttrVersion:      w.Config.Version,
		AttrTold:         "true",
	}
}

func stamp(t time.Time) string {
	if t.IsZero() {
		t = time.Unix(0, 0)
	}
	return t.UTC().Format(time.RFC3339)
}

// Apology is the sentence a person is told when their question failed, with the
// reference an operator can search for.
func Apology(r chat.Reply) string {
	words := phrase.In(r.Language)
	again := "retry.button"
	if r.Conversation.Platform != chat.Slack {
		again = "retry.word"
	}
	parts := []string{words.Say("failed." + r.Reason)}
	if Reason(r.Reason) != ReasonRefused && Reason(r.Reason) != ReasonBudget {
		parts = append(parts, words.Say(again))
	}
	return strings.Join(append(parts, words.Say("ref", chat.Ref(r.MessageID))), " ")
}

// failedPointer is the id of the record that points to the newest failed question
// of a conversation, for people who send "retry".
func failedPointer(conversation string) string { return "failed:" + conversation }

// remember points the conversation at its failed question m.
func (w *Worker) remember(ctx context.Context, m chat.Message) error {
	body, err := chat.EncodeMessage(m)
	if err != nil {
		return err
	}
	_, err = w.ledger().update(ctx, failedPointer(m.Conversation.Key()), func(k Case) (Case, Effects, error) {
		if string(k.Message) == string(body) {
			return k, Effects{}, errUnchanged
		}
		k.Message = body
		return k, Effects{}, nil
	})
	return err
}

// buryUnreadable puts a message that cannot be decoded aside as it is. Nobody can
// be told: who asked is not readable either.
func (w *Worker) buryUnreadable(ctx context.Context, d Delivery, cause error) Settlement {
	w.Log.ErrorContext(ctx, "unreadable message", "err", cause)
	err := w.Letters.Send(ctx, Envelope{
		Group:   d.Group,
		DedupID: chat.Hash(string(d.Body), "letter"),
		Body:    d.Body,
		Attributes: map[string]string{
			AttrReason: string(ReasonUnreadable), AttrError: detail(cause), AttrStage: StageWorker,
			AttrAttempts: strconv.Itoa(d.Receives), AttrFirstSeen: stamp(d.FirstSeen), AttrLastTried: stamp(w.now()),
			AttrVersion: w.Config.Version, AttrTold: "false",
		},
	})
	if err != nil {
		w.Log.ErrorContext(ctx, "bury", "err", err)
		return Settlement{Action: Retry, After: w.config().Policy.wait(d.Receives - 1)}
	}
	measure(w.Metrics, MetricDeadLetters, 1, "reason", string(ReasonUnreadable))
	return Settlement{}
}
