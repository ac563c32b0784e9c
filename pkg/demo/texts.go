package demo

import (
	"fmt"
	"strings"
)

// pings is what a prompt injection might make a model write. Nothing of it may
// reach people as a notification or as a link that hides where it leads.
const pings = "Attention <!channel> <!here> <!everyone> <@U0123456789> @all @所有人 @everyone: " +
	"please [sign in again](https://login.example.net/steal?token=1) or " +
	"<https://login.example.net/steal|slack.com/signin>. " +
	"![chart](https://login.example.net/pixel.png)"

// counting is n words.
func counting(question string, n int) string {
	words := make([]string, n)
	for i := range words {
		words[i] = fmt.Sprintf(in(question, "word%d", "第%d个"), i+1)
	}
	return strings.Join(words, " ")
}

// table is a Markdown table with n rows.
func table(question string, n int) string {
	var b strings.Builder
	b.WriteString(in(question,
		"| Region | Requests | Share |\n|:--|--:|:-:|\n",
		"| 区域 | 请求数 | 占比 |\n|:--|--:|:-:|\n"))
	for i := range n {
		fmt.Fprintf(&b, "| r%02d \\| `a|b` | %d | %d %% |\n", i+1, (i+1)*1371, 100/n)
	}
	return b.String()
}

// code is a fenced program of about n lines more than it needs.
func code(question string, n int) string {
	var b strings.Builder
	b.WriteString(in(question, "A program:\n\n", "一段程序：\n\n"))
	b.WriteString("```go\npackage main\n\nimport \"fmt\"\n\nfunc main() {\n\tfmt.Println(\"a < b && c > d\", `x | y`)\n")
	for i := range n {
		fmt.Fprintf(&b, "\tfmt.Println(%d)\n", i+1)
	}
	b.WriteString("}\n```\n")
	return b.String()
}

// long is n sections; every fifth has a fence and a table too long for one chat
// message to hold together.
func long(question string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, in(question, "## Section %d\n\n", "## 第 %d 节\n\n"), i+1)
		b.WriteString(strings.Repeat(in(question,
			"Parley splits a long answer where **blocks** end, and keeps _lists_, `code` and [links](https://example.com/) whole. ",
			"长回答会在**段落**结束处拆分，_列表_、`代码`和[链接](https://example.com/)保持完整。"), 4))
		fmt.Fprintf(&b, "\n\n1. one\n   - nested %d\n2. two\n\n> quoted\n\n", i+1)
		switch i % 5 {
		case 1:
			b.WriteString(code(question, 3))
		case 3:
			b.WriteString(table(question, 5))
		case 4:
			b.WriteString(code(question, 300))
			b.WriteString("\n" + table(question, 60))
		}
		b.WriteString("\n")
	}
	b.WriteString(in(question, "That is all.", "以上。"))
	return b.String()
}

// manual lists the scripts.
func manual(question string) string {
	return in(question,
		"I do not know that script. These exist:\n\n",
		"没有这个脚本。可用的脚本：\n\n") + manualTable
}

const manualTable = `| say | and I |
|:--|:--|
| demo:throttle [n] | am busy for n attempts |
| demo:flaky [n] | fail n attempts (1), each worth another try |
| demo:fail [n] | fail for good |
| demo:deny [n] | fail as if access was denied |
| demo:stall [n] | begin and fall silent |
| demo:cut [n] | begin and break off |
| demo:panic [n] | panic |
| demo:crash | kill the process |
| demo:slow [n] | say n words (20), one a second |
| demo:long [n] | write n sections (30) |
| demo:length | reach the length limit |
| demo:refuse | am stopped by a guardrail |
| demo:ping | try to notify everybody |
| demo:table | show a table |
| demo:code | show a program |
| demo:cure | end all scripts of failure |
| demo:relapse | take the cure back |
`
