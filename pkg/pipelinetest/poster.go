package pipelinetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

// ChatUnderTest is a chat platform seen from both sides: by Parley, through a
// Poster, and by the people in it.
type ChatUnderTest struct {
	// NewPoster returns the Poster of a new process. Its calls of the platform
	// pass through f, by f.Transport or f.Call. It is called again after each
	// death; the platform stays.
	NewPoster func(f *Faults) pipeline.Poster
	// Ask has a person ask a question. The reply names message, conversation,
	// asker and route; the suite fills in the rest.
	Ask func() chat.Reply
	// Seen returns the messages that people see as answers to ask, in reading
	// order.
	Seen func(ask chat.Reply) []string
	// Unfinished reports whether something still shows the answer as being
	// written: an open stream or card, a working sign.
	Unfinished func(ask chat.Reply) bool
	// Breaches are the platform's rules that were broken, one sentence each.
	Breaches func() []string
}

// PosterFeatures say what the suite may expect of a platform besides its
// Poster's Capabilities.
type PosterFeatures struct {
	Features
	// Long is how many characters of an answer certainly need more than one
	// message. Zero skips the cases that need it.
	Long int
}

// script is the life of one answer, snapshot by snapshot.
type script struct {
	name string
	// edits: the case makes sense only where a post can be changed.
	edits bool
	// lost is the snapshot before which the delivery record expires, 0 for none. It
	// makes sense only where a post can be looked up.
	lost      int
	long      bool
	snapshots []chat.Reply // kind, fence and text
	want      string       // what is seen at the end; "" for nothing
	many      bool         // in more than one message
}

// senseless reports whether a platform that is only so capable cannot play s.
func (s script) senseless(c pipeline.Capabilities) bool {
	return s.edits && !c.Edit || s.lost > 0 && !c.Lookup
}

// TestPoster holds a platform to the contract of pipeline.Poster, driven by a
// pipeline.Responder: at the end of every script people see exactly one answer,
// also when any one call of the platform or of the store fails, takes effect and
// reports failure, or kills the process before or after it took effect.
//
// Where a platform can neither edit nor look up, the suite asks for at least one.
func TestPoster(t *testing.T, newChat func(t *testing.T) ChatUnderTest, f PosterFeatures) {
	for _, s := range scripts(f) {
		if s.long && f.Long == 0 {
			continue
		}
		f.run(t, s.name, func(t *testing.T) {
			c := newChat(t)
			if s.senseless(c.NewPoster(NewFaults()).Capabilities()) {
				return
			}
			faults := NewFaults()
			play(t, c, s, faults).check(s, false)
		})
		f.run(t, s.name+"/kill matrix", func(t *testing.T) { killMatrix(t, newChat, s) })
	}
}

// killMatrix plays s once to learn its calls, then once for each call and way to
// go wrong.
func killMatrix(t *testing.T, newChat func(t *testing.T) ChatUnderTest, s script) {
	c := newChat(t)
	capable := c.NewPoster(NewFaults()).Capabilities()
	if s.senseless(capable) {
		return
	}
	sound := NewFaults()
	play(t, c, s, sound)
	for _, point := range sound.Calls() {
		for _, mode := range Modes {
			faults := NewFaults()
			faults.Plan(point, mode)
			p := play(t, newChat(t), s, faults)
			p.point = fmt.Sprintf("%v %s", point, mode)
			faults.MustHit(t)
			p.check(s, !capable.Lookup && !capable.Edit)
		}
	}
}

// scripts are the lives an answer may have.
func scripts(f PosterFeatures) []script {
	snap := func(fence int64, kind chat.ReplyKind, text string) chat.Reply {
		return chat.Reply{Fence: fence, Kind: kind, Markdown: text}
	}
	one, two := sentences("one", 30), sentences("two", 12)
	long := sentences("long", f.Long/20)
	grow := func(fence int64, text string, shares ...int) []chat.Reply {
		all := []chat.Reply{snap(fence, chat.Working, "")}
		for _, share := range shares {
			all = append(all, snap(fence, chat.Partial, text[:len(text)*share/100]))
		}
		return all
	}
	return []script{
		{name: "an answer that grows", want: one,
			snapshots: append(grow(1, one, 10, 40, 70, 99), snap(1, chat.Final, one))},
		{name: "partials that were skipped", want: one,
			snapshots: append(grow(1, one, 20), snap(1, chat.Final, one))},
		{name: "no partials", want: one,
			snapshots: []chat.Reply{snap(1, chat.Working, ""), snap(1, chat.Final, one)}},
		{name: "a notice", want: two, snapshots: []chat.Reply{snap(1, chat.Notice, two)}},
		{name: "a word while waiting", edits: true, want: one,
			snapshots: []chat.Reply{snap(1, chat.Working, ""), snap(1, chat.Working, "Busy."), snap(1, chat.Partial, one[:200]), snap(1, chat.Final, one)}},
		{name: "a newer attempt says something else", want: two, edits: true,
			snapshots: append(append(grow(1, one, 20, 50), grow(2, two, 30, 60)...), snap(2, chat.Final, two))},
		{name: "the final differs from what was streamed", want: two, edits: true,
			snapshots: append(grow(1, one, 20, 50), snap(1, chat.Final, two))},
		{name: "an apology becomes the answer", edits: true, want: one,
			snapshots: append(append(grow(1, two, 40), snap(1, chat.Failed, "Sorry.")), append(grow(2, one, 50), snap(2, chat.Final, one))...)},
		{name: "an apology whose record has expired becomes the answer", edits: true, lost: 1, want: one,
			snapshots: append(append([]chat.Reply{snap(1, chat.Failed, "Sorry.")}, grow(2, one, 50)...), snap(2, chat.Final, one))},
		{name: "a stop", want: one, snapshots: append(grow(1, one, 30, 60), snap(1, chat.Stopped, one))},
		{name: "a question withdrawn while it is answered", edits: true,
			snapshots: append(grow(1, one, 30, 60), snap(2, chat.Withdrawn, ""))},
		{name: "a question withdrawn after it was answered", edits: true,
			snapshots: append(grow(1, one, 30), snap(1, chat.Final, one), snap(2, chat.Withdrawn, ""))},
		{name: "a final shown again", want: one,
			snapshots: append(grow(1, one, 30), snap(1, chat.Final, one), snap(1, chat.Final, one))},
		{name: "a long answer", long: true, many: true, want: long,
			snapshots: append(grow(1, long, 10, 50, 90), snap(1, chat.Final, long))},
		{name: "a short answer in place of a long one", long: true, edits: true, want: two,
			snapshots: []chat.Reply{snap(1, chat.Final, long), snap(2, chat.Working, ""), snap(2, chat.Partial, two[:100]), snap(2, chat.Final, two)}},
		{name: "a long answer in place of a short one", long: true, edits: true, many: true, want: long,
			snapshots: []chat.Reply{snap(1, chat.Final, two), snap(2, chat.Final, long)}},
	}
}

