package chat

import (
	"strings"
	"unicode"
)

// words are what a person may say instead of asking. A slash before them is
// optional.
var words = map[string]Kind{
	"reset": KindReset, "重置": KindReset, "新会话": KindReset, "清空对话": KindReset,
	"help": KindHelp, "帮助": KindHelp,
	"stop": KindStop, "停止": KindStop,
	"retry": KindRetry, "重试": KindRetry,
	"usage": KindUsage, "用量": KindUsage,
	"sources": KindPassages, "show sources": KindPassages, "出处": KindPassages, "来源": KindPassages,
	"remember this thread": KindRemember, "记住这个讨论": KindRemember,
	"approve": KindApprove, "批准": KindApprove,
	"reject": KindReject, "驳回": KindReject,
	"forget this thread": KindForget, "忘记这个讨论": KindForget,
}

// longestWord bounds, in bytes, what ParseCommand looks at: a command, a mention
// or two, and some punctuation.
const longestWord = 200

// ParseCommand returns what text tells Parley to do if it is nothing but a
// command. Case, spacing, punctuation and mentions around the words are ignored;
// a sentence that merely contains a command is a question.
func ParseCommand(text string) (Kind, bool) {
	if len(text) > longestWord {
		return "", false
	}
	fields := make([]string, 0, 16) // commands are short: this stays off the heap
	for field := range strings.FieldsSeq(text) {
		fields = append(fields, field)
	}
	for len(fields) > 0 && mention(fields[0]) {
		fields = fields[1:]
	}
	for len(fields) > 0 && mention(fields[len(fields)-1]) {
		fields = fields[:len(fields)-1]
	}
	phrase := strings.TrimFunc(strings.Join(fields, " "), around)
	if bare, ok := strings.CutPrefix(phrase, "/"); ok {
		phrase = bare
	} else {
		phrase = strings.TrimPrefix(phrase, "／") // as a Chinese keyboard types it
	}
	kind, ok := words[strings.ToLower(phrase)]
	return kind, ok
}

func mention(field string) bool {
	return strings.HasPrefix(field, "@") || strings.HasPrefix(field, "＠")
}

// around reports what may surround a command without changing it.
func around(r rune) bool {
	return r != '/' && r != '／' && (unicode.IsSpace(r) || unicode.IsPunct(r) || unicode.IsSymbol(r))
}
