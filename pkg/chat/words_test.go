package chat

import (
	"strings"
	"testing"
)

func TestParseCommand(t *testing.T) {
	for _, c := range []struct {
		kind  Kind
		texts []string
	}{
		{KindReset, []string{"reset", "/reset", "Reset", "RESET!", " reset \n", "重置", "/重置", "／重置", "新会话", "清空对话。", "@Parley reset", "reset @Parley", "＠助手 重置", "*reset*", "“reset”"}},
		{KindHelp, []string{"help", "/help", "Help?", "帮助", "帮助！", "(help)"}},
		{KindStop, []string{"stop", "/stop", "Stop.", "停止", "@a @b stop"}},
		{KindRetry, []string{"retry", "重试", "`retry`"}},
		{KindUsage, []string{"usage", "用量", "/usage"}},
		{KindRemember, []string{"remember this thread", "Remember  this\nthread.", "记住这个讨论"}},
		{KindApprove, []string{"approve", "批准", "Approve!"}},
		{KindReject, []string{"reject", "驳回"}},
		{KindForget, []string{"forget this thread", "忘记这个讨论"}},
		{"", []string{
			"", " ", "?", "/", "@Parley", "resets", "help me", "please stop", "//reset", "re set", "stop stop",
			"how do I reset my password", "停止工作", "remember", "reset/", "ask reset", "re\u200bset",
			strings.Repeat(" ", 300) + "reset",
		}},
	} {
		for _, text := range c.texts {
			kind, ok := ParseCommand(text)
			if kind != c.kind || ok != (c.kind != "") {
				t.Errorf("ParseCommand(%q) = %q, %v, want %q", text, kind, ok, c.kind)
			}
		}
	}
}

// FuzzParseCommand checks that what surrounds a text does not change its meaning.
func FuzzParseCommand(f *testing.F) {
	for word := range words {
		f.Add(word)
	}
	f.Add("what is a reset?")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > longestWord-20 {
			return
		}
		kind, ok := ParseCommand(text)
		if ok != (kind != "") {
			t.Fatalf("ParseCommand(%q) = %q, %v", text, kind, ok)
		}
		if again, _ := ParseCommand(" @Parley " + text + " \n"); again != kind {
			t.Fatalf("%q is %q, and %q after a mention", text, kind, again)
		}
	})
}
