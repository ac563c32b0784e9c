package pipeline

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"parley/pkg/chat"
	"parley/pkg/phrase"
	"parley/pkg/scrub"
)

// A thread is remembered in two gestures. "Remember" is answered like a question:
// the answer is a draft, made of the scrubbed thread by one call of the model, with
// all that a case gives: one draft whatever is redelivered, retries, apologies.
// "Approve" by somebody the configuration names puts the committed draft, as it was
// shown, into the knowledge base. The first decision on a draft stands.

// draftRequest asks for a draft. The thread is in the prompt's context.
const draftRequest = "Summarise this discussion as one question that somebody may have later, and its answer. " +
	"Begin with one line \"Q: \" and the question, then \"A: \" and the answer in Markdown. Keep what was decided and why, " +
	"and what somebody must do; leave out names of people, small talk and what was refuted. Use the discussion's language."

// draftRoom is what a snapshot of a draft holds besides what the model wrote.
const draftRoom = 3 << 10

var drafted = pattern(`(?s)^\s*Q[:：]\s*([^\n]+)\n+\s*A[:：]\s*(.+)$`)

// documentID names what is remembered of a conversation.
func documentID(c chat.Conversation) string { return "thread:" + c.Group() }

// cannotKeep is the phrase that says why nothing can be remembered, "" if it can.
func (w *Worker) cannotKeep(p Profile) string {
	switch {
	case w.Knowledge == nil:
		return "remember.off"
	case len(p.Approvers) == 0:
		return "remember.no_approvers"
	}
	return ""
}

// propose answers a wish to remember a thread with a draft.
func (w *Worker) propose(ctx context.Context, d Delivery, m chat.Message) Settlement {
	why := w.cannotKeep(w.profile(m))
	if why == "" {
		return w.ask(ctx, d, m)
	}
	if wanted, err := w.wanted(ctx, m); err == nil && !wanted {
		return Settlement{}
	}
	return w.say(ctx, m, why)
}

// draft makes the draft. Nothing of it is shown before it is whole and scrubbed.
func (a *attempt) draft(ctx context.Context) error {
	said := a.discussion(ctx)
	if said == "" {
		said = phrase.In(a.language()).Say("remember.nothing")
		return a.commit(ctx, Turn{TurnKey: a.turnKey(), Author: a.m.Author, Question: a.m.Text, Answer: said, AnsweredAt: a.w.now()}, false)
	}
	p := Prompt{
		MessageID: a.m.ID, Model: a.profile.model(a.m.Model), System: a.profile.System, MaxTokens: a.w.Config.MaxTokens,
		Context: said, Question: draftRequest,
	}
	if err := a.reserve(ctx, p); err != nil {
		return causeOf(ctx, err)
	}
	t := Turn{TurnKey: a.turnKey(), Author: a.m.Author, Profile: a.profile.Name, Question: a.m.Text}
	ctx, cancel := context.WithTimeoutCause(ctx, a.w.config().Generation, Transient(ReasonModel, errDeadline))
	defer cancel()
	var b strings.Builder
	size := 0
	for d, err := range a.w.Model.Stream(ctx, p) {
		if err != nil {
			return causeOf(ctx, err)
		}
		text, cut := fitting(d.Text, maxAnswer-size-draftRoom)
		b.WriteString(text)
		size += encodedLen(text)
		a.said += EstimateTokens(text)
		if cut || d.Stop != "" {
			t.Usage, t.Model = d.Usage, d.Model
			t.Answer = draftOf(b.String(), said)
			t.AnsweredAt = a.w.now()
			a.measureUsage(t)
			return a.commit(ctx, t, false)
		}
	}
	return causeOf(ctx, Transient(ReasonModel, errors.New("the model's stream ended without an end")))
}

