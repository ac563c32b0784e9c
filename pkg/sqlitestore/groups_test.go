package sqlitestore

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestGroupsProperties drives groups with random calls beside a model that is
// nothing but a list, and compares what may be received after each.
func TestGroupsProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &model{g: newGroups(), hidden: map[int64]time.Time{}, pinned: map[int64]bool{}, now: time.Unix(1000, 0)}
		t.Repeat(map[string]func(*rapid.T){
			"add":    m.add,
			"take":   m.take,
			"extend": m.extend,
			"delete": m.delete,
			"hold":   m.hold,
			"unhold": m.unhold,
			"wait":   func(t *rapid.T) { m.now = m.now.Add(time.Duration(rapid.IntRange(1, 5).Draw(t, "s")) * time.Second) },
			"":       m.check,
		})
	})
}

type modelled struct {
	id    int64
	group string
}

// model is all messages in order, until when some are hidden, and which are held
// without a lease.
type model struct {
	g      *groups
	all    []modelled
	hidden map[int64]time.Time
	pinned map[int64]bool
	now    time.Time
	last   int64
}

func (m *model) add(t *rapid.T) {
	m.last++
	group := fmt.Sprint(rapid.IntRange(1, 3).Draw(t, "group"))
	m.all = append(m.all, modelled{m.last, group})
	m.g.add(&entry{id: m.last}, group)
}

// held reports whether a message of the group is hidden.
func (m *model) held(group string) bool {
	return slices.ContainsFunc(m.all, func(x modelled) bool {
		return x.group == group && (m.hidden[x.id].After(m.now) || m.pinned[x.id])
	})
}

func (m *model) take(t *rapid.T) {
	limit := rapid.IntRange(1, 4).Draw(t, "max")
	m.g.expire(m.now)
	free := map[string][]int64{} // per group what may come, in order
	total := 0
	for _, x := range m.all {
		if !m.held(x.group) {
			free[x.group] = append(free[x.group], x.id)
			total++
		}
	}
	got := m.g.take(limit)
	if len(got) != min(limit, total) {
		t.Fatalf("took %d messages, want %d", len(got), min(limit, total))
	}
	for _, e := range got {
		group := e.group.name
		if len(free[group]) == 0 || free[group][0] != e.id {
			t.Fatalf("took %d of group %s, want the first of %v", e.id, group, free[group])
		}
		free[group] = free[group][1:]
	}
	for _, e := range got {
		until := m.now.Add(time.Duration(rapid.IntRange(1, 9).Draw(t, "hidden")) * time.Second)
		m.g.lease(e, until)
		m.hidden[e.id] = until
	}
}

// pick draws a message that is there.
func (m *model) pick(t *rapid.T) *entry {
	if len(m.all) == 0 {
		t.Skip("no messages")
	}
	m.g.expire(m.now)
	return m.g.entries[rapid.SampledFrom(m.all).Draw(t, "message").id]
}

func (m *model) extend(t *rapid.T) {
	e := m.pick(t)
	if !e.held || m.pinned[e.id] {
		t.Skip("not leased")
	}
	if d := rapid.IntRange(0, 9).Draw(t, "hidden"); d == 0 {
		m.g.giveBack(e)
		delete(m.hidden, e.id)
	} else {
		m.hidden[e.id] = m.now.Add(time.Duration(d) * time.Second)
		m.g.lease(e, m.hidden[e.id])
	}
}

func (m *model) delete(t *rapid.T) {
	e := m.pick(t)
	m.g.hold(e)
	m.g.remove(e)
	m.all = slices.DeleteFunc(m.all, func(x modelled) bool { return x.id == e.id })
	delete(m.hidden, e.id)
	delete(m.pinned, e.id)
}

// hold is a deletion that is under way, and unhold its failure.
func (m *model) hold(t *rapid.T) {
	e := m.pick(t)
	m.g.hold(e)
	m.pinned[e.id] = true
	delete(m.hidden, e.id)
}

func (m *model) unhold(t *rapid.T) {
	e := m.pick(t)
	if !m.pinned[e.id] {
		t.Skip("not held")
	}
	m.g.giveBack(e)
	delete(m.pinned, e.id)
}

func (m *model) check(t *rapid.T) {
	if len(m.g.entries) != len(m.all) {
		t.Fatalf("%d messages are known, want %d", len(m.g.entries), len(m.all))
	}
	next, ok := m.g.expire(m.now)
	var want time.Time
	for _, until := range m.hidden {
		if until.After(m.now) && (want.IsZero() || until.Before(want)) {
			want = until
		}
	}
	if ok == want.IsZero() || !next.Equal(want) {
		t.Fatalf("the next lease ends at %v (%v), want %v", next, ok, want)
	}
}
