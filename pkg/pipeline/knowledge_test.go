package pipeline

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"parley/pkg/chat"
)

func TestSearchable(t *testing.T) {
	for text, want := range map[string]bool{
		"hi": false, "Hello there!": false, "Thanks a lot 🙏": false, "thank you so much, Parley": false, "ok, great": false, "👍": false, "": false,
		"你好！": false, "谢谢，辛苦了": false, "早上好": false, "help": false, "/parley": false, "demo:slow 3": false, "帮助": false, "Good morning team": false,
		"How many days of leave?": true, "hello, where is the VPN?": true, "thanks. and in Spain?": true, "谢谢，那年假呢？": true, "VPN": true, "年假": true, "你好，报销怎么走？": true,
	} {
		if got := searchable(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// asking is an attempt at a question with a history, and what it searched for.
func asking(question string, rewriter Rewriter, history ...Exchange) (query string, used chat.Usage) {
	a := &attempt{w: &Worker{Rewriter: rewriter}, m: chat.Message{Text: question}, log: slog.New(slog.DiscardHandler)}
	return a.query(context.Background(), history, question), a.known.used
}

func TestFollowUpsStandByThemselves(t *testing.T) {
	leave := Exchange{Question: "How many days of annual leave do I have in Germany?", Answer: "30"}
	for _, c := range []struct {
		question string
		history  []Exchange
		want     string
	}{
		{"and in Spain?", nil, "and in Spain?"},
		{"and in Spain?", []Exchange{leave}, leave.Question + "\nand in Spain?"},
		{"Can I carry them over?", []Exchange{leave}, leave.Question + "\nCan I carry them over?"},
		{"How do I connect to the VPN from home?", []Exchange{leave}, "How do I connect to the VPN from home?"},
		{"why?", []Exchange{leave, {Question: "and in Spain?"}}, leave.Question + "\nand in Spain?\nwhy?"},
		{"那病假呢？", []Exchange{{Question: "员工每年的年假有多少天？"}}, "员工每年的年假有多少天？\n那病假呢？"},
		{"出差的住宿费怎么报销？", []Exchange{{Question: "员工每年的年假有多少天？"}}, "出差的住宿费怎么报销？"},
	} {
		if got, _ := asking(c.question, nil, c.history...); got != c.want {
			t.Errorf("%q: searched for %q, want %q", c.question, got, c.want)
		}
	}
}

type rewriterFunc func(history []Exchange, question string) (string, chat.Usage, error)

func (f rewriterFunc) Rewrite(_ context.Context, h []Exchange, q string) (string, chat.Usage, error) {
	return f(h, q)
}

func TestRewriter(t *testing.T) {
	history := []Exchange{{Question: "How many days of annual leave do I have?"}}
	asked := 0
	r := rewriterFunc(func(_ []Exchange, q string) (string, chat.Usage, error) {
		asked++
		if strings.Contains(q, "fail") {
			return "", chat.Usage{}, errors.New("scripted")
		}
		return "annual leave in Spain", chat.Usage{Input: 7}, nil
	})
	if got, used := asking("and in Spain?", r, history...); got != "annual leave in Spain" || used.Input != 7 {
		t.Errorf("%q, %+v", got, used)
	}
	if got, _ := asking("and if they fail?", r, history...); got != history[0].Question+"\nand if they fail?" {
		t.Errorf("after a failure: %q", got)
	}
	asking("How do I connect to the VPN from home?", r, history...)
	asking("and in Spain?", r)
	if asked != 2 {
		t.Errorf("asked %d times; questions that stand by themselves cost no call", asked)
	}
}
