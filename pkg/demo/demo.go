// Package demo is a model that needs nothing: no account, no network, no clock and
// no chance. It makes Parley run on a laptop and in tests, and it misbehaves on
// request, so that every failure can be seen with one's own eyes.
//
// It is not a language model. Without a script it answers, in the language of the
// question (English or Chinese), from what the prompt holds: facts and questions of
// earlier turns ("my name is Ada" ... "what is my name?"), the thread ("summarise
// this"), the passages, which it quotes and cites as [n], and attached text. Failing
// all that it repeats the question and says how many earlier turns it sees. The same
// prompt always gives the same answer and the same usage.
//
// A question that contains one of these words plays a script instead. Scripts of
// failure take a number: that many attempts at one message fail, and the next is
// answered. Without a number they fail until someone says demo:cure.
//
//	demo:throttle [n]  busy, come back in two seconds
//	demo:flaky [n]     a failure worth another try; n is 1 if left out
//	demo:fail [n]      a failure that no retry cures
//	demo:deny [n]      access denied: an operator must act
//	demo:stall [n]     begins, then says nothing until the watchdog bites
//	demo:cut [n]       begins, then ends without saying that it ended
//	demo:panic [n]     panics
//	demo:crash         kills the process
//	demo:slow [n]      n words, one a second; 20 if left out
//	demo:long [n]      n sections of Markdown with fences and tables; 30 if left out
//	demo:length        an answer that reaches the length limit
//	demo:refuse        an answer replaced by a guardrail
//	demo:ping          tries to notify everybody and to show a foreign link
//	demo:table         a table
//	demo:code          a program in a fence
//	demo:cure          ends all scripts of failure, for this process
//	demo:relapse       takes the cure back
//
// Attempts and cures are kept in memory and die with the process. Any other word
// after "demo:" is answered with this list.
package demo

import (
	"context"
	"iter"
	"os"
	"sync"
	"time"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

// Name is what the model calls itself in the last delta.
const Name = "demo"

// Model answers deterministically. The zero value is ready to use and answers
// without delay. Fields are set before first use; methods are safe for concurrent
// use.
type Model struct {
	// Pace is the delay before each piece of text, a word or so.
	Pace time.Duration
	// Stall is how long demo:stall is silent before it fails; 60 s if zero.
	Stall time.Duration
	// Crash ends the process for demo:crash; os.Exit(3) if nil. If it returns,
	// the stream ends without a stop.
	Crash func()

	mu       sync.Mutex
	cured    bool
	attempts map[string]int // by message id; only of scripts of failure
}

// Cure ends all scripts of failure: from now on such questions are answered.
func (m *Model) Cure() { m.setCured(true) }

// Relapse takes Cure back.
func (m *Model) Relapse() { m.setCured(false) }

func (m *Model) setCured(cured bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cured = cured
}

// attempt counts one more attempt at a scripted failure and reports whether it is
// to fail: until cured, the first n attempts, all of them if n is 0.
func (m *Model) attempt(messageID string, n int) (count int, fails bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.attempts == nil {
		m.attempts = make(map[string]int)
	}
	m.attempts[messageID]++
	count = m.attempts[messageID]
	return count, !m.cured && (n == 0 || count <= n)
}

// segment is text, and the number of the passage that supports it.
type segment struct {
	text string
	cite int
}

// play is what a stream will do: say the segments, then fall silent, then end.
type play struct {
	segments []segment
	pace     time.Duration
	silence  time.Duration
	err      error
	stop     pipeline.StopReason // "" ends the stream as if it broke off
	act      func()              // done last, in place of any end
}

// Stream implements pipeline.Model. The script demo:cut breaks the contract on
// purpose: its stream ends with neither a stop nor an error.
func (m *Model) Stream(ctx context.Context, p pipeline.Prompt) iter.Seq2[pipeline.Delta, error] {
	return func(yield func(pipeline.Delta, error) bool) {
		if ctx.Err() != nil {
			yield(pipeline.Delta{}, context.Cause(ctx))
			return
		}
		perform(ctx, m.plan(p), p, yield)
	}
}

func perform(ctx context.Context, pl play, p pipeline.Prompt, yield func(pipeline.Delta, error) bool) {
	usage := chat.Usage{Input: promptTokens(p)}
	for _, d := range deltas(pl.segments) {
		if p.MaxTokens > 0 && usage.Output+tokens(d.Text) > p.MaxTokens {
			pl = play{stop: pipeline.StopLength}
			break
		}
		usage.Output += tokens(d.Text)
		if err := wait(ctx, pl.pace); err != nil {
			yield(pipeline.Delta{}, err)
			return
		}
		if !yield(d, nil) {
			return
		}
	}
	if err := wait(ctx, pl.silence); err != nil {
		yield(pipeline.Delta{}, err)
		return
	}
	switch {
	case pl.act != nil:
		pl.act()
	case pl.err != nil:
		yield(pipeline.Delta{}, pl.err)
	case pl.stop != "":
		yield(pipeline.Delta{Usage: usage, Model: Name, Stop: pl.stop}, nil)
	}
}

// wait sleeps for d and returns ctx's cause if that ends first.
func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return context.Cause(ctx)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (m *Model) crash() {
	if m.Crash != nil {
		m.Crash()
		return
	}
	os.Exit(3)
}