// sentences is text of n sentences, each of which can be told from all others.
func sentences(name string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "Sentence %s-%d. ", name, i)
		if i%7 == 6 {
			b.WriteString("\n\n")
		}
	}
	return strings.TrimSpace(b.String())
}

// sentencesIn lists the sentences of text.
func sentencesIn(text string) []string {
	var all []string
	for _, field := range strings.Split(text, "Sentence ")[1:] {
		name, _, _ := strings.Cut(field, ".")
		all = append(all, name)
	}
	return all
}

// played is a script that has been played.
type played struct {
	*testing.T
	c     ChatUnderTest
	ask   chat.Reply
	point string
}

// check compares what people see with what they should.
func (p *played) check(s script, atLeast bool) {
	p.Helper()
	seen := p.c.Seen(p.ask)
	got, want := sentencesIn(strings.Join(seen, "\n")), sentencesIn(s.want)
	fail := func(format string, args ...any) {
		p.Helper()
		p.Errorf("%s: %s\nseen: %q", p.point, fmt.Sprintf(format, args...), seen)
	}
	if atLeast {
		if !subsequence(want, got) { // a part of a long answer may be there twice
			fail("the answer is not there")
		}
	} else if !slices.Equal(got, want) {
		fail("%d sentences are seen, want %d, each once and in order", len(got), len(want))
	}
	if messages := map[bool]int{true: 1, false: 0}[s.want != ""]; !s.many && !atLeast && len(seen) != messages {
		fail("%d messages are seen, want %d", len(seen), messages)
	}
	if s.many && len(seen) < 2 {
		fail("%d messages are seen, want several", len(seen))
	}
	if p.c.Unfinished(p.ask) {
		fail("it still looks unfinished")
	}
	if b := p.c.Breaches(); len(b) > 0 {
		fail("the platform's rules were broken: %q", b)
	}
}

// subsequence reports whether got holds all of want in its order.
func subsequence(want, got []string) bool {
	for _, s := range got {
		if len(want) > 0 && s == want[0] {
			want = want[1:]
		}
	}
	return len(want) == 0
}

// play delivers the snapshots of s one by one, as a queue does: again after a
// while when they are not settled, and to a new process when the old one died.
func play(t *testing.T, c ChatUnderTest, s script, faults *Faults) *played {
	t.Helper()
	p := &played{T: t, c: c, ask: c.Ask(), point: "no fault"}
	store := newDeliveries()
	handle := func(d pipeline.Delivery) pipeline.Settlement {
		r := &pipeline.Responder{
			Deliveries: faults.Deliveries(store), Posters: map[chat.Platform]pipeline.Poster{p.ask.Conversation.Platform: c.NewPoster(faults)},
			Letters: refuseLetters{t}, Log: quiet(t),
		}
		return r.Handle(t.Context(), []pipeline.Delivery{d})[0]
	}
	for i, snapshot := range s.snapshots {
		if s.lost > 0 && i == s.lost {
			store = newDeliveries()
		}
		reply := p.ask
		reply.Again = s.lost > 0 && i >= s.lost
		reply.Fence, reply.Kind, reply.Markdown, reply.Seq = snapshot.Fence, snapshot.Kind, snapshot.Markdown, i+1
		if reply.Kind == chat.Failed {
			reply.Reason = string(pipeline.ReasonModel)
		}
		body, err := chat.EncodeReply(reply)
		if err != nil {
			t.Fatal(err)
		}
		d := pipeline.Delivery{ID: fmt.Sprint(i), Group: "g", Body: body, SentAt: time.Now()}
		for d.Receives = 1; ; d.Receives++ {
			if d.Receives > 20 {
				t.Fatalf("snapshot %d (%s) is never shown", i, reply.Kind)
			}
			settled := handle(d)
			if died(faults) {
				faults = NewFaults()
				time.Sleep(90 * time.Second) // visibility
				continue
			}
			if settled.Action == pipeline.Ack {
				break
			}
			time.Sleep(settled.After)
		}
		time.Sleep(time.Second)
	}
	return p
}

func died(f *Faults) bool {
	select {
	case <-f.Died():
		return true
	default:
		return false
	}
}
