package pipeline

import (
	"context"
	"strconv"

	"parley/pkg/chat"
)

// SendMessage puts m into the queue behind out. dedup distinguishes sends of one
// message that must not be taken for each other: "" for the gesture itself, a
// fresh word for each replay.
func SendMessage(ctx context.Context, out Outbox, m chat.Message, dedup string) error {
	e, err := envelope(m, dedup)
	if err != nil {
		return err
	}
	return out.Send(ctx, e)
}

func envelope(m chat.Message, dedup string) (Envelope, error) {
	body, err := chat.EncodeMessage(m)
	return Envelope{Group: m.Conversation.Group(), DedupID: chat.Hash(m.ID, dedup), Body: body}, err
}

// SendReply puts a snapshot into the replies queue. A terminal snapshot has one
// identity per fence, so that publishing it again changes nothing.
func SendReply(ctx context.Context, out Outbox, r chat.Reply) error {
	body, err := chat.EncodeReply(r)
	if err != nil {
		return err
	}
	seq := strconv.Itoa(r.Seq)
	if r.Kind.Terminal() {
		seq = "terminal"
	}
	return out.Send(ctx, Envelope{
		Group:   r.Conversation.Group(),
		DedupID: chat.Hash(r.MessageID, strconv.FormatInt(r.Fence, 10), seq, r.Nonce),
		Body:    body,
	})
}

// replyTo begins a snapshot of the answer to m.
func replyTo(m chat.Message, fence int64, kind chat.ReplyKind) chat.Reply {
	return chat.Reply{
		MessageID:    m.ID,
		Conversation: m.Conversation,
		Fence:        fence,
		Kind:         kind,
		Asker:        m.Author,
		AskedAt:      m.SentAt,
		Again:        m.Token != nil,
		Route:        m.Route,
	}
}