// draftOf is what the model wrote, as a question and its answer, scrubbed. A model
// that kept to no form gets the thread's first line as its question.
func draftOf(text, said string) string {
	question, answer := firstSaid(said), strings.TrimSpace(text)
	if m := drafted().FindStringSubmatch(text); m != nil {
		question, answer = strings.TrimSpace(m[1]), strings.TrimSpace(m[2])
	}
	clean, _ := scrub.Text("## " + excerpt(strings.TrimLeft(question, "# "), 300) + "\n\n" + answer)
	return clean
}

// firstSaid is the first line of a thread without who said it.
func firstSaid(said string) string {
	first, _, _ := strings.Cut(said, "\n")
	if _, words, ok := strings.Cut(first, ": "); ok {
		return words
	}
	return first
}

// discussion is the thread, or where the platform shows none what is remembered of
// the conversation, without secrets and personal data.
func (a *attempt) discussion(ctx context.Context) string {
	var b strings.Builder
	if reader := a.w.Readers[a.m.Conversation.Platform]; reader != nil {
		said, err := reader.Thread(ctx, a.m, a.w.config().ThreadLimit)
		if err != nil {
			a.log.WarnContext(ctx, "read thread", "err", err)
		}
		for _, s := range said {
			if _, isCommand := chat.ParseCommand(s.Text); isCommand || strings.TrimSpace(s.Text) == "" {
				continue
			}
			who := or(s.Author.Name, s.Author.ID)
			if s.Own {
				who = "Parley"
			}
			fmt.Fprintf(&b, "%s: %s\n", who, s.Text)
		}
	}
	if b.Len() == 0 {
		marks, err := a.w.Memory.Markers(ctx, a.m.Conversation.Key())
		var turns []Turn
		if err == nil {
			turns, err = a.window(ctx, marks)
		}
		if err != nil {
			a.log.WarnContext(ctx, "read memory", "err", err)
		}
		for _, t := range turns {
			if _, isCommand := chat.ParseCommand(t.Question); isCommand {
				continue
			}
			fmt.Fprintf(&b, "%s: %s\nParley: %s\n", or(t.Author.Name, t.Author.ID), t.Question, t.Answer)
		}
	}
	clean, _ := scrub.Text(strings.TrimSpace(b.String()))
	return clean
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// proposal makes the terminal snapshot of a draft ask for a decision.
func proposal(r *chat.Reply, m chat.Message) {
	if m.Kind != chat.KindRemember || r.Kind != chat.Final || !strings.HasPrefix(r.Markdown, "## ") {
		return
	}
	r.Proposal = true
	r.Markdown = phrase.In(r.Language).Say("remember.draft") + "\n\n" + r.Markdown
}

// proposalPointer is the id of the record that points to the newest draft of a
// conversation, in DingTalk of a group, for people who decide by a word.
func proposalPointer(c chat.Conversation) string {
	if c.Platform == chat.DingTalk {
		c.Thread = "" // each person's own in a group, which the one who approves is not
	}
	return "proposal:" + c.Key()
}

// decide carries out an approval or rejection. People say the same words to each
// other: in a thread without a draft a bare one is none.
func (w *Worker) decide(ctx context.Context, m chat.Message) Settlement {
	if m.FollowUp {
		if draft, _, err := w.pending(ctx, m); err == nil && draft.Rev == 0 {
			return Settlement{}
		}
	}
	said, err := w.decision(ctx, m)
	if err != nil {
		if e := Classify(err); !e.Permanent {
			w.Log.WarnContext(ctx, "decide", "msg_id", m.ID, "err", err)
			return Settlement{Action: Retry, After: max(w.config().Policy.Backoff[0], e.After)} // the queue's own maximum ends it
		}
		w.Log.ErrorContext(ctx, "decide", "msg_id", m.ID, "err", err)
		said = "remember.failed"
	}
	return w.say(ctx, m, said)
}

// decision does what m says and returns the phrase that tells of it.
func (w *Worker) decision(ctx context.Context, m chat.Message) (string, error) {
	p := w.profile(m)
	if why := w.cannotKeep(p); why != "" {
		return why, nil
	}
	if !p.approves(m.Author) {
		return "remember.approvers", nil
	}
	draft, wish, err := w.pending(ctx, m)
	if err != nil || draft.Rev == 0 || wish.Kind != chat.KindRemember || draft.State != CaseAnswered {
		return "remember.none", err
	}
	if m.Token != nil && m.Token.Fence != draft.Fence {
		return "remember.decided", nil
	}
	t, ok, err := w.Memory.Turn(ctx, draft.Turn)
	if err != nil || !ok || !strings.HasPrefix(t.Answer, "## ") {
		return "remember.none", err
	}
	verdict, mine, err := w.verdict(ctx, wish.ID, m)
	if err != nil || !mine {
		return "remember.decided", err
	}
	if m.Kind == chat.KindApprove && verdict.Detail != verdictDone {
		if err := w.Knowledge.Ingest(ctx, w.document(ctx, wish, m, t)); err != nil {
			return "", fmt.Errorf("remember a thread: %w", err)
		}
	}
	if err := w.decided(ctx, wish, draft, t, m); err != nil {
		return "", err
	}
	return w.outcome(m), nil
}

// verdictDone marks a decision that has been carried out, so that a late
// redelivery does not bring back what was forgotten since.
const verdictDone = "done"

// pending is the draft that m decides on and the wish it answers.
func (w *Worker) pending(ctx context.Context, m chat.Message) (Case, chat.Message, error) {
	subject := m.Subject
	if subject == "" {
		pointer, err := w.Cases.LoadCase(ctx, proposalPointer(m.Conversation))
		if err != nil {
			return Case{}, chat.Message{}, Transient(ReasonStore, err)
		}
		subject = pointer.Detail
	}
	if subject == "" {
		return Case{}, chat.Message{}, nil
	}
	k, err := w.Cases.LoadCase(ctx, subject)
	if err != nil {
		return Case{}, chat.Message{}, Transient(ReasonStore, err)
	}
	wish, err := chat.DecodeMessage(k.Message)
	if err != nil {
		return Case{}, chat.Message{}, nil // there is no such draft
	}
	return k, wish, nil
}

// verdict records m's decision unless there is one, and reports whether the one
// that stands is m's.
func (w *Worker) verdict(ctx context.Context, wish string, m chat.Message) (Case, bool, error) {
	body, err := chat.EncodeMessage(m)
	if err != nil {
		return Case{}, false, Permanent(ReasonUnreadable, err)
	}
	k, err := w.ledger().update(ctx, "verdict:"+wish, func(k Case) (Case, Effects, error) {
		if len(k.Message) > 0 {
			return k, Effects{}, errUnchanged
		}
		k.Message = body
		return k, Effects{}, nil
	})
	if err != nil {
		return k, false, err
	}
	first, err := chat.DecodeMessage(k.Message)
	return k, err == nil && first.ID == m.ID, nil
}

// document is what is kept of an approved draft.
func (w *Worker) document(ctx context.Context, wish, approval chat.Message, t Turn) Document {
	title, _, _ := strings.Cut(strings.TrimPrefix(t.Answer, "## "), "\n")
	d := Document{ID: documentID(wish.Conversation), Request: approval.ID, Title: title, Text: t.Answer}
	if links, ok := w.Readers[wish.Conversation.Platform].(Permalinks); ok {
		link, err := links.Permalink(ctx, wish.Route)
		if err != nil { // rather without a source than not at all
			w.Log.WarnContext(ctx, "look up the thread's link", "msg_id", wish.ID, "err", err)
		}
		d.URL = link
	}
	if days := w.Config.RememberDays; days > 0 {
		d.Expires = approval.SentAt.Add(time.Duration(days) * 24 * time.Hour)
	}
	return d
}

// decided marks the verdict as carried out and, where the platform can edit, puts
// the decision in the place of its buttons.
func (w *Worker) decided(ctx context.Context, wish chat.Message, draft Case, t Turn, m chat.Message) error {
	if wish.Conversation.Platform != chat.DingTalk {
		r := replyTo(wish, draft.Fence+1, chat.Final)
		r.Seq, r.Language, r.Again = 1, w.language(wish), true
		r.Markdown = phrase.In(r.Language).Say("remember."+verb[m.Kind], or(m.Author.Name, m.Author.ID)) + "\n\n" + t.Answer
		if err := SendReply(ctx, w.Replies, r); err != nil {
			return Transient(ReasonStore, fmt.Errorf("publish: %w", err))
		}
	}
	_, err := w.ledger().update(ctx, "verdict:"+wish.ID, func(k Case) (Case, Effects, error) {
		if k.Detail == verdictDone {
			return k, Effects{}, errUnchanged
		}
		k.Detail = verdictDone
		return k, Effects{}, nil
	})
	return err
}

var verb = map[chat.Kind]string{chat.KindApprove: "approved", chat.KindReject: "rejected"}

func (w *Worker) outcome(m chat.Message) string { return "remember." + verb[m.Kind] }

// forget removes what was remembered of m's thread.
func (w *Worker) forget(ctx context.Context, m chat.Message) Settlement {
	if wanted, err := w.wanted(ctx, m); err == nil && !wanted {
		return Settlement{}
	}
	said, p := "forget", w.profile(m)
	switch {
	case w.cannotKeep(p) != "":
		said = w.cannotKeep(p)
	case !p.approves(m.Author):
		said = "remember.approvers"
	default:
		if err := w.forgetThread(ctx, m); err != nil {
			e := Classify(err)
			w.Log.ErrorContext(ctx, "forget", "msg_id", m.ID, "err", err)
			if !e.Permanent {
				return Settlement{Action: Retry, After: max(w.config().Policy.Backoff[0], e.After)}
			}
			said = "remember.failed"
		}
	}
	return w.say(ctx, m, said)
}

// forgetThread removes what was remembered of the thread that m means.
func (w *Worker) forgetThread(ctx context.Context, m chat.Message) error {
	where := m.Conversation
	if where.Platform == chat.DingTalk { // whoever forgets need not be the one who asked
		if _, wish, err := w.pending(ctx, m); err != nil {
			return err
		} else if wish.Kind == chat.KindRemember {
			where = wish.Conversation
		}
	}
	return w.Knowledge.Forget(ctx, documentID(where))
}

// say answers a gesture with one of Parley's sentences.
func (w *Worker) say(ctx context.Context, m chat.Message, key string) Settlement {
	r := replyTo(m, 1, chat.Notice)
	r.Seq, r.Language = 1, w.language(m)
	words := phrase.In(r.Language)
	r.Markdown = words.Say(key)
	switch key {
	case "remember.approved", "remember.rejected":
		r.Markdown = words.Say(key, or(m.Author.Name, m.Author.ID))
	case "remember.failed":
		r.Markdown += " " + words.Say("ref", chat.Ref(m.ID))
	}
	if err := SendReply(ctx, w.Replies, r); err != nil {
		w.Log.ErrorContext(ctx, "publish", "msg_id", m.ID, "err", err)
		return Settlement{Action: Retry, After: w.config().Policy.Backoff[0]}
	}
	return Settlement{}
}

// point notes m's draft as the newest of its conversation.
func (w *Worker) point(ctx context.Context, m chat.Message) error {
	_, err := w.ledger().update(ctx, proposalPointer(m.Conversation), func(k Case) (Case, Effects, error) {
		if k.Detail == m.ID || k.EditedAt.After(m.SentAt) {
			return k, Effects{}, errUnchanged
		}
		k.Detail, k.EditedAt = m.ID, m.SentAt
		return k, Effects{}, nil
	})
	return err
}
