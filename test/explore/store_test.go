package explore

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

// memory is the stores and queues of a small world, in memory: fast enough to run
// a history in a fraction of a millisecond, and as strict as the contracts.
type memory struct {
	mu         sync.Mutex
	cases      map[string]pipeline.Case
	turns      map[string]pipeline.Turn // by message id: ids are unique here
	marks      map[string]pipeline.Markers
	deliveries map[string]pipeline.Placed
	owners     map[string]string
	quotas     map[string]int64 // by scope and day
}

func newMemory() *memory {
	return &memory{
		cases: map[string]pipeline.Case{}, turns: map[string]pipeline.Turn{}, marks: map[string]pipeline.Markers{},
		deliveries: map[string]pipeline.Placed{}, owners: map[string]string{},
		quotas: map[string]int64{},
	}
}

func (s *memory) Reserve(_ context.Context, scope, day string, amount, limit int64) (int64, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.quotas[scope+day]+amount > limit {
		return s.quotas[scope+day], false, nil
	}
	s.quotas[scope+day] += amount
	return s.quotas[scope+day], true, nil
}

func (s *memory) Settle(_ context.Context, scope, day string, delta int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.quotas[scope+day] += delta
	return nil
}

func (s *memory) LoadCase(_ context.Context, id string) (pipeline.Case, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cases[id], nil
}

func (s *memory) SwapCase(_ context.Context, next pipeline.Case, with pipeline.Effects) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cases[next.MessageID].Rev != next.Rev-1 {
		return pipeline.ErrConflict
	}
	if k := with.UnlessStopped; k != nil && s.marks[k.Conversation].StopBefore.After(k.SentAt) {
		return pipeline.ErrStopped
	}
	s.cases[next.MessageID] = next
	if with.Put != nil {
		s.turns[with.Put.MessageID] = *with.Put
	}
	if with.Drop != nil {
		delete(s.turns, with.Drop.MessageID)
	}
	return nil
}

func (s *memory) Recent(_ context.Context, conversation string, w pipeline.Window) ([]pipeline.Turn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []pipeline.Turn
	for _, t := range s.turns {
		if t.Conversation == conversation && t.SentAt.After(w.After) && t.SentAt.Before(w.Before) {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, func(a, b pipeline.Turn) int { return a.SentAt.Compare(b.SentAt) })
	return out[max(0, len(out)-w.Turns):], nil
}

func (s *memory) Turn(_ context.Context, key pipeline.TurnKey) (pipeline.Turn, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.turns[key.MessageID]
	return t, ok, nil
}

func (s *memory) Markers(_ context.Context, conversation string) (pipeline.Markers, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.marks[conversation], nil
}

func (s *memory) Mark(_ context.Context, conversation string, m pipeline.Markers) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.marks[conversation]
	if m.ResetBefore.After(old.ResetBefore) {
		old.ResetBefore = m.ResetBefore
	}
	if m.StopBefore.After(old.StopBefore) {
		old.StopBefore = m.StopBefore
	}
	s.marks[conversation] = old
	return nil
}

func (s *memory) LoadDelivery(_ context.Context, id string) (pipeline.Placed, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.deliveries[id]
	p.At.Posts = slices.Clone(p.At.Posts)
	return p, nil
}

func (s *memory) SwapDelivery(_ context.Context, next pipeline.Placed) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.deliveries[next.MessageID].Rev != next.Rev-1 {
		return pipeline.ErrConflict
	}
	for _, p := range next.At.Posts {
		if owner := s.owners[p.ID]; owner != "" && owner != next.MessageID {
			return pipeline.ErrClaimed
		}
	}
	for _, p := range next.At.Posts {
		s.owners[p.ID] = next.MessageID
	}
	next.At.Posts = slices.Clone(next.At.Posts)
	s.deliveries[next.MessageID] = next
	return nil
}

func (s *memory) PostOwner(_ context.Context, postID string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.owners[postID], nil
}

// expire removes records, as a lifetime that ran out or a restore would.
func (s *memory) expire(cases, deliveries bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cases {
		clear(s.cases)
	}
	if deliveries {
		clear(s.deliveries)
		clear(s.owners)
	}
}

