package demo_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley/pkg/demo"
	"parley/pkg/pipeline"
	"parley/pkg/pipelinetest"
)

func TestModel(t *testing.T) {
	pipelinetest.TestModel(t, func(*testing.T) pipelinetest.ModelUnderTest {
		return pipelinetest.ModelUnderTest{
			Model:    &demo.Model{},
			Answered: "How do I reset my password?",
			Endless:  "demo:slow 9999",
			Fails:    "demo:fail",
		}
	})
}

func ask(t *testing.T, p pipeline.Prompt) string {
	t.Helper()
	text, _, err := pipelinetest.Collect(t.Context(), &demo.Model{}, p)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func history(questions ...string) []pipeline.Exchange {
	var h []pipeline.Exchange
	for _, q := range questions {
		h = append(h, pipeline.Exchange{Question: q, Answer: "ok"})
	}
	return h
}

func passages(texts ...string) []pipeline.Passage {
	var all []pipeline.Passage
	for _, text := range texts {
		all = append(all, pipeline.Passage{Text: text})
	}
	return all
}

func TestAnswers(t *testing.T) {
	refunds := passages(
		"Our office is in Lisbon. Lunch is at noon.",
		"Refunds take 14 days. Refunds need a receipt.",
		"退款需要十四天。请保留收据。",
	)
	for _, test := range []struct {
		name string
		p    pipeline.Prompt
		want []string
		not  []string
	}{
		{"echo", pipeline.Prompt{Question: "Hello  there"}, []string{"“Hello there”", "first turn"}, nil},
		{"echo zh", pipeline.Prompt{Question: "你好呀"}, []string{"您说：“你好呀”", "第一轮"}, []string{"You"}},
		{"counts turns", pipeline.Prompt{Question: "Hello", History: history("a", "b")}, []string{"2 earlier turns"}, nil},
		{"counts turns zh", pipeline.Prompt{Question: "你好", History: history("a")}, []string{"1 轮"}, nil},
		{"is told", pipeline.Prompt{Question: "Hi, my name is Ada."}, []string{"remember: Ada."}, nil},
		{"remembers", pipeline.Prompt{Question: "What is my name?", History: history("my name is Ada, hi", "and?")}, []string{"told me: Ada."}, nil},
		{"newest wins", pipeline.Prompt{Question: "what's my name", History: history("my name is Ada", "call me Countess")}, []string{"Countess"}, []string{"Ada"}},
		{"remembers things", pipeline.Prompt{Question: "What was the code word?", History: history("Remember: the code word is zebra-42.")}, []string{"zebra-42"}, nil},
		{"remembers zh", pipeline.Prompt{Question: "我叫什么？", History: history("我叫小明。")}, []string{"小明"}, nil},
		{"remembers things zh", pipeline.Prompt{Question: "暗号是什么？", History: history("请记住暗号是斑马42。")}, []string{"斑马42"}, nil},
		{"remembers across languages", pipeline.Prompt{Question: "我的名字是什么？", History: history("My name is Ada")}, []string{"Ada"}, nil},
		{"knows no name", pipeline.Prompt{Question: "What is my name?", History: history("hi")}, []string{"not told me", "1 earlier"}, nil},
		{"forgets after reset", pipeline.Prompt{Question: "What is my name?"}, []string{"not told me", "0 earlier"}, nil},
		{"lists", pipeline.Prompt{Question: "What did I ask before?", History: history("one?", "two?")}, []string{"1. one?", "2. two?"}, nil},
		{"lists zh", pipeline.Prompt{Question: "我刚才问了什么？", History: history("一加一？")}, []string{"1. 一加一？"}, nil},
		{"passages", pipeline.Prompt{Question: "How long do refunds take?", Passages: refunds}, []string{"Refunds take 14 days. [2]"}, []string{"[1]", "Lisbon"}},
		{"passages zh", pipeline.Prompt{Question: "退款要多久？", Passages: refunds}, []string{"退款需要十四天。 [3]"}, []string{"[1]", "收据。 [3]"}},
		{"no passage fits", pipeline.Prompt{Question: "Who wrote Hamlet?", Passages: refunds}, []string{"None of the passages"}, []string{"[1]", "[2]"}},
		{"thread", pipeline.Prompt{Question: "when is the deadline?", Context: "Ada: hi\nBob: the deadline is Friday\n"}, []string{"Bob: the deadline is Friday"}, nil},
		{"summary", pipeline.Prompt{Question: "Summarise this", Context: "Ada: ship it\nBob: ship it Friday\nCy: Friday, fine\nDi: lunch\n"}, []string{"Of 4 messages", "- Bob: ship it Friday"}, nil},
		{"summary zh", pipeline.Prompt{Question: "总结一下", Context: "甲：周五发布\n乙：周五发布可以\n"}, []string{"共 2 条", "周五发布"}, nil},
		{"summary of memory", pipeline.Prompt{Question: "please summarize", History: history("ship on Friday", "Friday it is")}, []string{"Of 2 messages", "Friday"}, nil},
		{"picture", pipeline.Prompt{Question: "And this?", Attachments: []pipeline.Attachment{{Name: "cat.png", MIMEType: "image/png", Data: make([]byte, 12)}}}, []string{"cat.png (image/png, 12 bytes)"}, nil},
		{"document", pipeline.Prompt{Question: "What budget?", Attachments: []pipeline.Attachment{{Name: "a.txt", MIMEType: "text/plain", Data: []byte("The budget: 12 EUR\nBye")}}}, []string{"budget: 12 EUR"}, nil},
		{"unknown script", pipeline.Prompt{Question: "demo:dance"}, []string{"demo:throttle", "demo:relapse"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			text := ask(t, test.p)
			for _, want := range test.want {
				if !strings.Contains(text, want) {
					t.Errorf("answer %q lacks %q", text, want)
				}
			}
			for _, not := range test.not {
				if strings.Contains(text, not) {
					t.Errorf("answer %q has %q", text, not)
				}
			}
		})
	}
}

func TestCitesWhatItQuotes(t *testing.T) {
	var cited []int
	p := pipeline.Prompt{Question: "refund days", Passages: passages("x", "Refunds take 14 days.")}
	text, deltas, err := pipelinetest.Collect(t.Context(), &demo.Model{}, p)
	for _, d := range deltas {
		if d.Cite != 0 {
			cited = append(cited, d.Cite)
		}
	}
	if err != nil || len(cited) != 1 || cited[0] != 2 || !strings.HasSuffix(text, "[2]") {
		t.Errorf("got %q citing %v, %v", text, cited, err)
	}
}

func TestIsDeterministic(t *testing.T) {
	p := pipeline.Prompt{
		Question: "refund receipt office lunch", History: history("a", "b"),
		Passages: passages("Our office serves lunch. Refunds need a receipt.", "Lunch at the office. A receipt for the refund."),
	}
	_, first, _ := pipelinetest.Collect(t.Context(), &demo.Model{}, p)
	for range 20 {
		if _, again, _ := pipelinetest.Collect(t.Context(), &demo.Model{}, p); fmt.Sprint(again) != fmt.Sprint(first) {
			t.Fatalf("got %v, then %v", first, again)
		}
	}
}

func TestScriptsOfFailure(t *testing.T) {
	for _, test := range []struct {
		question string
		fails    int // attempts that fail before one is answered, out of 3
		check    func(e *pipeline.Error) bool
	}{
		{"demo:throttle", 3, func(e *pipeline.Error) bool { return e.Throttled && e.After == 2*time.Second }},
		{"please DEMO:Throttle 2, thanks", 2, func(e *pipeline.Error) bool { return e.Throttled }},
		{"demo:flaky", 1, func(e *pipeline.Error) bool { return !e.Permanent && !e.Throttled && e.Reason == pipeline.ReasonModel }},
		{"demo:flaky 2", 2, func(e *pipeline.Error) bool { return !e.Permanent }},
		{"demo:fail", 3, func(e *pipeline.Error) bool { return e.Permanent && e.Reason == pipeline.ReasonModel }},
		{"demo:fail 1", 1, func(e *pipeline.Error) bool { return e.Permanent }},
		{"demo:deny", 3, func(e *pipeline.Error) bool { return e.Permanent && e.Reason == pipeline.ReasonConfig }},
	} {
		t.Run(test.question, func(t *testing.T) {
			m := &demo.Model{}
			ask := func(id string) error {
				_, _, err := pipelinetest.Collect(t.Context(), m, pipeline.Prompt{MessageID: id, Question: test.question})
				return err
			}
			for i := range 3 {
				err := ask("a")
				var e *pipeline.Error
				if want := i < test.fails; want != errors.As(err, &e) || want != (err != nil) || want && !test.check(e) {
					t.Fatalf("attempt %d: %+v", i+1, err)
				}
			}
			if ask("b") == nil {
				t.Error("attempts of one message count for another")
			}
			m.Cure()
			if err := ask("b"); err != nil {
				t.Errorf("cured, got %v", err)
			}
			m.Relapse()
			if ask("c") == nil {
				t.Error("relapsed, and yet it answers")
			}
		})
	}
}

func TestCureByWord(t *testing.T) {
	m := &demo.Model{}
	say := func(question string) error {
		_, _, err := pipelinetest.Collect(t.Context(), m, pipeline.Prompt{MessageID: question, Question: question})
		return err
	}
	for _, step := range []struct {
		say   string
		fails bool
	}{{"demo:fail", true}, {"demo:cure", false}, {"demo:fail", false}, {"demo:relapse", false}, {"demo:fail", true}} {
		if err := say(step.say); (err != nil) != step.fails {
			t.Fatalf("%s: %v", step.say, err)
		}
	}
}

func TestScriptsOfText(t *testing.T) {
	for _, test := range []struct {
		question string
		stop     pipeline.StopReason
		want     []string
	}{
		{"demo:length", pipeline.StopLength, nil},
		{"demo:refuse", pipeline.StopIntervened, []string{"guardrail"}},
		{"demo:refuse 请回答", pipeline.StopIntervened, []string{"护栏"}},
		{"demo:ping", pipeline.StopEnd, []string{"<!channel>", "https://login.example.net"}},
		{"demo:table", pipeline.StopEnd, []string{"|:--|--:|:-:|"}},
		{"demo:code", pipeline.StopEnd, []string{"```go\n", "\n```\n"}},
		{"demo:long", pipeline.StopEnd, []string{"## Section 30\n", "That is all."}},
		{"demo:long 7", pipeline.StopEnd, []string{"## Section 7\n", "fmt.Println(300)"}},
	} {
		text, deltas, err := pipelinetest.Collect(t.Context(), &demo.Model{}, pipeline.Prompt{Question: test.question})
		if err != nil || deltas[len(deltas)-1].Stop != test.stop {
			t.Errorf("%s: %+v, %v", test.question, deltas[len(deltas)-1], err)
		}
		if len(deltas) > 250 {
			t.Errorf("%s: %d deltas take too long at any pace", test.question, len(deltas))
		}
		for _, want := range test.want {
			if !strings.Contains(text, want) {
				t.Errorf("%s: lacks %q", test.question, want)
			}
		}
	}
}

func TestCutBreaksOff(t *testing.T) {
	text, deltas, err := pipelinetest.Collect(t.Context(), &demo.Model{}, pipeline.Prompt{Question: "demo:cut"})
	if err != nil || text == "" || deltas[len(deltas)-1].Stop != "" {
		t.Errorf("got %q, %+v, %v", text, deltas, err)
	}
}

func TestCrashAndPanic(t *testing.T) {
	crashed := 0
	m := &demo.Model{Crash: func() { crashed++ }}
	if _, _, err := pipelinetest.Collect(t.Context(), m, pipeline.Prompt{Question: "demo:crash"}); err != nil || crashed != 1 {
		t.Errorf("crashed %d times, %v", crashed, err)
	}
	defer func() {
		if recover() == nil {
			t.Error("demo:panic did not panic")
		}
	}()
	ask(t, pipeline.Prompt{Question: "demo:panic"})
}

func TestMaxTokensCutsTheAnswer(t *testing.T) {
	_, deltas, err := pipelinetest.Collect(t.Context(), &demo.Model{}, pipeline.Prompt{Question: "demo:long", MaxTokens: 100})
	last := deltas[len(deltas)-1]
	if err != nil || last.Stop != pipeline.StopLength || last.Usage.Output > 100 || last.Usage.Output == 0 {
		t.Errorf("got %+v, %v", last, err)
	}
}

func TestTakesTime(t *testing.T) {
	for _, test := range []struct {
		model    *demo.Model
		question string
		want     time.Duration
		fails    bool
	}{
		{&demo.Model{Pace: 50 * time.Millisecond}, "demo:length", 7 * 50 * time.Millisecond, false},
		{&demo.Model{}, "demo:slow 90", 90 * time.Second, false},
		{&demo.Model{}, "demo:slow", 20 * time.Second, false},
		{&demo.Model{}, "demo:stall", time.Minute, true},
		{&demo.Model{Stall: time.Hour}, "demo:stall", time.Hour, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			_, _, err := pipelinetest.Collect(t.Context(), test.model, pipeline.Prompt{Question: test.question})
			if took := time.Since(start); took != test.want || (err != nil) != test.fails {
				t.Errorf("%s took %v, want %v; %v", test.question, took, test.want, err)
			}
		})
	}
}

