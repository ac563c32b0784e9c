package pipeline

import (
	"context"
	"slices"

	"parley/pkg/chat"
	"parley/pkg/phrase"
)

// Bounds of what is kept of one answer's votes, so that a turn stays small however
// many people rate it.
const (
	maxVotes   = 30
	maxComment = 500 // characters
)

// feedback keeps a person's verdict with the turn it is about, and asks the person
// what is wrong with an answer they called bad. Everybody who sees an answer may
// rate it, once: who changes their mind replaces their vote. A press on an answer
// that another has replaced is about nothing that is kept.
func (c *Control) feedback(ctx context.Context, m chat.Message) error {
	v, ok := voteOf(m)
	if !ok {
		return nil
	}
	var known, changed bool
	var answeredBy Profile
	k, err := c.ledger().update(ctx, m.Subject, func(k Case) (Case, Effects, error) {
		known, changed = false, false
		if k.State != CaseAnswered || m.Token != nil && m.Token.Fence != k.Fence {
			return k, Effects{}, errUnchanged
		}
		// Read after the case: whoever votes meanwhile makes the swap fail.
		t, ok, err := c.Memory.Turn(ctx, k.Turn)
		if err != nil {
			return k, Effects{}, Transient(ReasonStore, err)
		}
		if known, answeredBy.Name = ok, t.Profile; ok {
			t.Votes, changed = voted(t.Votes, v)
		}
		if !changed {
			return k, Effects{}, errUnchanged
		}
		return k, Effects{Put: &t}, nil
	})
	if err != nil || !known {
		return err
	}
	if changed {
		complaint := v.Complaint
		if complaint == "" {
			complaint = "none"
		}
		measure(c.Metrics, MetricFeedback, 1, "verdict", v.Verdict, "complaint", complaint, "profile", answeredBy.Label())
	}
	if v.Verdict == chat.Up {
		return nil
	}
	return c.askWhy(ctx, m, k, v)
}

// askWhy asks the person what is wrong with the answer, or thanks for saying so.
// It is best effort: the verdict is kept whether or not anybody is asked.
func (c *Control) askWhy(ctx context.Context, m chat.Message, k Case, v Vote) error {
	r := replyTo(m, 1, chat.Rated)
	r.Seq, r.Language = 1, c.language(m)
	if question, err := chat.DecodeMessage(k.Message); err == nil && m.Author.Language == "" {
		r.Language = languageFor(question, r.Language)
	}
	r.Rating = &chat.Rating{Subject: m.Subject, Fence: k.Fence, Complaint: v.Complaint}
	words := phrase.In(r.Language)
	if r.Markdown = words.Say("rated.why"); v.Complaint != "" {
		r.Markdown = words.Say("rated.thanks", words.Say("complaint."+v.Complaint))
	}
	return SendReply(ctx, c.Replies, r)
}

// voteOf is the vote that a feedback gesture casts; ok is false for one that says
// nothing.
func voteOf(m chat.Message) (v Vote, ok bool) {
	v = Vote{By: m.Author.ID, Verdict: m.Value, Complaint: m.Complaint, Comment: excerpt(m.Text, maxComment), At: m.SentAt}
	if v.Comment != "" && v.Complaint == "" || v.Complaint != "" && !slices.Contains(chat.Complaints, v.Complaint) {
		v.Complaint = chat.ComplaintOther
	}
	if v.Verdict == chat.Up {
		v.Complaint, v.Comment = "", ""
	}
	return v, v.Verdict == chat.Up || v.Verdict == chat.Down
}

// voted returns votes with v in the place of what its person said before. changed
// is false where that is newer, or the same; calling an answer bad once more takes
// back no complaint.
func voted(votes []Vote, v Vote) (next []Vote, changed bool) {
	mine := slices.IndexFunc(votes, func(o Vote) bool { return o.By == v.By })
	if mine >= 0 {
		old := votes[mine]
		same := old.Verdict == v.Verdict && (v.Complaint == "" || old.Complaint == v.Complaint && old.Comment == v.Comment)
		if same || !v.At.After(old.At) {
			return votes, false
		}
		votes = slices.Delete(slices.Clone(votes), mine, mine+1)
	}
	next = append(slices.Clone(votes), v) // oldest first
	return next[max(0, len(next)-maxVotes):], true
}