// clone copies the records, and restore puts a copy in their place.
func (s *memory) clone() *memory {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &memory{
		cases: maps.Clone(s.cases), turns: maps.Clone(s.turns), marks: maps.Clone(s.marks),
		deliveries: maps.Clone(s.deliveries), owners: maps.Clone(s.owners),
		quotas: maps.Clone(s.quotas),
	}
}

func (s *memory) restore(from *memory) {
	c := from.clone()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cases, s.turns, s.marks, s.deliveries, s.owners = c.cases, c.turns, c.marks, c.deliveries, c.owners
}

// queue is a FIFO-per-group queue in memory. The explorer receives from it and
// decides what becomes of each message; only sending goes through the stages.
type queue struct {
	mu      sync.Mutex
	name    string
	receive string // the label of receiving from it
	items   []*item
	dedup   map[string]time.Time
	next    int
}

type item struct {
	d      pipeline.Delivery
	hidden time.Time
	gone   bool
}

func newQueue(name string) *queue {
	return &queue{name: name, receive: "receive " + name, dedup: map[string]time.Time{}}
}

func (q *queue) Send(_ context.Context, e pipeline.Envelope) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	if at, ok := q.dedup[e.DedupID]; ok && now.Sub(at) < 5*time.Minute {
		return nil
	}
	q.dedup[e.DedupID] = now
	q.next++
	id := q.name + "-" + strings.Repeat("i", q.next)
	q.items = append(q.items, &item{d: pipeline.Delivery{ID: id, Group: e.Group, DedupID: e.DedupID, Body: e.Body, Attributes: e.Attributes, SentAt: now}})
	return nil
}

func (q *queue) Extend(_ context.Context, d pipeline.Delivery, hidden time.Duration) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, it := range q.items {
		if it.d.ID == d.ID {
			it.hidden = time.Now().Add(hidden)
		}
	}
	return nil
}

// receivable returns the heads of groups that can be received now.
func (q *queue) receivable() []*item {
	q.mu.Lock()
	defer q.mu.Unlock()
	var heads []*item
	seen := map[string]bool{}
	for _, it := range q.items {
		if it.gone || seen[it.d.Group] {
			continue
		}
		seen[it.d.Group] = true
		if !it.hidden.After(time.Now()) {
			heads = append(heads, it)
		}
	}
	return heads
}

// batch returns what a receive of head brings: for replies up to ten of its group.
func (q *queue) batch(head *item) []*item {
	if q.name != "replies" {
		return []*item{head}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	var out []*item
	for _, it := range q.items {
		if it.d.Group == head.d.Group && !it.gone && !it.hidden.After(time.Now()) && len(out) < 10 {
			out = append(out, it)
		}
	}
	return out
}

// wakes returns how long it takes until a group's head can be received.
func (q *queue) wakes() time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	next := time.Hour
	seen := map[string]bool{}
	for _, it := range q.items {
		if !it.gone && !seen[it.d.Group] {
			next = min(next, max(time.Until(it.hidden), time.Nanosecond))
		}
		seen[it.d.Group] = true
	}
	return next
}

// take hides the message for the given time and counts the receive.
func (q *queue) take(it *item, hidden time.Duration) pipeline.Delivery {
	q.mu.Lock()
	defer q.mu.Unlock()
	it.d.Receives++
	if it.d.FirstSeen.IsZero() {
		it.d.FirstSeen = time.Now()
	}
	it.hidden = time.Now().Add(hidden)
	return it.d
}

func (q *queue) settle(it *item, s pipeline.Settlement) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if s.Action == pipeline.Ack {
		it.gone = true
		q.items = slices.DeleteFunc(q.items, func(i *item) bool { return i == it })
		return
	}
	it.hidden = time.Now().Add(s.After)
}

func (q *queue) empty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.items) == 0
}

