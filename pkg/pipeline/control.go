package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"parley/pkg/chat"
	"parley/pkg/phrase"
)

// Control handles the gestures that must not wait behind a conversation's
// questions: stop, edits and deletions, retry, regenerate, feedback. Each is
// idempotent, so redeliveries need no record of their own. It is safe for
// concurrent use.
type Control struct {
	Cases    Cases
	Memory   Memory
	Requests Outbox
	Replies  Outbox
	Letters  Outbox   // the control queue's dead letters
	Home     *Home    // nil: nobody has a page of their own
	Profile  Profile  // of places that have none of their own
	Profiles Profiles // nil: every place has Profile
	Policy   Policy
	Metrics  Metrics
	Log      *slog.Logger
	Now      func() time.Time
}

// Handle settles a batch of the control queue. It is a Handler.
func (c *Control) Handle(ctx context.Context, batch []Delivery) []Settlement {
	settled := make([]Settlement, len(batch))
	for i, d := range batch {
		settled[i] = c.handle(ctx, d)
	}
	return settled
}

func (c *Control) handle(ctx context.Context, d Delivery) Settlement {
	m, err := chat.DecodeMessage(d.Body)
	if err == nil {
		err = c.do(ctx, m)
	} else {
		err = Permanent(ReasonUnreadable, err)
	}
	if err == nil {
		return Settlement{}
	}
	c.Log.ErrorContext(ctx, "control", "msg_id", m.ID, "kind", m.Kind, "err", err)
	policy := c.Policy
	if policy.Tries == 0 {
		policy = DefaultPolicy()
	}
	if e := Classify(err); !e.Permanent {
		return Settlement{Action: Retry, After: policy.wait(d.Receives - 1)} // the queue's own maximum ends it
	}
	if err := c.Letters.Send(ctx, Envelope{
		Group: d.Group, DedupID: chat.Hash(string(d.Body), "letter"), Body: d.Body,
		Attributes: map[string]string{
			AttrReason: string(Classify(err).Reason), AttrError: detail(err), AttrStage: StageWorker,
			AttrAttempts: strconv.Itoa(d.Receives), AttrTold: "false",
		},
	}); err != nil {
		return Settlement{Action: Retry, After: policy.wait(d.Receives - 1)}
	}
	return Settlement{}
}

func (c *Control) do(ctx context.Context, m chat.Message) error {
	if c.Home != nil && m.Kind != chat.KindHome && m.Kind != chat.KindStop {
		m.Author.Language = personal(ctx, c.Home.People, c.Log, m).Author.Language
	}
	switch m.Kind {
	case chat.KindStop:
		return c.Memory.Mark(ctx, m.Conversation.Key(), Markers{StopBefore: m.SentAt})
	case chat.KindDeleted:
		return c.deleted(ctx, m)
	case chat.KindEdited:
		return c.edited(ctx, m)
	case chat.KindRetry, chat.KindRegenerate:
		return c.again(ctx, m)
	case chat.KindFeedback:
		return c.feedback(ctx, m)
	case chat.KindPassages:
		return c.passages(ctx, m)
	case chat.KindFile:
		return c.file(ctx, m)
	case chat.KindOpened:
		r := replyTo(m, 1, chat.Opened)
		r.Seq, r.Language = 1, c.language(m)
		return SendReply(ctx, c.Replies, r)
	case chat.KindHome:
		if c.Home == nil {
			return nil
		}
		return c.Home.show(ctx, m, profileOf(c.Profiles, c.Profile, m))
	default:
		return Permanent(ReasonUnreadable, fmt.Errorf("a message of kind %q is not for the control queue", m.Kind))
	}
}

// deleted withdraws a question: it is never answered, its answer disappears and
// its turn is forgotten.
func (c *Control) deleted(ctx context.Context, m chat.Message) error {
	k, err := c.ledger().update(ctx, m.Subject, func(k Case) (Case, Effects, error) {
		if k.State == CaseCancelled && k.Reason == reasonDeleted {
			return k, Effects{}, errUnchanged
		}
		if len(k.Message) == 0 {
			body, err := chat.EncodeMessage(m)
			if err != nil {
				return k, Effects{}, Permanent(ReasonUnreadable, err)
			}
			k.Message = body
		}
		var with Effects
		if k.Turn.MessageID != "" { // also while it is being answered anew
			with.Drop = &k.Turn
		}
		return k.cancelled(reasonDeleted, clock(c.Now)), with, nil
	})
	if err != nil {
		return err
	}
	if original, err := chat.DecodeMessage(k.Message); err == nil && original.Kind == chat.KindAsk {
		m.Conversation, m.Route, m.Author, m.SentAt = original.Conversation, original.Route, original.Author, original.SentAt
	}
	m.ID = m.Subject
	r := replyTo(m, k.Fence, k.FinalKind)
	r.Seq, r.Language = k.FinalSeq, c.language(m)
	if err := SendReply(ctx, c.Replies, r); err != nil {
		return err
	}
	return SendReply(ctx, c.Replies, withoutFile(r))
}

