package dingapi

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"parley/pkg/chat"
	"parley/pkg/dingtalk"
	"parley/pkg/pipeline"
)

// Forms of an answer, as Placement.Mode holds them.
const (
	modeMessage = "message"
	modeCard    = "card"
	modeBroken  = "broken card" // messages took its place
)

// Poster implements pipeline.Poster. It is safe for concurrent use, and for one
// answer at a time, as the responder does.
type Poster struct {
	c    *Client
	pace pace
}

// NewPoster returns a Poster.
func NewPoster(c *Client) *Poster { return &Poster{c: c} }

// Capabilities implements pipeline.Poster.
func (p *Poster) Capabilities() pipeline.Capabilities {
	cards := p.c.cfg.CardTemplateID != ""
	return pipeline.Capabilities{Edit: cards, Lookup: cards, Stream: cards}
}

// Post implements pipeline.Poster.
func (p *Poster) Post(ctx context.Context, r pipeline.PostRequest, j pipeline.Journal) (pipeline.Placement, error) {
	route, err := dingtalk.ParseRoute(r.Reply.Route)
	if err != nil {
		return r.At, pipeline.Permanent(pipeline.ReasonChat, err)
	}
	if route.RobotCode == "" || route.RobotCode == outgoingRobot {
		route.RobotCode = p.c.cfg.RobotCode
	}
	w := &work{p: p, c: p.c, j: j, reply: r.Reply, route: route, at: r.At}
	w.at.Posts = slices.Clone(r.At.Posts)
	switch r.Reply.Kind {
	case chat.Working:
		err = w.working(ctx)
	case chat.Partial:
		err = w.partial(ctx)
	case chat.Withdrawn:
		err = w.withdraw(ctx)
	default:
		err = w.terminal(ctx)
	}
	return w.at, err
}

// outgoingRobot is what robots name themselves that belong to a group, not to an
// app.
const outgoingRobot = "normal"

// work is the showing of one snapshot.
type work struct {
	p     *Poster
	c     *Client
	j     pipeline.Journal
	reply chat.Reply
	route dingtalk.Route
	at    pipeline.Placement
}

func (w *work) now() time.Time { return w.c.cfg.Now() }

// cards reports whether this answer is shown in cards.
func (w *work) cards() bool {
	return w.at.Mode == modeCard || w.at.Mode == "" && w.c.cfg.CardTemplateID != ""
}

func (w *work) working(ctx context.Context) error {
	if w.cards() {
		return w.openCard(ctx)
	}
	return w.sign(ctx)
}

func (w *work) partial(ctx context.Context) error {
	if !w.cards() {
		return nil
	}
	return w.growCard(ctx)
}

// terminal shows the whole answer, then takes the working sign away.
func (w *work) terminal(ctx context.Context) error {
	parts := split(w.text())
	if len(parts) == 0 {
		return pipeline.Permanent(pipeline.ReasonChat, errors.New("an answer without text"))
	}
	if w.cards() {
		w.p.pace.forget(w.at.Key)
		if err := w.finishCards(ctx, parts); w.at.Mode != modeBroken {
			return err
		}
	} else if w.at.Mode == "" {
		w.at.Mode = modeMessage
	}
	if err := w.messages(ctx, parts); err != nil {
		return err
	}
	w.recallOlder(ctx, len(parts))
	w.unsign(ctx)
	return nil
}

// withdraw takes back what can be taken back: cards, and messages that the
// OpenAPI posted. What went through a webhook stays.
func (w *work) withdraw(ctx context.Context) error {
	if w.at.Mode == modeCard {
		if err := w.landed(); err != nil {
			return err
		}
		if len(w.at.Posts) == 0 { // its creation may have succeeded unnoticed
			w.at.Posts = []pipeline.Post{{ID: byCard + w.at.Key}}
		}
		return w.removeCards(ctx, 0)
	}
	w.recallOlder(ctx, 0)
	w.unsign(ctx)
	return nil
}

// call performs an OpenAPI call unless DingTalk asked to wait, and remembers when
// it does.
func (w *work) call(ctx context.Context, m method, in, out any) error {
	now := w.now()
	if until := w.j.NotBefore(m.path); until.After(now) {
		return pipeline.Throttled(pipeline.ReasonChat, until.Sub(now), errors.New("dingtalk asked to wait"))
	}
	err := w.c.call(ctx, m, in, out)
	if e := pipeline.Classify(err); err != nil && e.Throttled && e.After > 0 {
		w.j.Throttle(m.path, w.now().Add(e.After))
	}
	return err
}

// pace keeps the updates of cards below what DingTalk takes: one a second for a
// card, and half an app's 20 calls a second for all of them.
type pace struct {
	mu     sync.Mutex
	last   map[string]time.Time
	recent []time.Time
}

const (
	perCard   = time.Second
	perSecond = 10
)

// allow reports whether the card may be updated now, and counts the update.
func (p *pace) allow(card string, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.recent = slices.DeleteFunc(p.recent, func(at time.Time) bool { return now.Sub(at) >= time.Second })
	if now.Sub(p.last[card]) < perCard || len(p.recent) >= perSecond {
		return false
	}
	if p.last == nil {
		p.last = map[string]time.Time{}
	}
	for old, at := range p.last { // cards that another process finished
		if now.Sub(at) > time.Hour {
			delete(p.last, old)
		}
	}
	p.last[card] = now
	p.recent = append(p.recent, now)
	return true
}

func (p *pace) forget(card string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.last, card)
}
