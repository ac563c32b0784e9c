package world

import (
	"fmt"
	"strings"
	"time"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
	"parley/pkg/slack"
	"parley/pkg/slack/slacktest"
	"parley/test/oracle"
)

// Question is something a person asked.
type Question struct {
	ID      string // the message's identity in the pipeline
	Message slacktest.Message
	Root    string // of its thread
	Gone    bool   // its records were lost on purpose
	Moved   bool   // its queue gave it up
}

// Ask has user ask in channel, in the thread of root or, with "", in a new one, and
// returns the question with the event that brings it.
func (w *World) Ask(channel, root, user, text string) (Question, slacktest.Inbound) {
	if !strings.HasPrefix(channel, "D") {
		text = "<@" + slacktest.DefaultBotUser + "> " + text
	}
	m := w.Slack.Say(channel, root, user, text)
	q := Question{ID: slack.MessageID(slacktest.DefaultAppID, m.Channel, m.TS), Message: m, Root: root}
	if root == "" {
		q.Root = m.TS
	}
	w.mu.Lock()
	w.asked = append(w.asked, q)
	w.mu.Unlock()
	if strings.HasPrefix(channel, "D") {
		return q, w.Slack.EventMessage(m)
	}
	return q, w.Slack.EventMention(m)
}

// Questions are all that were asked.
func (w *World) Questions() []Question {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]Question(nil), w.asked...)
}

// Visible are the answers that stand for q, each whole.
func (w *World) Visible(q Question) []string {
	var answers []map[int]string
posts:
	for _, m := range w.Slack.Answers(q.Message.Channel, q.Root) {
		id, part := w.owner(m)
		if id != q.ID {
			continue
		}
		for _, a := range answers {
			if _, taken := a[part]; !taken {
				a[part] = m.Text()
				continue posts
			}
		}
		answers = append(answers, map[int]string{part: m.Text()})
	}
	out := make([]string, len(answers))
	for i, a := range answers {
		for part := range len(a) {
			out[i] += a[part]
		}
	}
	return out
}

// owner tells whose answer a post of ours is, by its mark or, as a stream has none
// while it runs, by the records.
func (w *World) owner(m slacktest.Message) (message string, part int) {
	if m.Metadata != nil {
		id, _ := m.Metadata.EventPayload["message_id"].(string)
		n, _ := m.Metadata.EventPayload["part"].(float64)
		return id, int(n)
	}
	w.With(func(b Backend) {
		var err error
		if message, err = b.Deliveries.PostOwner(w.Context(), m.Channel+"/"+m.TS); err != nil {
			w.Fatal(err)
		}
	})
	return message, 0
}

// Letters are the dead letters that can be seen now.
func (w *World) Letters() (letters []pipeline.Letter) {
	w.Operator(func(o *pipeline.Operator) {
		var err error
		if letters, _, err = o.List(w.Context(), pipeline.Filter{}); err != nil {
			w.Fatal(err)
		}
	})
	return letters
}

// Fact gathers what became of q.
func (w *World) Fact(q Question, letters []pipeline.Letter) oracle.Fact {
	f := oracle.Fact{ID: q.ID, Visible: w.Visible(q), Gone: q.Gone, Moved: q.Moved}
	w.With(func(b Backend) {
		var err error
		if f.Case, err = b.Cases.LoadCase(w.Context(), q.ID); err != nil {
			w.Fatal(err)
		}
		if f.Turn, f.Remembered, err = b.Memory.Turn(w.Context(), f.Case.Turn); err != nil {
			w.Fatal(err)
		}
	})
	for _, l := range letters {
		switch {
		case l.MessageID != q.ID:
		case l.Queue == Replies:
			f.Unshown++
		default:
			f.Letters++
		}
	}
	return f
}

// Judge asks the oracle about everything that was asked, once all is quiet.
func (w *World) Judge(when string) {
	w.Helper()
	for _, wrong := range w.Wrong() {
		w.Errorf("%s: %s", when, wrong)
	}
}

// Wrong is what the oracle finds wrong.
func (w *World) Wrong() (wrong []string) {
	letters := w.Letters()
	threads := map[string][]string{}
	for _, q := range w.Questions() {
		wrong = append(wrong, oracle.Judge(w.Fact(q, letters))...)
		at := q.Message.Channel + " " + q.Root
		threads[at] = append(threads[at], q.ID)
	}
	for at, asked := range threads {
		channel, root, _ := strings.Cut(at, " ")
		var shown []string
		for _, m := range w.Slack.Answers(channel, root) {
			id, _ := w.owner(m)
			if id == "" {
				wrong = append(wrong, fmt.Sprintf("a message belongs to no answer: %q", m.Text()))
			}
			shown = append(shown, id)
		}
		wrong = append(wrong, oracle.Order(asked, shown)...)
	}
	return wrong
}

// Answered fails the test unless each of the questions shows the model's answer.
func (w *World) Answered(when string, questions ...Question) {
	w.Helper()
	for _, q := range questions {
		f := w.Fact(q, nil)
		if f.Case.State != pipeline.CaseAnswered || len(f.Visible) != 1 || !strings.Contains(f.Visible[0], f.Turn.Answer) || f.Turn.Answer == "" {
			w.Errorf("%s: %s %q is %s %s and shows %q", when, q.ID, q.Message.Fallback, f.Case.State, f.Case.Reason, f.Visible)
		}
	}
}

// ReplayAll replays every letter that can be seen, until none can.
func (w *World) ReplayAll() {
	w.Helper()
	for range 10 {
		w.Operator(func(o *pipeline.Operator) {
			letters, _, err := o.List(w.Context(), pipeline.Filter{})
			if err != nil {
				w.Fatal(err)
			}
			for _, l := range letters {
				if _, err := o.Replay(w.Context(), l, 0); err != nil {
					w.Fatal(err)
				}
			}
		})
		if len(w.Letters()) == 0 {
			return
		}
		time.Sleep(time.Second)
	}
}

// Conversation is that of q.
func (q Question) Conversation() chat.Conversation {
	return chat.Conversation{Platform: chat.Slack, Tenant: slacktest.DefaultAppID, Channel: q.Message.Channel, Thread: q.Root}
}
