package pipeline

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"parley/pkg/chat"
	"parley/pkg/phrase"
)

// errDeadline is the cause of a generation that took too long.
var errDeadline = errors.New("the answer took longer than its deadline")

// generate runs the model and emits snapshots of what it has said so far. On a
// stop it returns the turn as far as it got, with ErrStopped.
func (a *attempt) generate(ctx context.Context, p Prompt, passages []Passage) (Turn, error) {
	t := Turn{
		TurnKey:  a.turnKey(),
		Author:   a.m.Author,
		Profile:  a.profile.Name,
		Question: a.m.Text,
		Private:  a.private,
		// What was attached is part of the question from now on.
		Attachments: attachedText(p.Attachments),
	}
	ctx, cancel := context.WithTimeoutCause(ctx, a.deadline(), Transient(ReasonModel, errDeadline))
	defer cancel()
	out := newEmitter(ctx, a)
	defer out.close()

	thought := a.thinking(ctx, phrase.In(a.language()).Say("thinking"))
	defer thought()
	text, err := a.collect(ctx, p, &t, func(text string) {
		thought()
		out.update(text)
	})
	t.Answer = a.known.whole(text)
	t.Citations = cited(t.Answer, passages)
	t.AnsweredAt = a.w.now()
	t.Usage = t.Usage.Add(a.known.used)
	if err != nil {
		return t, causeOf(ctx, err)
	}
	if t.Answer == "" {
		return t, Transient(ReasonModel, errors.New("the model answered nothing"))
	}
	if a.known.note != "" {
		t.Answer += "\n\n_" + a.known.note + "_"
	}
	a.measureUsage(t)
	return t, nil
}

// deadline is how long the model may take. A question that has failed before has
// what is left of its time, so that one whose answer never ends does not block its
// conversation for long; a throttle was no fault of the question's.
func (a *attempt) deadline() time.Duration {
	c := a.w.config()
	if a.k.Tries == 0 {
		return c.Generation
	}
	end := a.k.FirstClaim.Add(c.Policy.Age + lastChance)
	return min(c.Generation, max(end.Sub(a.w.now()), lastChance))
}

// lastChance is the least that the model is given for an answer.
const lastChance = 24 * time.Second

// collect reads the model's stream to its end, and has what it says so far shown.
func (a *attempt) collect(ctx context.Context, p Prompt, t *Turn, show func(text string)) (string, error) {
	var b strings.Builder
	size := 0
	for d, err := range a.w.Model.Stream(ctx, p) {
		if err != nil {
			return b.String(), err
		}
		if ctx.Err() != nil {
			return b.String(), context.Cause(ctx)
		}
		if b.Len() == 0 && d.Text != "" {
			measure(a.w.Metrics, MetricFirstToken, ms(a.w.now().Sub(a.began)))
		}
		text, cut := fitting(d.Text, maxAnswer-size)
		b.WriteString(text)
		size += encodedLen(text)
		a.said += EstimateTokens(text)
		if cut {
			d.Stop = StopLength
		}
		if d.Stop == "" {
			show(b.String())
			continue
		}
		t.Usage, t.Model = d.Usage, d.Model
		if d.Stop == StopLength {
			b.WriteString(closing(b.String()) + "\n\n" + phrase.In(a.language()).Say("truncated.mark"))
		}
		return b.String(), nil
	}
	return b.String(), causeOf(ctx, Transient(ReasonModel, errors.New("the model's stream ended without an end")))
}

func (a *attempt) measureUsage(t Turn) {
	measure(a.w.Metrics, MetricInputTokens, float64(t.Usage.Input), "model", t.Model)
	measure(a.w.Metrics, MetricOutputTokens, float64(t.Usage.Output), "model", t.Model)
	measure(a.w.Metrics, MetricCachedTokens, float64(t.Usage.CacheRead), "model", t.Model)
	if cost, ok := a.w.cost(t.Model, t.Usage); ok {
		measure(a.w.Metrics, MetricCost, cost, "model", t.Model)
	}
}