func TestStopsAtOnceWhenCancelled(t *testing.T) {
	for _, question := range []string{"demo:slow", "demo:stall"} {
		synctest.Test(t, func(t *testing.T) {
			why := errors.New("stop")
			ctx, cancel := context.WithTimeoutCause(t.Context(), 1500*time.Millisecond, why)
			defer cancel()
			start := time.Now()
			_, _, err := pipelinetest.Collect(ctx, &demo.Model{}, pipeline.Prompt{Question: question})
			if took := time.Since(start); !errors.Is(err, why) || took != 1500*time.Millisecond {
				t.Errorf("%s: %v after %v", question, err, took)
			}
		})
	}
}

// TestEveryScriptIsDocumented holds the package comment, the table people are shown
// and the code together.
func TestEveryScriptIsDocumented(t *testing.T) {
	source, err := os.ReadFile("demo.go")
	if err != nil {
		t.Fatal(err)
	}
	table := ask(t, pipeline.Prompt{Question: "demo:unknown"})
	documented := regexp.MustCompile(`(?m)^//\tdemo:([a-z]+)`).FindAllStringSubmatch(string(source), -1)
	if len(documented) < 10 {
		t.Fatalf("found only %d scripts in the package comment", len(documented))
	}
	for _, d := range documented {
		if !strings.Contains(table, "| demo:"+d[1]+" ") {
			t.Errorf("demo:%s is not in the table people are shown", d[1])
		}
	}
	if rows := strings.Count(table, "\n| demo:"); rows != len(documented) {
		t.Errorf("the table has %d scripts, the package comment %d", rows, len(documented))
	}
}
