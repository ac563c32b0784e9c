package pipeline

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"parley/pkg/chat"
)

// Responder makes what people see equal to the newest snapshot of each answer.
// Snapshots that are not terminal are best effort: acknowledged whatever happens
// to them. A terminal snapshot is retried until it is shown or, after MaxAge, put
// into the dead letters, from where it can be shown without a model call. It is
// safe for concurrent use.
type Responder struct {
	Deliveries Deliveries
	Posters    map[chat.Platform]Poster
	Letters    Outbox // the replies queue's dead letters
	Metrics    Metrics
	Log        *slog.Logger
	Now        func() time.Time // nil: time.Now
	Backoff    []time.Duration  // nil: DefaultPolicy's
	MaxAge     time.Duration    // 0: 30 minutes
	Version    string

	paces paces
}

// newest is the one snapshot of an answer in a batch that counts.
type newest struct {
	reply chat.Reply
	index int // in the batch
}

// Handle settles a batch of snapshots. It is a Handler. Conversations are served
// side by side, the answers of one conversation in order: once a terminal
// snapshot has to wait, so does everything behind it.
func (r *Responder) Handle(ctx context.Context, batch []Delivery) []Settlement {
	settled := make([]Settlement, len(batch))
	groups := map[string][]int{}
	for i, d := range batch {
		groups[d.Group] = append(groups[d.Group], i)
	}
	var all sync.WaitGroup
	for _, indexes := range groups {
		all.Go(func() { r.group(ctx, batch, indexes, settled) })
	}
	all.Wait()
	return settled
}

// group serves the snapshots of one conversation: of each answer the newest, in the
// place of the first, so that a question that was tried again behind others does not
// have its first post below theirs.
func (r *Responder) group(ctx context.Context, batch []Delivery, indexes []int, settled []Settlement) {
	first := map[int]string{} // index to message
	latest := map[string]newest{}
	for _, i := range indexes {
		reply, err := chat.DecodeReply(batch[i].Body)
		if err != nil {
			settled[i] = r.bury(ctx, batch[i], reply, Permanent(ReasonUnreadable, err))
			continue
		}
		n, ok := latest[reply.MessageID]
		if !ok {
			first[i] = reply.MessageID
		}
		if !ok || n.reply.Order().Before(reply.Order()) {
			latest[reply.MessageID] = newest{reply, i}
		}
	}
	for at, i := range indexes {
		waits := settled[i]
		if id, ok := first[i]; ok {
			n := latest[id]
			waits = r.serve(ctx, batch[n.index], n.reply)
			settled[n.index] = waits
		}
		if waits.Action == Retry {
			for _, later := range indexes[at:] {
				if settled[later].Action == Ack {
					settled[later] = waits
				}
			}
			return
		}
	}
}

// serve shows one snapshot and settles its delivery.
func (r *Responder) serve(ctx context.Context, d Delivery, reply chat.Reply) Settlement {
	log := r.Log.With("msg_id", reply.MessageID, "kind", reply.Kind, "fence", reply.Fence, "seq", reply.Seq, "attempt", d.Receives)
	err := r.show(ctx, d, reply)
	switch {
	case err == nil:
		return Settlement{}
	case !reply.Kind.Terminal():
		log.InfoContext(ctx, "snapshot dropped", "err", err)
		return Settlement{}
	}
	now := clock(r.Now)
	e := Classify(err)
	// However long it has waited in the queue, it is tried a few times.
	tooOld := now.Sub(d.SentAt) > r.maxAge() && d.Receives > leastShown
	if reply.Kind == chat.AtHome && (e.Permanent || tooOld) {
		// Nobody waits for it: the next opening makes the page anew.
		log.ErrorContext(ctx, "home dropped", "reason", e.Reason, "err", err)
		return Settlement{}
	}
	if e.Permanent || tooOld {
		log.ErrorContext(ctx, "could not be shown", "reason", e.Reason, "err", err)
		return r.bury(ctx, d, reply, err)
	}
	p := Policy{Backoff: r.Backoff}
	if len(p.Backoff) == 0 {
		p = DefaultPolicy()
	}
	after := jitter(p.wait(d.Receives-1), d.spread())
	if e.After > 0 {
		after = e.After
	}
	log.WarnContext(ctx, "will be shown later", "after", after, "err", err)
	return Settlement{Action: Retry, After: after}
}