// wish tells the model which language the asker chose, "" for none.
func (a *attempt) wish() string {
	if a.m.Author.Language == "" {
		return ""
	}
	return "\n\nThe person who asks has chosen " + phrase.In(a.m.Author.Language).Say("language.english") +
		" for your answers. Answer in it, unless they ask for another language."
}

// prompt gathers what the model needs: memory, the thread people began, and
// passages.
func (a *attempt) prompt(ctx context.Context) (Prompt, []Passage, error) {
	c := a.w.config()
	marks, err := a.w.Memory.Markers(ctx, a.m.Conversation.Key())
	if err != nil {
		return Prompt{}, nil, Transient(ReasonStore, fmt.Errorf("read markers: %w", err))
	}
	if a.stoppedBy(marks) {
		return Prompt{}, nil, ErrStopped
	}
	turns, err := a.window(ctx, marks)
	if err != nil {
		return Prompt{}, nil, Transient(ReasonStore, fmt.Errorf("read memory: %w", err))
	}
	p := Prompt{
		MessageID: a.m.ID,
		Model:     a.profile.model(a.m.Model),
		System:    a.profile.System + a.wish(),
		Question:  question(a.m),
		MaxTokens: c.MaxTokens,
	}
	for _, t := range turns {
		p.History = append(p.History, Exchange{t.Question, t.Answer, t.Attachments})
	}
	p.Attachments = a.attachments(ctx)
	if a.m.Viewing || a.m.Threaded && len(turns) == 0 {
		p.Context = a.thread(ctx, marks.ResetBefore)
	}
	if a.profile.Retriever != nil {
		a.research(ctx, &p)
	}
	return p, p.Passages, nil
}

// window reads the conversation's memory, after its reset and before the
// question. A thread begins with the turn it hangs under, if that is one.
func (a *attempt) window(ctx context.Context, marks Markers) ([]Turn, error) {
	c := a.w.config()
	key := a.m.Conversation.Key()
	turns, err := a.w.Memory.Recent(ctx, key, Window{
		After: marks.ResetBefore, Before: a.m.SentAt, Turns: c.MemoryTurns, Tokens: c.MemoryTokens + c.FileTokens,
	})
	turns = fit(open(turns, a.m), c.MemoryTokens, c.FileTokens)
	if err != nil || a.m.Parent == nil || len(turns) >= c.MemoryTurns || !marks.ResetBefore.IsZero() {
		return turns, err
	}
	parent := a.m.Parent.Key()
	above, err := a.w.Memory.Markers(ctx, parent)
	if err != nil {
		return nil, err
	}
	if !a.m.ParentTurn.After(above.ResetBefore) {
		return turns, nil
	}
	root, err := a.w.Memory.Recent(ctx, parent, Window{
		After: a.m.ParentTurn.Add(-time.Microsecond), Before: a.m.ParentTurn.Add(time.Microsecond),
		Turns: 1, Tokens: c.MemoryTokens,
	})
	return append(open(root, a.m), turns...), err
}

// thread reads what people said before they brought Parley in, so that
// "summarise this" works; after a reset, only what they said since. Without it the
// question is still answered.
func (a *attempt) thread(ctx context.Context, reset time.Time) string {
	reader := a.w.Readers[a.m.Conversation.Platform]
	if reader == nil {
		return ""
	}
	key := "step.thread"
	if a.m.Viewing {
		key = "step.viewing"
	}
	end := a.step(ctx, phrase.In(a.language()).Say(key))
	said, err := reader.Thread(ctx, a.m, a.w.config().ThreadLimit)
	end("")
	if err != nil {
		a.log.WarnContext(ctx, "read thread", "err", err)
		return ""
	}
	var b strings.Builder
	for _, s := range said {
		forgotten := !reset.IsZero() && !s.SentAt.After(reset)
		if s.Own || forgotten || strings.TrimSpace(s.Text) == "" {
			continue
		}
		name := s.Author.Name
		if name == "" {
			name = s.Author.ID
		}
		fmt.Fprintf(&b, "%s: %s\n", name, s.Text)
	}
	return b.String()
}