// Letters and Remove make the queue a dead-letter queue.
func (q *queue) Letters(context.Context) ([]pipeline.Delivery, bool, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	var out []pipeline.Delivery
	for _, it := range q.items {
		out = append(out, it.d)
	}
	return out, true, nil
}

func (q *queue) Remove(_ context.Context, d pipeline.Delivery) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.items = slices.DeleteFunc(q.items, func(i *item) bool { return i.d.ID == d.ID })
	return nil
}

// board is a chat platform in memory: posts that can be edited and looked up.
type board struct {
	mu    sync.Mutex
	posts []*boardPost
	next  int
}

type boardPost struct {
	id, message, text string // message is the metadata
	at                time.Time
	gone              bool
	shown             []string // every text it has had
}

func (b *board) post(message, text string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.next++
	p := &boardPost{id: strings.Repeat("p", b.next), message: message, text: text, at: time.Now(), shown: []string{text}}
	b.posts = append(b.posts, p)
	return p.id
}

func (b *board) edit(id, text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.posts {
		if p.id == id && !p.gone {
			p.text = text
			p.shown = append(p.shown, text)
		}
	}
}

func (b *board) remove(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.posts {
		if p.id == id {
			p.gone = true
		}
	}
}

func (b *board) find(message string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.posts {
		if p.message == message && !p.gone {
			return p.id
		}
	}
	return ""
}

// visible returns the texts that stand for a message.
func (b *board) visible(message string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []string
	for _, p := range b.posts {
		if p.message == message && !p.gone {
			out = append(out, p.text)
		}
	}
	return out
}

// order returns the messages whose answers stand, in reading order.
func (b *board) order() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []string
	for _, p := range b.posts {
		if !p.gone {
			out = append(out, p.message)
		}
	}
	return out
}

// landed is how long a post that was interrupted may still take effect.
const landed = 10 * time.Second

// poster posts to the board: the least a platform can do that has no streams.
type poster struct {
	call  func(ctx context.Context, name string, do func()) error
	board *board
}

func (p poster) Capabilities() pipeline.Capabilities {
	return pipeline.Capabilities{Edit: true, Lookup: true}
}

func (p poster) Post(ctx context.Context, r pipeline.PostRequest, j pipeline.Journal) (pipeline.Placement, error) {
	at, id, text := r.At, r.Reply.MessageID, string(r.Reply.Kind)+": "+r.Reply.Markdown
	if at.Intent != nil {
		// A post under way may land until its timeout.
		if wait := landed - time.Since(at.Intent.At); wait > 0 {
			return at, &pipeline.Error{Reason: pipeline.ReasonUnavailable, After: wait, Err: errInjected}
		}
	}
	if len(at.Posts) == 0 && at.Intent != nil {
		found := ""
		if err := p.call(ctx, "board.find", func() { found = p.board.find(id) }); err != nil {
			return at, pipeline.Transient(pipeline.ReasonChat, err)
		}
		at.Intent = nil
		if found != "" {
			at.Posts = []pipeline.Post{{ID: found}}
		}
	}
	if r.Reply.Kind == chat.Withdrawn {
		for _, post := range at.Posts {
			if err := p.call(ctx, "board.remove", func() { p.board.remove(post.ID) }); err != nil {
				return at, pipeline.Transient(pipeline.ReasonChat, err)
			}
		}
		at.Posts = nil
		return at, nil
	}
	if len(at.Posts) > 0 {
		err := p.call(ctx, "board.edit", func() { p.board.edit(at.Posts[0].ID, text) })
		if err != nil {
			return at, pipeline.Transient(pipeline.ReasonChat, err)
		}
		return at, nil
	}
	at.Intent = &pipeline.Intent{Method: "post", At: time.Now()}
	if err := j.Checkpoint(ctx, at); err != nil {
		return at, err
	}
	posted := ""
	if err := p.call(ctx, "board.post", func() { posted = p.board.post(id, text) }); err != nil {
		return at, pipeline.OutcomeUnknown(pipeline.ReasonChat, err)
	}
	at.Intent, at.Posts = nil, []pipeline.Post{{ID: posted}}
	return at, j.Checkpoint(ctx, at)
}