// edited gives a question its new text. While it is being worked on, the worker
// notices and starts over; if it was answered or given up, it is asked again and
// the new answer takes the old one's place.
func (c *Control) edited(ctx context.Context, m chat.Message) error {
	k, err := c.ledger().update(ctx, m.Subject, func(k Case) (Case, Effects, error) {
		if !m.SentAt.After(k.EditedAt) || k.State == CaseCancelled {
			return k, Effects{}, errUnchanged
		}
		if k.State == CasePending {
			body, err := chat.EncodeMessage(m)
			if err != nil {
				return k, Effects{}, Permanent(ReasonUnreadable, err)
			}
			k.Message, k.EditedAt = body, m.SentAt
			return k, Effects{}, nil
		}
		question, err := chat.DecodeMessage(k.Message)
		if err != nil {
			return k, Effects{}, Permanent(ReasonUnreadable, err)
		}
		if question.Text == m.Text && len(question.Files) == len(m.Files) {
			return k, Effects{}, errUnchanged
		}
		question.Text, question.Files = m.Text, m.Files
		if k.Message, err = chat.EncodeMessage(question); err != nil {
			return k, Effects{}, Permanent(ReasonUnreadable, err)
		}
		k.EditedAt = m.SentAt
		return k, Effects{}, nil
	})
	if err != nil || !k.EditedAt.Equal(m.SentAt) || (k.State != CaseAnswered && k.State != CaseDead) {
		return err
	}
	return c.reopen(ctx, k, m, "")
}

// again lets the asker try a failed question once more, or have an answered one
// answered anew.
func (c *Control) again(ctx context.Context, m chat.Message) error {
	subject, err := c.subject(ctx, m)
	if err != nil {
		return err
	}
	k, err := c.Cases.LoadCase(ctx, subject)
	if err != nil {
		return Transient(ReasonStore, err)
	}
	question, err := chat.DecodeMessage(k.Message)
	if subject == "" || k.Rev == 0 || err != nil {
		return c.say(ctx, m, "retry.none")
	}
	if question.Author.ID != m.Author.ID {
		return c.say(ctx, m, "asker.only")
	}
	wanted := k.State == CaseDead || k.failedAnew()
	if m.Kind == chat.KindRegenerate {
		wanted = k.State == CaseAnswered
	}
	if !wanted || (m.Token != nil && m.Token.Fence != k.Fence) {
		if k.State == CaseWorking {
			return nil // somebody pressed twice: the answer is on its way
		}
		return c.say(ctx, m, "retry.gone")
	}
	return c.reopen(ctx, k, m, m.Value)
}

// subject is the question that m is about: the one its button names, or the
// newest that failed in the conversation.
func (c *Control) subject(ctx context.Context, m chat.Message) (string, error) {
	if m.Subject != "" {
		return m.Subject, nil
	}
	pointer, err := c.Cases.LoadCase(ctx, failedPointer(m.Conversation.Key()))
	if err != nil {
		return "", Transient(ReasonStore, err)
	}
	failed, err := chat.DecodeMessage(pointer.Message)
	if err != nil {
		return "", nil // nothing has failed here
	}
	return failed.ID, nil
}

// reopen asks the case's question again, as gesture m wants, with a token for the
// state it is in.
func (c *Control) reopen(ctx context.Context, k Case, m chat.Message, model string) error {
	question, err := chat.DecodeMessage(k.Message)
	if err != nil {
		return Permanent(ReasonUnreadable, err)
	}
	question.Token = &chat.Token{Fence: k.Fence, Reason: string(k.Reason), At: m.SentAt}
	question.Model = model
	return SendMessage(ctx, c.Requests, question, string(m.Kind)+":"+m.ID)
}

// say answers a control gesture itself.
func (c *Control) say(ctx context.Context, m chat.Message, key string) error {
	r := replyTo(m, 1, chat.Notice)
	r.Seq, r.Language = 1, c.language(m)
	r.Markdown = phrase.In(r.Language).Say(key)
	if err := SendReply(ctx, c.Replies, r); err != nil {
		return errors.Join(errors.New("publish"), err)
	}
	return nil
}

// language is the tag of the language to speak to m's author in.
func (c *Control) language(m chat.Message) string {
	return languageFor(m, profileOf(c.Profiles, c.Profile, m).Language)
}

func (c *Control) ledger() ledger {
	return ledger{c.Cases, func() time.Time { return clock(c.Now) }}
}
