package pipeline

import (
	"context"
	"fmt"
	"strings"

	"parley/pkg/chat"
	"parley/pkg/phrase"
)

// passages shows what an answer relies on: the passages that it cites, word for word.
// They are found again by its turn, however old the answer is that was pressed on, for
// as long as the turn is remembered; for a word, the newest answer is meant. Nothing is
// looked up anew: what counts is what the model was given.
func (c *Control) passages(ctx context.Context, m chat.Message) error {
	p := profileOf(c.Profiles, c.Profile, m)
	t, ok, err := c.answered(ctx, m)
	if err != nil {
		return Transient(ReasonStore, err)
	}
	list := quoted(t.Citations)
	if t.Private && t.Author.ID != m.Author.ID {
		list = ""
	}
	switch {
	case m.FollowUp && (!ok || p.FollowUps == FollowNever):
		return nil // a bare word in somebody else's thread
	case m.Author.External && !p.External && m.Conversation.Platform == chat.Slack:
		return c.say(ctx, m, "external") // documents are not for people of other organisations
	case list == "":
		return c.say(ctx, m, "passages.none")
	}
	r := replyTo(m, 1, chat.Notice)
	r.Seq, r.Language, r.Private = 1, c.language(m), t.Private
	r.Markdown = phrase.In(r.Language).Say("passages") + "\n\n" + list
	return SendReply(ctx, c.Replies, r)
}

// answered is the turn that m is about.
func (c *Control) answered(ctx context.Context, m chat.Message) (Turn, bool, error) {
	if m.Subject == "" {
		marks, err := c.Memory.Markers(ctx, m.Conversation.Key())
		if err != nil {
			return Turn{}, false, err
		}
		turns, err := c.Memory.Recent(ctx, m.Conversation.Key(), Window{After: marks.ResetBefore, Before: m.SentAt, Turns: 1, Tokens: 1 << 30})
		if err != nil || len(turns) == 0 {
			return Turn{}, false, err
		}
		return turns[len(turns)-1], true, nil
	}
	k, err := c.Cases.LoadCase(ctx, m.Subject)
	if err != nil || k.Turn.MessageID == "" {
		return Turn{}, false, err
	}
	return c.Memory.Turn(ctx, k.Turn)
}

// quoted is a list of passages with where they are from.
func quoted(citations []chat.Citation) string {
	var b strings.Builder
	for _, c := range citations {
		if c.Quote == "" {
			continue
		}
		where := or(c.Title, c.URL)
		if c.Heading != "" {
			where += " › " + c.Heading
		}
		if c.Page > 0 {
			where += fmt.Sprintf(", p. %d", c.Page)
		}
		fmt.Fprintf(&b, "[%d] %s\n\n> %s\n\n", c.Number, line(where), line(c.Quote))
	}
	return strings.TrimSpace(b.String())
}

// line is text on one line, so that it does not end the quotation it stands in.
func line(s string) string { return strings.Join(strings.Fields(s), " ") }
