package markdown

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestSafeBreaksEveryMention(t *testing.T) {
	pings := regexp.MustCompile(`(?i)<!(channel|here|everyone|subteam\^)|<[@#][A-Z0-9]|@(channel|here|everyone|all)`)
	for _, in := range []string{
		"<!channel>", "<!here|here>", "<!everyone>", "<!subteam^S012|@team>", "<@U0ANN>", "<#C0ROOM|room>", "@channel", "@Everyone",
		"```\n<!channel>\n```", "`<@W12>`", "<!cha\x00nnel>", "<<!here>", "\\<!here>", "@@all",
		"<@channel",
	} {
		got := Safe(in)
		if pings.MatchString(got) {
			t.Errorf("Safe(%q) = %q still pings", in, got)
		}
		if seen := strings.ReplaceAll(got, joiner, ""); seen != strings.ReplaceAll(in, "\x00", "") {
			t.Errorf("Safe(%q) reads %q", in, seen)
		}
	}
	for _, same := range []string{"<!DOCTYPE html>", "<!-- x -->", "a < b", "ann@example.com", "#include <stdio.h>", "x <- y", "<p>"} {
		if got := Safe(same); got != same {
			t.Errorf("Safe(%q) = %q", same, got)
		}
	}
}

var growing = rapid.OneOf(draft, rapid.Map(rapid.SliceOf(rapid.SampledFrom([]string{
	"<", "!", "channel", ">", "@", "here", "U0ANN", "#C1", " ", "\n", "word", "[text]", "[", "](", "https://x.example", ")", "`", "```", "~~~", "```go\n",
	"| a | b |\n", "|---|---|\n", "|", "👍🏽", "é", "e\u0301", "中文", "!", "\n\n", "- ", "> ", "1. ",
})), func(s []string) string { return strings.Join(s, "") }))

// What was appended at each step of a growing text adds up to the whole text.
func TestSettledAppendsAddUp(t *testing.T) {
	pings := regexp.MustCompile(`(?i)<!(channel|here|everyone)|<[@#][A-Z0-9]|@(channel|here|everyone|all)`)
	rapid.Check(t, func(t *rapid.T) {
		whole := []rune(growing.Draw(t, "whole"))
		whole = whole[:min(len(whole), 500)]
		shown := ""
		for n := range len(whole) + 1 {
			text := Safe(string(whole[:n]))
			if !strings.HasPrefix(text, shown) {
				t.Fatalf("%q was shown, and the text became %q", shown, text)
			}
			settled := max(Settled(text), len(shown))
			if delta := text[len(shown):settled]; shown != "" && (strings.HasPrefix(delta, " ") || strings.HasPrefix(delta, "\n")) {
				t.Fatalf("%q would be appended to %q", delta, shown)
			}
			shown = text[:settled]
			if pings.MatchString(shown) {
				t.Fatalf("%q pings", shown)
			}
		}
	})
}

func TestSettledHoldsBack(t *testing.T) {
	for _, tc := range []struct{ text, shown string }{
		{"Hello wor", "Hello wo"},
		{"Hello ", "Hell"},
		{"A table:\n\n| a | b |\n|---|", "A table:\n\n| a | b |\n"},
		{"See [the man", "See "},
		{"See [the man](https://exa", "See "},
		{"See [1] for", "See [1] fo"},
		{"See [1]", "See "},
		{"Look ![alt](x", "Look "},
		{"Ask <!cha", "Ask "},
		{"Ask @her", "Ask "},
		{"Code:\n\n``", "Code:\n\n"},
		{"Code:\n\n```pyt", "Code:\n\n"},
		{"```py\nx = 1\n``", "```py\nx = 1\n"},
		{"```py\nx = 1\ny", "```py\nx = 1\n"},
		{"x | y and z", "x | y and "},
		{"thumb 👍🏽", "thumb "},
		{"", ""},
		{"x", ""},
	} {
		if got := tc.text[:Settled(tc.text)]; got != tc.shown {
			t.Errorf("of %q shows %q, want %q", tc.text, got, tc.shown)
		}
	}
}

// An answer does not wait for ever for a bracket that nothing closes.
func TestSettledGivesUpHolding(t *testing.T) {
	text := "a [bracket " + strings.Repeat("word ", 300)
	if got := Settled(text); got < len(text)-10 {
		t.Fatalf("shows %d of %d bytes", got, len(text))
	}
}

func TestPlain(t *testing.T) {
	for _, tc := range []struct {
		md   string
		max  int
		want string
	}{
		{"# Title\n\nSome **bold** and [a link](https://x.example) &amp; `code`.", 0, "Title\nSome bold and a link & code."},
		{"- one\n- two\n", 0, "• one\n• two"},
		{"```go\nx := 1\n```", 0, "x := 1"},
		{"| a | b |\n|---|---|\n| 1 | 2 |\n", 0, "a | b\n1 | 2"},
		{"a List<String> and\n\n<p>\nx\n", 0, "a List<String> and\n<p>\nx"},
		{"one two three", 8, "one two…"},
		{"", 5, ""},
	} {
		if got := Plain(tc.md, tc.max); got != tc.want {
			t.Errorf("Plain(%q, %d) = %q, want %q", tc.md, tc.max, got, tc.want)
		}
	}
}
