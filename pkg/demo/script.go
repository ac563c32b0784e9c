package demo

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"parley/pkg/phrase"
	"parley/pkg/pipeline"
)

// scriptWord finds a script in a question. Slack and people put punctuation around
// words; a number may follow after spaces.
var scriptWord = regexp.MustCompile(`(?i)\bdemo:([a-z]+)(?:\s+(\d{1,4})\b)?`)

// plan decides what to do with p.
func (m *Model) plan(p pipeline.Prompt) play {
	found := scriptWord.FindStringSubmatch(p.Question)
	if found == nil {
		return m.says(answer(p)...)
	}
	word := strings.ToLower(found[1])
	n, _ := strconv.Atoi(found[2]) // no number is 0
	if pl, ok := m.textScript(word, n, p); ok {
		return pl
	}
	f, ok := failures[word]
	if !ok {
		return m.says(segment{text: manual(p.Question)})
	}
	if n == 0 {
		n = f.times
	}
	count, fails := m.attempt(p.MessageID, n)
	if !fails {
		text := in(p.Question,
			fmt.Sprintf("This is attempt %d, and demo:%s is over. ", count, word),
			fmt.Sprintf("这是第 %d 次尝试，demo:%s 已结束。", count, word))
		return m.says(append([]segment{{text: text}}, echo(p))...)
	}
	return f.play(m, p)
}

func (m *Model) says(segments ...segment) play {
	return play{segments: segments, pace: m.Pace, stop: pipeline.StopEnd}
}

// textScript plays the scripts that change what is said, not whether it arrives.
func (m *Model) textScript(word string, n int, p pipeline.Prompt) (play, bool) {
	q := p.Question
	switch word {
	case "slow":
		pl := m.says(segment{text: counting(q, orElse(n, 20))})
		pl.pace = time.Second
		return pl, true
	case "long":
		return m.says(segment{text: long(q, orElse(n, 30))}), true
	case "length":
		pl := m.says(segment{text: in(q, "This answer is longer than it may", "这个回答超过了允许的")})
		pl.stop = pipeline.StopLength
		return pl, true
	case "refuse":
		pl := m.says(segment{text: in(q, "The demo guardrail blocked this question.", "演示护栏拦截了这个问题。")})
		pl.stop = pipeline.StopIntervened
		return pl, true
	case "ping":
		return m.says(segment{text: pings}), true
	case "table":
		return m.says(segment{text: table(q, 4)}), true
	case "code":
		return m.says(segment{text: code(q, 0)}), true
	case "cure":
		m.Cure()
		return m.says(segment{text: in(q, "Cured. Scripts of failure are over.", "已治愈，失败脚本不再生效。")}), true
	case "relapse":
		m.Relapse()
		return m.says(segment{text: in(q, "Scripts of failure work again.", "失败脚本重新生效。")}), true
	}
	return play{}, false
}

// failure is a script of failure.
type failure struct {
	times int // how often it fails if the question does not say; 0 is always
	play  func(m *Model, p pipeline.Prompt) play
}

var failures = map[string]failure{
	"throttle": {play: func(*Model, pipeline.Prompt) play {
		return play{err: pipeline.Throttled(pipeline.ReasonThrottled, 2*time.Second, errors.New("demo model: scripted throttling"))}
	}},
	"flaky": {times: 1, play: func(m *Model, p pipeline.Prompt) play {
		pl := m.begins(p)
		pl.err = pipeline.Transient(pipeline.ReasonModel, errors.New("demo model: scripted failure"))
		return pl
	}},
	"fail": {play: func(*Model, pipeline.Prompt) play {
		return play{err: pipeline.Permanent(pipeline.ReasonModel, errors.New("demo model: scripted permanent failure"))}
	}},
	"deny": {play: func(*Model, pipeline.Prompt) play {
		return play{err: pipeline.Permanent(pipeline.ReasonConfig, errors.New("demo model: scripted access denied"))}
	}},
	"stall": {play: func(m *Model, p pipeline.Prompt) play {
		pl := m.begins(p)
		pl.silence = m.Stall
		if pl.silence == 0 {
			pl.silence = time.Minute
		}
		pl.err = pipeline.Transient(pipeline.ReasonModel, fmt.Errorf("demo model: no event for %v", pl.silence))
		return pl
	}},
	"cut": {play: func(m *Model, p pipeline.Prompt) play { return m.begins(p) }},
	"panic": {play: func(*Model, pipeline.Prompt) play {
		return play{act: func() { panic("demo model: scripted panic") }}
	}},
	"crash": {play: func(m *Model, _ pipeline.Prompt) play { return play{act: m.crash} }},
}

// begins is a play that says a few words and has no end yet.
func (m *Model) begins(p pipeline.Prompt) play {
	text := in(p.Question, "I was about to say that", "我正要说")
	return play{segments: []segment{{text: text}}, pace: m.Pace}
}

func orElse(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}

// in chooses the wording in the language of the question.
func in(question, en, zh string) string {
	if phrase.Detect(scriptWord.ReplaceAllString(question, "")) == "zh" {
		return zh
	}
	return en
}