// show makes what the person sees equal to reply, and records it.
func (r *Responder) show(ctx context.Context, d Delivery, reply chat.Reply) (err error) {
	defer func() {
		if p := recover(); p != nil {
			r.Log.ErrorContext(ctx, "panic", "value", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = Transient(ReasonCrash, errors.New("panic while posting"))
		}
	}()
	poster, ok := r.Posters[reply.Conversation.Platform]
	if !ok {
		return Permanent(ReasonConfig, fmt.Errorf("no credentials for platform %q", reply.Conversation.Platform))
	}
	if reply.Kind == chat.Attached && !poster.Capabilities().Files {
		return nil
	}
	if reply.Kind == chat.Rated && !poster.Capabilities().Whisper {
		return nil // the place of the press itself tells what became of it
	}
	j := &journal{r: r, platform: reply.Conversation.Platform, tenant: reply.Conversation.Tenant}
	if err := j.load(ctx, reply.MessageID); err != nil {
		return err
	}
	if !j.placed.Order.Before(reply.Order()) {
		measure(r.Metrics, MetricDuplicates, 1, "platform", string(reply.Conversation.Platform))
		return nil // this or a newer snapshot is shown already
	}
	if j.placed.Rev == 0 && reply.Again {
		// The record is gone, the post may not be: have it looked up.
		j.placed.At.Intent = &Intent{Method: "replay", At: reply.AskedAt}
	}
	at, postErr := poster.Post(ctx, PostRequest{Reply: reply, At: j.placed.At, Redelivered: d.Receives > 1}, j)
	j.placed.At = at
	if postErr == nil {
		j.placed.Order, j.placed.Kind = reply.Order(), reply.Kind
		r.firstVisible(reply)
	}
	if err := j.save(context.WithoutCancel(ctx)); err != nil {
		return errors.Join(postErr, err)
	}
	return postErr
}

func (r *Responder) firstVisible(reply chat.Reply) {
	if reply.Kind == chat.Partial && reply.Seq <= 2 {
		measure(r.Metrics, MetricFirstVisible, ms(clock(r.Now).Sub(reply.AskedAt)), "platform", string(reply.Conversation.Platform))
	}
}

// bury puts a snapshot that cannot be shown into the dead letters. If that fails
// too, the delivery stays.
func (r *Responder) bury(ctx context.Context, d Delivery, reply chat.Reply, cause error) Settlement {
	e := Classify(cause)
	err := r.Letters.Send(context.WithoutCancel(ctx), Envelope{
		Group:   d.Group,
		DedupID: chat.Hash(d.DedupID, "letter", strconv.FormatInt(d.SentAt.UnixNano(), 10)),
		Body:    d.Body,
		Attributes: map[string]string{
			AttrReason: string(e.Reason), AttrError: detail(cause), AttrStage: StageResponder,
			AttrAttempts: strconv.Itoa(d.Receives), AttrFirstSeen: stamp(d.FirstSeen), AttrLastTried: stamp(clock(r.Now)),
			AttrPlatform: string(reply.Conversation.Platform), AttrConversation: d.Group,
			AttrVersion: r.Version, AttrTold: "false",
		},
	})
	if err != nil {
		r.Log.ErrorContext(ctx, "bury", "err", err)
		return Settlement{Action: Retry, After: time.Minute}
	}
	measure(r.Metrics, MetricDeadLetters, 1, "reason", string(e.Reason))
	return Settlement{}
}

// leastShown is how often a terminal snapshot is tried whatever its age.
const leastShown = 3

func (r *Responder) maxAge() time.Duration {
	if r.MaxAge > 0 {
		return r.MaxAge
	}
	return 30 * time.Minute
}

// journal is the delivery record of one answer while a Poster works on it.
type journal struct {
	r        *Responder
	platform chat.Platform
	tenant   string
	placed   Placed
}

func (j *journal) load(ctx context.Context, id string) error {
	placed, err := j.r.Deliveries.LoadDelivery(ctx, id)
	if err != nil {
		return Transient(ReasonStore, fmt.Errorf("load delivery: %w", err))
	}
	placed.MessageID = id
	j.placed = placed
	return nil
}

// save writes the record. A write of unknown outcome is read back.
func (j *journal) save(ctx context.Context) error {
	next := j.placed
	next.Rev++
	next.Nonce = rand.Text()
	next.UpdatedAt = clock(j.r.Now)
	err := j.r.Deliveries.SwapDelivery(ctx, next)
	if err != nil && !errors.Is(err, ErrConflict) && !errors.Is(err, ErrClaimed) {
		if stored, loadErr := j.r.Deliveries.LoadDelivery(ctx, next.MessageID); loadErr == nil && stored.Nonce == next.Nonce {
			err = nil
		}
	}
	if err != nil {
		return Transient(ReasonStore, fmt.Errorf("record delivery: %w", err))
	}
	j.placed = next
	return nil
}

// Checkpoint implements Journal.
func (j *journal) Checkpoint(ctx context.Context, at Placement) error {
	j.placed.At = at
	return j.save(ctx)
}

// Owner implements Journal.
func (j *journal) Owner(ctx context.Context, postID string) (string, error) {
	id, err := j.r.Deliveries.PostOwner(ctx, postID)
	if err != nil {
		return "", Transient(ReasonStore, fmt.Errorf("look up post owner: %w", err))
	}
	return id, nil
}

// NotBefore implements Journal.
func (j *journal) NotBefore(method string) time.Time {
	return j.r.paces.get(j.key(method))
}

// Throttle implements Journal.
func (j *journal) Throttle(method string, until time.Time) {
	measure(j.r.Metrics, MetricThrottled, 1, "what", method)
	j.r.paces.set(j.key(method), until)
}

func (j *journal) key(method string) string {
	return string(j.platform) + "/" + j.tenant + "/" + method
}

// paces remembers, for one process, when each method of each installation may be
// called again. A process that does not know yet learns it from its own first
// refusal.
type paces struct {
	mu    sync.Mutex
	until map[string]time.Time
}

func (p *paces) get(key string) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.until[key]
}

func (p *paces) set(key string, until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.until == nil {
		p.until = map[string]time.Time{}
	}
	if until.After(p.until[key]) {
		p.until[key] = until
	}
}
