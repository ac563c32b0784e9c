// Package oracle knows what people must end up seeing. Every test that plays
// histories, whatever stores, queues and chat it plays them on, gathers the same
// facts when all is quiet and asks it what is wrong.
package oracle

import (
	"fmt"
	"slices"
	"strings"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

// Fact is what became of one question.
type Fact struct {
	ID         string // of the message
	Case       pipeline.Case
	Turn       pipeline.Turn
	Remembered bool     // there is a Turn
	Visible    []string // the answers that stand for it, each whole
	Letters    int      // its letters among the requests' dead letters
	Unshown    int      // its letters among the replies' dead letters
	// Moved is true where the queue itself gave up: a letter waits, and nobody was
	// told yet.
	Moved bool
	// Gone is true where the case was lost on purpose, by expiry or a restore.
	Gone bool
}

// Judge returns what is wrong with f once nothing is queued and nothing runs: one
// visible answer, that answer the one remembered, or one apology with its letter.
func Judge(f Fact) []string {
	var wrong []string
	complain := func(format string, args ...any) { wrong = append(wrong, f.ID+" "+fmt.Sprintf(format, args...)) }
	if f.Case.State == pipeline.CaseCancelled && f.Case.Reason == "deleted" {
		if len(f.Visible) != 0 {
			complain("was deleted, yet %q stands", f.Visible)
		}
		if f.Remembered {
			complain("was deleted, yet its turn is remembered")
		}
		return wrong
	}
	if f.Moved && len(f.Visible) <= 1 {
		if f.Letters == 0 {
			complain("was given up by the queue, and its letter is lost")
		}
		return wrong
	}
	if len(f.Visible) != 1 {
		if len(f.Visible) > 1 || f.Unshown == 0 {
			complain("has %d visible answers: %q", len(f.Visible), f.Visible)
		}
		return wrong
	}
	if !f.Gone && f.Unshown == 0 {
		f.judgeCase(complain)
	}
	return wrong
}

func (f Fact) judgeCase(complain func(string, ...any)) {
	text := f.Visible[0]
	apologises := strings.Contains(text, chat.Ref(f.ID))
	letter := func() {
		if f.Case.Reason == pipeline.ReasonBudget {
			if f.Letters != 0 {
				complain("was over its budget, and an operator has a letter about it")
			}
		} else if !f.Case.Buried || f.Letters == 0 {
			complain("failed without a letter (%s, buried %v, %d letters)", f.Case.Reason, f.Case.Buried, f.Letters)
		}
	}
	switch f.Case.State {
	case pipeline.CaseAnswered:
		if f.Remembered && !strings.Contains(text, f.Turn.Answer) || apologises {
			complain("shows %q and remembers %q", text, f.Turn.Answer)
		}
		if f.Case.Reason != "" {
			letter()
		}
	case pipeline.CaseDead:
		if !apologises {
			complain("is dead and shows %q", text)
		}
		if f.Remembered {
			complain("is dead, and its answer %q is lost", f.Turn.Answer)
		}
		letter()
	case pipeline.CaseCancelled:
		if f.Remembered {
			complain("was stopped, and its answer %q is lost", f.Turn.Answer)
		}
	default:
		complain("was left %q, showing %q", f.Case.State, text)
	}
}

// Order returns what is wrong with the order in which the answers of one
// conversation stand. asked are its questions as they were asked, shown the
// messages whose answers stand, in reading order.
func Order(asked, shown []string) []string {
	last := -1
	for _, id := range shown {
		i := slices.Index(asked, id)
		if i < 0 {
			continue // Parley's own words
		}
		if i < last {
			return []string{fmt.Sprintf("answers stand in the order %v", shown)}
		}
		last = i
	}
	return nil
}