// question is the text the model is asked, with what it refers to.
func question(m chat.Message) string {
	if m.Quote == nil || m.Quote.Text == "" {
		return m.Text
	}
	quoted := "> " + strings.ReplaceAll(strings.TrimSpace(m.Quote.Text), "\n", "\n> ")
	return quoted + "\n\n" + m.Text
}

// cited returns the citations whose number the answer names.
func cited(answer string, passages []Passage) []chat.Citation {
	var out []chat.Citation
	for i, p := range passages {
		if !strings.Contains(answer, fmt.Sprintf("[%d]", i+1)) {
			continue
		}
		c := p.Citation
		c.Number = i + 1
		if c.Quote == "" {
			c.Quote = excerpt(p.Text, 300)
		}
		out = append(out, c)
	}
	return out
}

func excerpt(s string, runes int) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > runes {
		return string(r[:runes]) + "…"
	}
	return s
}

// emitter publishes the newest text at the pace people can follow and the
// platforms can bear: the first at once, then once a second, every 2 s after
// 10 s, every 5 s after a minute. It never holds up the model.
type emitter struct {
	a    *attempt
	wake chan struct{}
	stop chan struct{}
	done sync.WaitGroup

	mu   sync.Mutex
	text string // newest; guarded by mu
}

func newEmitter(ctx context.Context, a *attempt) *emitter {
	e := &emitter{a: a, wake: make(chan struct{}, 1), stop: make(chan struct{})}
	e.done.Go(func() { e.loop(ctx) })
	return e
}

// update replaces the text to show.
func (e *emitter) update(text string) {
	e.mu.Lock()
	e.text = text
	e.mu.Unlock()
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// close ends the emitter and waits for a snapshot under way, so that nothing
// follows the terminal one.
func (e *emitter) close() {
	close(e.stop)
	e.done.Wait()
}

func (e *emitter) loop(ctx context.Context) {
	var first time.Time
	for {
		select {
		case <-e.stop:
			return
		case <-ctx.Done():
			return
		case <-e.wake:
		}
		now := e.a.w.now()
		if first.IsZero() {
			first = now
		}
		e.mu.Lock()
		text := e.text
		e.mu.Unlock()
		text = e.a.known.shown(text)
		if strings.TrimSpace(text) != "" && !e.a.private { // what one person sees cannot grow
			r := e.a.snapshot(chat.Partial)
			r.Markdown, r.Steps = text, e.a.steps.all()
			e.a.send(ctx, r)
		}
		select {
		case <-e.stop:
			return
		case <-ctx.Done():
			return
		case <-time.After(pace(now.Sub(first))):
		}
	}
}

// pace is the wait between snapshots of an answer that has been showing for age.
func pace(age time.Duration) time.Duration {
	switch {
	case age < 10*time.Second:
		return time.Second
	case age < time.Minute:
		return 2 * time.Second
	default:
		return 5 * time.Second
	}
}

// fitting returns as much of text as room bytes of JSON hold, cut between runes.
func fitting(text string, room int) (part string, cut bool) {
	if encodedLen(text) <= room {
		return text, false
	}
	for i, r := range text {
		if room -= encodedLen(string(r)); room < 0 {
			return text[:i], true
		}
	}
	return text, false
}

// encodedLen is how many bytes text takes inside a JSON string.
func encodedLen(text string) int {
	n := len(text)
	for _, r := range text {
		switch {
		case r == '"' || r == '\\' || r == '\n' || r == '\r' || r == '\t':
			n++
		case r < 0x20 || r == 0x7f || r == utf8.RuneError: // \u0000; a byte that is no UTF-8 may be it too
			n += 5
		case r == '\u2028' || r == '\u2029':
			n += 3
		}
	}
	return n
}
