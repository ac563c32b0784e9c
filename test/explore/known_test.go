package explore

import (
	"slices"
	"strings"
	"testing"
)

// known are histories that were once found to go wrong.
var known = []struct {
	name, scenario string
	turns          []turn
}{
	{"a reservation is noted, seems not to be, and is settled by another", "budget", []turn{
		{"1 case.swap", "1 case.swap"}, // the claim
		{"1 case.swap", "1 IS LATE"},
		{"2 replies.settle", "1 case.swap FAILS BUT PERSISTS"},
	}},
	{"a question is edited while it is given up", "edit of poison", []turn{
		{"1 model.delta", "edited m1"},
		{"1 model.delta", "receive control"},
		{"1 model.delta", "1 model.delta"},
		{"1 case.load", "2 case.load"},
		{"1 case.load", "2 case.swap"},
	}},
}

// turn departs from the default schedule, or follows it, the next time that when is
// what it would do.
type turn struct{ when, do string }

// turns takes its turns one after the other, and the default schedule otherwise.
type turns struct{ left []turn }

func (t *turns) choose(from []option) int {
	if len(t.left) == 0 || t.left[0].when != from[0].label() {
		return 0
	}
	do := slices.IndexFunc(from, func(o option) bool { return o.label() == t.left[0].do })
	if do < 0 {
		return 0
	}
	t.left = t.left[1:]
	return do
}

func TestKnownHistories(t *testing.T) {
	for _, h := range known {
		t.Run(h.name, func(t *testing.T) {
			s := &scenarios[slices.IndexFunc(scenarios, func(s scenario) bool { return s.name == h.scenario })]
			c := &turns{h.turns}
			wrong, trace := run(t, s, c, s.faults)
			if len(c.left) > 0 {
				t.Errorf("it never came to %v", c.left[0])
			}
			if wrong != nil || t.Failed() {
				t.Errorf("%s\n%s", strings.Join(wrong, "\n"), strings.Join(trace, "\n"))
			}
		})
	}
}
