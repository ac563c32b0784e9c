package pipeline

import (
	"context"

	"parley/pkg/chat"
)

// attachmentOf is the identity of the file that an answer is had as: one for each
// question, so that however often it is wanted there is one file of an answer.
func attachmentOf(messageID string) string { return messageID + ":file" }

// file has the answer that a person wants to keep shown as a file beside it.
func (c *Control) file(ctx context.Context, m chat.Message) error {
	k, err := c.Cases.LoadCase(ctx, m.Subject)
	if err != nil {
		return Transient(ReasonStore, err)
	}
	if k.State != CaseAnswered || m.Token != nil && m.Token.Fence != k.Fence {
		return c.say(ctx, m, "file.gone")
	}
	t, ok, err := c.Memory.Turn(ctx, k.Turn)
	switch {
	case err != nil:
		return Transient(ReasonStore, err)
	case !ok, t.Private: // a file is everybody's
		return c.say(ctx, m, "file.gone")
	}
	r := replyTo(m, k.Fence, chat.Attached)
	r.MessageID, r.Seq, r.Markdown = attachmentOf(m.Subject), 1, t.Answer
	r.Title, r.Language = excerpt(t.Question, maxTitle), c.language(m)
	return SendReply(ctx, c.Replies, r)
}

// withoutFile takes the file of a withdrawn answer away, if there is one. r withdraws
// the answer.
func withoutFile(r chat.Reply) chat.Reply {
	r.MessageID, r.Kind, r.Markdown = attachmentOf(r.MessageID), chat.Attached, ""
	return r
}
