package e2e

import (
	"strings"
	"testing"
	"time"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
	"parley/pkg/slack"
	"parley/pkg/slack/slacktest"
)

// answered has Ann ask a question and waits for the answer.
func answered(w *world, p *process, text string) slacktest.Message {
	w.t.Helper()
	q, event := w.mention("C1", "", text)
	p.accept(event)
	w.settled(time.Minute, "C1", q.TS, 1)
	return q
}

// rate is the press of one of the thumbs under the answer to q.
func (w *world) rate(q slacktest.Message, verdict, user string) slacktest.Inbound {
	w.t.Helper()
	return w.action(w.slack.Answers(q.Channel, q.TS)[0], user, func(b slacktest.Button) bool {
		return b.ActionID == slack.ActionFeedback && strings.Contains(b.Value, `"verdict":"`+verdict+`"`)
	}, "")
}

// action is the use of the first button of m that is wanted; text is what is written
// where it is a field.
func (w *world) action(m slacktest.Message, user string, wanted func(slacktest.Button) bool, text string) slacktest.Inbound {
	w.t.Helper()
	for _, b := range m.Buttons() {
		if wanted(b) {
			if b.Type == "plain_text_input" {
				b.Value = text
			}
			return w.slack.EventAction(m, b, user)
		}
	}
	w.t.Fatalf("%q has no such button", m.Text())
	return slacktest.Inbound{}
}

// complain answers what a person was asked, by a button or in their own words.
func (w *world) complain(channel, user, complaint, text string) slacktest.Inbound {
	w.t.Helper()
	asked := w.slack.Ephemeral(channel, user)
	if len(asked) == 0 {
		w.t.Fatalf("%s was asked nothing", user)
	}
	return w.action(asked[len(asked)-1], user, func(b slacktest.Button) bool {
		return b.ActionID == slack.ActionComplaint+complaint || text != "" && b.ActionID == slack.ActionComment
	}, text)
}

// votes are what is kept with the answer to q, without the times.
func (w *world) votes(q slacktest.Message) []pipeline.Vote {
	w.t.Helper()
	w.within(time.Minute, "quiet", w.quiet)
	turn, _ := w.turnOf(q)
	votes := append([]pipeline.Vote(nil), turn.Votes...)
	for i := range votes {
		if votes[i].At.IsZero() {
			w.t.Errorf("vote %+v has no time", votes[i])
		}
		votes[i].At = time.Time{}
	}
	return votes
}

func (w *world) wantVotes(q slacktest.Message, want ...pipeline.Vote) {
	w.t.Helper()
	got := w.votes(q)
	same := len(got) == len(want)
	for i := range min(len(got), len(want)) {
		same = same && got[i] == want[i]
	}
	if !same {
		w.t.Errorf("votes are %+v, want %+v", got, want)
	}
}

// wantAsked checks what a person alone reads, in order.
func (w *world) wantAsked(user string, want ...string) {
	w.t.Helper()
	var texts []string
	for _, m := range w.slack.Ephemeral("C1", user) {
		texts = append(texts, m.Text())
	}
	if len(texts) != len(want) {
		w.t.Fatalf("%s reads %q", user, texts)
	}
	for i := range want {
		if !strings.Contains(texts[i], want[i]) {
			w.t.Errorf("%s reads %q, want %q", user, texts[i], want[i])
		}
	}
}

// A thumb down asks why, in the thread and of that person alone; the reason is kept,
// and the question becomes the thanks. Each step twice changes nothing more.
func TestFeedbackReason(t *testing.T) {
	t.Parallel()
	inWorld(t, worldOptions{}, func(w *world) {
		p := w.boot(nil)
		q := answered(w, p, "tell me about rivers")
		answer := w.slack.Answers("C1", q.TS)[0]
		twice := func(in slacktest.Inbound) {
			p.accept(in)
			w.within(time.Minute, "quiet", w.quiet)
			p.accept(in.Retry(1, "http_timeout"))
			w.within(time.Minute, "quiet", w.quiet)
		}
		twice(w.rate(q, chat.Down, ann))
		w.wantVotes(q, pipeline.Vote{By: ann, Verdict: chat.Down})
		w.wantAsked(ann, "What was wrong")
		if asked := w.slack.Ephemeral("C1", ann)[0]; asked.ThreadTS != q.TS {
			t.Errorf("Ann is asked in thread %q, not %q", asked.ThreadTS, q.TS)
		}
		twice(w.complain("C1", ann, "outdated", ""))
		w.wantVotes(q, pipeline.Vote{By: ann, Verdict: chat.Down, Complaint: "outdated"})
		w.wantAsked(ann, "noted: Out of date")
		if now := w.slack.Answers("C1", q.TS); len(now) != 1 || now[0].Text() != answer.Text() {
			t.Errorf("the answer now reads %+v", now)
		}
		for complaint, want := range map[string]int{"none": 1, "outdated": 1, "wrong": 0} {
			if n := w.counted(pipeline.MetricFeedback, "verdict", chat.Down, "complaint", complaint, "profile", "default"); n != want {
				t.Errorf("%s was counted %d times, want %d", complaint, n, want)
			}
		}
		p.stop()
	})
}

