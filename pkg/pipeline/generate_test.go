package pipeline

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"parley/pkg/chat"
)

// Whatever a model says, its answer fits an envelope.
func FuzzFitting(f *testing.F) {
	f.Add("plain text", 5)
	f.Add("引号\"和\n换行 \u2028 \x01", 10)
	f.Add("\xff\xfe broken", 3)
	f.Fuzz(func(t *testing.T, text string, room int) {
		if room < 0 || room > 1<<16 {
			return
		}
		part, cut := fitting(text, room)
		if !strings.HasPrefix(text, part) || cut == (part == text) && text != "" {
			t.Fatalf("%q of %q, cut %v", part, text, cut)
		}
		if utf8.ValidString(text) && !utf8.ValidString(part) {
			t.Fatalf("a rune was cut: %q", part)
		}
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(part); err != nil {
			t.Fatal(err)
		}
		if n := b.Len() - len("\"\"\n"); n > room {
			t.Fatalf("%q takes %d bytes of %d", part, n, room)
		}
	})
}

func TestLongestAnswerFitsAnEnvelope(t *testing.T) {
	for _, unit := range []string{"a", "\"", "\n", "<", "中", "\u2028", "\x01"} {
		text, _ := fitting(strings.Repeat(unit, 100_000), maxAnswer)
		r := chat.Reply{MessageID: "m", Markdown: text, Route: json.RawMessage(`{"a":"` + strings.Repeat("x", 2000) + `"}`)}
		for i := range 10 {
			r.Citations = append(r.Citations, chat.Citation{Number: i, Title: strings.Repeat("t", 100), Quote: strings.Repeat("中", 300)})
		}
		if _, err := chat.EncodeReply(r); err != nil {
			t.Errorf("an answer of %q: %v", unit, err)
		}
	}
}
