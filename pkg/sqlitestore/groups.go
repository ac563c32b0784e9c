package sqlitestore

import (
	"cmp"
	"container/heap"
	"slices"
	"time"

	"parley/pkg/pipeline"
)

// entry is a message of a queue as the serving process knows it.
type entry struct {
	id        int64
	group     *group
	receives  int
	firstSeen int64              // of the first receive, in the file's form
	content   *pipeline.Delivery // nil where it must be read from the file
	receipt   string             // of the last receive in this process
	expires   time.Time
	place     int // in the heap of leases, -1 outside it
	held      bool
	gone      bool
}

// maxKept bounds the bytes of message bodies that a queue keeps in memory.
const maxKept = 8 << 20

// group is the line of one conversation.
type group struct {
	name    string
	waiting []*entry // by id
	held    int      // received and not yet given back or deleted
	ready   bool     // in the queue of groups to receive from
}

// groups is the order of a queue in memory: which messages there are, which are
// hidden and until when, and which group comes next. It does no input or output;
// its owner locks it.
type groups struct {
	entries map[int64]*entry
	byName  map[string]*group
	ready   []*group // first come, first served
	leases  leases
	kept    int // bytes of bodies in entries
}

func newGroups() *groups {
	return &groups{entries: make(map[int64]*entry), byName: make(map[string]*group)}
}

// add appends a message; ids only rise.
func (g *groups) add(e *entry, name string) {
	line, ok := g.byName[name]
	if !ok {
		line = &group{name: name}
		g.byName[name] = line
	}
	e.group, e.place = line, -1
	g.entries[e.id] = e
	if e.content != nil {
		if g.kept += len(e.content.Body); g.kept > maxKept {
			g.letGo(e)
		}
	}
	line.waiting = append(line.waiting, e)
	g.settle(line)
}

// take holds up to max messages that may be delivered now, in the order of their
// groups. What it holds has no lease yet: it stays until lease, giveBack or remove.
func (g *groups) take(max int) []*entry {
	var out []*entry
	for len(out) < max && len(g.ready) > 0 {
		line := g.ready[0]
		g.ready[0] = nil
		g.ready = g.ready[1:]
		line.ready = false
		if line.held > 0 || len(line.waiting) == 0 { // changed since it got in line
			continue
		}
		n := min(max-len(out), len(line.waiting))
		for _, e := range line.waiting[:n] {
			e.held = true
			out = append(out, e)
		}
		line.waiting = line.waiting[n:]
		line.held = n
	}
	return out
}

// hold keeps a message from being delivered, whatever becomes of its lease.
func (g *groups) hold(e *entry) {
	if e.place >= 0 {
		heap.Remove(&g.leases, e.place)
	}
	if e.held || e.gone {
		return
	}
	i, _ := slices.BinarySearchFunc(e.group.waiting, e, byID)
	e.group.waiting = slices.Delete(e.group.waiting, i, i+1)
	e.held = true
	e.group.held++
}

// lease lets a held message come back at a time.
func (g *groups) lease(e *entry, until time.Time) {
	if !e.held || e.gone {
		return
	}
	e.expires = until
	if e.place >= 0 {
		heap.Fix(&g.leases, e.place)
		return
	}
	heap.Push(&g.leases, e)
}

// giveBack makes a held message deliverable again, in its old place in the line.
func (g *groups) giveBack(e *entry) {
	if !e.held || e.gone {
		return
	}
	if e.place >= 0 {
		heap.Remove(&g.leases, e.place)
	}
	e.held = false
	line := e.group
	line.held--
	i, _ := slices.BinarySearchFunc(line.waiting, e, byID)
	line.waiting = slices.Insert(line.waiting, i, e)
	g.settle(line)
}

// remove forgets a held message.
func (g *groups) remove(e *entry) {
	if !e.held || e.gone {
		return
	}
	if e.place >= 0 {
		heap.Remove(&g.leases, e.place)
	}
	e.gone = true
	delete(g.entries, e.id)
	g.letGo(e)
	e.group.held--
	g.settle(e.group)
}

// letGo drops a message's content from memory.
func (g *groups) letGo(e *entry) {
	if e.content != nil {
		g.kept -= len(e.content.Body)
		e.content = nil
	}
}

// settle puts a group in line if it can be received from, and forgets an empty one.
func (g *groups) settle(line *group) {
	switch {
	case line.held > 0:
	case len(line.waiting) == 0:
		delete(g.byName, line.name)
	case !line.ready:
		line.ready = true
		g.ready = append(g.ready, line)
	}
}

// expire gives back what ran out of visibility, and returns when the next will;
// ok is false if nothing is leased.
func (g *groups) expire(now time.Time) (next time.Time, ok bool) {
	for len(g.leases) > 0 {
		e := g.leases[0]
		if e.expires.After(now) {
			return e.expires, true
		}
		g.giveBack(e)
	}
	return time.Time{}, false
}

func byID(a, b *entry) int { return cmp.Compare(a.id, b.id) }

// leases is a heap of held messages, the first to come back on top.
type leases []*entry

func (l leases) Len() int           { return len(l) }
func (l leases) Less(i, j int) bool { return l[i].expires.Before(l[j].expires) }
func (l leases) Swap(i, j int) {
	l[i], l[j] = l[j], l[i]
	l[i].place, l[j].place = i, j
}

// Push and Pop are heap.Interface's.
func (l *leases) Push(x any) {
	e := x.(*entry)
	e.place = len(*l)
	*l = append(*l, e)
}

// Pop removes the last element.
func (l *leases) Pop() any {
	old := *l
	e := old[len(old)-1]
	old[len(old)-1] = nil
	e.place = -1
	*l = old[:len(old)-1]
	return e
}