// Everybody has one vote, and may change it; words of one's own are kept with it.
func TestFeedbackOfSeveral(t *testing.T) {
	t.Parallel()
	inWorld(t, worldOptions{}, func(w *world) {
		p := w.boot(nil)
		q := answered(w, p, "tell me about rivers")
		p.accept(w.rate(q, chat.Up, ann))
		p.accept(w.rate(q, chat.Down, bob))
		w.wantVotes(q, pipeline.Vote{By: ann, Verdict: chat.Up}, pipeline.Vote{By: bob, Verdict: chat.Down})
		w.wantAsked(ann)
		p.accept(w.complain("C1", bob, "", "The Rhine is <missing>"))
		own := pipeline.Vote{By: bob, Verdict: chat.Down, Complaint: chat.ComplaintOther, Comment: "The Rhine is <missing>"}
		w.wantVotes(q, pipeline.Vote{By: ann, Verdict: chat.Up}, own)
		p.accept(w.rate(q, chat.Down, ann)) // Ann changes her mind, and Bob presses once more
		p.accept(w.rate(q, chat.Down, bob))
		w.wantVotes(q, own, pipeline.Vote{By: ann, Verdict: chat.Down})
		p.accept(w.rate(q, chat.Up, bob))
		w.wantVotes(q, pipeline.Vote{By: ann, Verdict: chat.Down}, pipeline.Vote{By: bob, Verdict: chat.Up})
		p.stop()
	})
}

// A verdict on an answer that another has replaced is not one on the new answer.
func TestFeedbackOnAnAnswerReplaced(t *testing.T) {
	t.Parallel()
	inWorld(t, worldOptions{}, func(w *world) {
		p := w.boot(nil)
		q := answered(w, p, "tell me about rivers")
		stale := w.rate(q, chat.Down, bob)
		p.accept(w.rate(q, chat.Up, ann))
		p.accept(w.press("C1", q.TS, slack.ActionRegenerate, ann))
		w.within(time.Minute, "asked again", func() bool { return len(w.callsFor(q)) == 2 })
		w.settled(time.Minute, "C1", q.TS, 1)
		p.accept(stale)
		w.wantVotes(q)
		w.wantAsked(bob)
		p.accept(w.rate(q, chat.Down, bob))
		w.wantVotes(q, pipeline.Vote{By: bob, Verdict: chat.Down})
		p.stop()
	})
}

// An answer that only one person sees is rated like any other, and stays.
func TestFeedbackOnACommand(t *testing.T) {
	t.Parallel()
	inWorld(t, worldOptions{}, func(w *world) {
		p := w.boot(nil)
		p.accept(w.slack.EventSlash("/parley", "tell me about rivers", "C1", ann))
		w.within(time.Minute, "answered", func() bool { return len(w.slack.Ephemeral("C1", ann)) == 1 && w.quiet() })
		answer := w.slack.Ephemeral("C1", ann)[0]
		p.accept(w.action(answer, ann, func(b slacktest.Button) bool { return strings.Contains(b.Value, `"verdict":"down"`) }, ""))
		w.within(time.Minute, "asked", func() bool { return len(w.slack.Ephemeral("C1", ann)) == 2 })
		p.accept(w.complain("C1", ann, "", "too vague"))
		w.within(time.Minute, "quiet", w.quiet)
		w.wantAsked(ann, answer.Text(), "Thank you")
		if n := w.counted(pipeline.MetricFeedback, "verdict", chat.Down, "complaint", chat.ComplaintOther, "profile", "default"); n != 1 {
			t.Errorf("the reason was counted %d times", n)
		}
		p.stop()
	})
}

// Slack refusing to show the question changes nothing about the verdict.
func TestFeedbackWhereNothingCanBeAsked(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]slacktest.Fault{
		"cut before": slacktest.CutBefore(), "cut after": slacktest.CutAfter(), "refused": slacktest.RateLimited(30 * time.Second),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, worldOptions{}, func(w *world) {
				p := w.boot(nil)
				q := answered(w, p, "tell me about rivers")
				w.slack.Inject("response_url", 1, fault)
				p.accept(w.rate(q, chat.Down, bob))
				w.wantVotes(q, pipeline.Vote{By: bob, Verdict: chat.Down})
				if n := len(w.slack.Ephemeral("C1", bob)); n > 1 {
					t.Errorf("Bob was asked %d times", n)
				}
				if left := w.letters(); len(left) > 0 {
					t.Errorf("%d dead letters", len(left))
				}
				p.stop()
			})
		})
	}
}
