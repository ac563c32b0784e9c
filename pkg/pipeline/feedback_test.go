package pipeline

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley/pkg/chat"
	"parley/pkg/phrase"
)

// Each person has one vote, the newest of what they said counts, and what was
// delivered twice or late changes nothing.
func TestVoted(t *testing.T) {
	at := func(n int) time.Time { return time.Unix(int64(n), 0) }
	vote := func(by, verdict, complaint string, n int) Vote {
		return Vote{By: by, Verdict: verdict, Complaint: complaint, At: at(n)}
	}
	down := vote("ann", chat.Down, "", 1)
	why := vote("ann", chat.Down, "wrong", 2)
	for _, c := range []struct {
		name    string
		votes   []Vote
		cast    Vote
		want    []Vote
		changed bool
	}{
		{"the first vote", nil, down, []Vote{down}, true},
		{"delivered twice", []Vote{down}, down, []Vote{down}, false},
		{"the reason after it", []Vote{down}, why, []Vote{why}, true},
		{"the first again, late", []Vote{why}, down, []Vote{why}, false},
		{"pressed once more", []Vote{why}, vote("ann", chat.Down, "", 3), []Vote{why}, false},
		{"another reason", []Vote{why}, vote("ann", chat.Down, "long", 3), []Vote{vote("ann", chat.Down, "long", 3)}, true},
		{"another mind", []Vote{why}, vote("ann", chat.Up, "", 3), []Vote{vote("ann", chat.Up, "", 3)}, true},
		{"the old mind, late", []Vote{vote("ann", chat.Up, "", 3)}, why, []Vote{vote("ann", chat.Up, "", 3)}, false},
		{"somebody else", []Vote{why}, vote("bob", chat.Up, "", 3), []Vote{why, vote("bob", chat.Up, "", 3)}, true},
	} {
		before := append([]Vote(nil), c.votes...)
		got, changed := voted(c.votes, c.cast)
		if diff := cmp.Diff(c.want, got); diff != "" || changed != c.changed {
			t.Errorf("%s: changed %v (-want +got):\n%s", c.name, changed, diff)
		}
		if diff := cmp.Diff(before, c.votes); diff != "" {
			t.Errorf("%s: what was stored was written into:\n%s", c.name, diff)
		}
	}
}

// However many people vote, a turn stays small, and the newest votes are kept.
func TestVotesAreBounded(t *testing.T) {
	var votes []Vote
	for i := range 100 {
		v, ok := voteOf(chat.Message{
			Author: chat.Author{ID: strings.Repeat("U", i+1)}, Value: chat.Down, Text: strings.Repeat("长", 5000), SentAt: time.Unix(int64(i), 0),
		})
		if !ok || len([]rune(v.Comment)) > maxComment+1 {
			t.Fatalf("vote %d: %v, a comment of %d characters", i, ok, len([]rune(v.Comment)))
		}
		votes, _ = voted(votes, v)
	}
	if len(votes) != maxVotes || votes[maxVotes-1].By != strings.Repeat("U", 100) {
		t.Errorf("%d votes are kept, the last by %q", len(votes), votes[len(votes)-1].By)
	}
}

func TestVoteOf(t *testing.T) {
	for _, c := range []struct {
		value, complaint, text string
		want                   Vote
		ok                     bool
	}{
		{chat.Up, "", "", Vote{Verdict: chat.Up}, true},
		{chat.Up, "wrong", "no", Vote{Verdict: chat.Up}, true},
		{chat.Down, "long", "", Vote{Verdict: chat.Down, Complaint: "long"}, true},
		{chat.Down, "", "it is  from\n2019", Vote{Verdict: chat.Down, Complaint: chat.ComplaintOther, Comment: "it is from 2019"}, true},
		{chat.Down, "of my own making", "", Vote{Verdict: chat.Down, Complaint: chat.ComplaintOther}, true},
		{"meh", "", "", Vote{Verdict: "meh"}, false},
		{"", "", "", Vote{}, false},
	} {
		got, ok := voteOf(chat.Message{Value: c.value, Complaint: c.complaint, Text: c.text})
		if ok != c.ok || got != c.want {
			t.Errorf("%+v: %+v, %v", c, got, ok)
		}
	}
}

// sent keeps what was sent.
type sent []Envelope

func (s *sent) Send(_ context.Context, e Envelope) error {
	*s = append(*s, e)
	return nil
}

// Somebody who rates another person's answer is asked why in the language they have
// chosen, and without one in that of the question.
func TestAskedWhyInOnesLanguage(t *testing.T) {
	question, err := chat.EncodeMessage(chat.Message{ID: "q", Kind: chat.KindAsk, Text: "这条河有多长？"})
	if err != nil {
		t.Fatal(err)
	}
	for chosen, want := range map[string]string{"": "zh", "en": "en"} {
		var out sent
		c := &Control{Replies: &out, Profile: Profile{Language: "en"}}
		m := chat.Message{ID: "q:feedback", Subject: "q", Author: chat.Author{ID: "bob", Language: chosen}}
		if err := c.askWhy(t.Context(), m, Case{Message: question}, Vote{Verdict: chat.Down}); err != nil {
			t.Fatal(err)
		}
		r, err := chat.DecodeReply(out[0].Body)
		if err != nil || r.Language != want || r.Markdown != phrase.In(want).Say("rated.why") {
			t.Errorf("who has chosen %q is asked in %q: %q, %v", chosen, r.Language, r.Markdown, err)
		}
	}
}
