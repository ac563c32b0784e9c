package slackapi

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"parley/pkg/chat"
	"parley/pkg/markdown"
	"parley/pkg/phrase"
	"parley/pkg/pipeline"
	slackin "parley/pkg/slack"
)

// How an answer is shown: Placement.Mode.
const (
	modeStream = "stream"
	modeEdit   = "edit"
	modePost   = "post"
	modeHook   = "hook"
)

// Poster implements pipeline.Poster. It is safe for concurrent use for different
// answers; snapshots of one answer come one at a time.
type Poster struct{ c *Client }

var _ pipeline.Poster = (*Poster)(nil)

// Capabilities implements pipeline.Poster.
func (p *Poster) Capabilities() pipeline.Capabilities {
	return pipeline.Capabilities{Edit: true, Lookup: true, Stream: true, Whisper: true, Files: true}
}

// Post implements pipeline.Poster.
func (p *Poster) Post(ctx context.Context, r pipeline.PostRequest, j pipeline.Journal) (pipeline.Placement, error) {
	route, err := slackin.ParseRoute(r.Reply.Route)
	if err != nil {
		return r.At, pipeline.Permanent(pipeline.ReasonUnreadable, err)
	}
	a := &answer{c: p.c, r: r.Reply, route: route, j: j, at: r.At, words: phrase.In(r.Reply.Language)}
	a.at.Posts = slices.Clone(a.at.Posts)
	if s := a.at.Stream; s != nil {
		copied := *s
		a.at.Stream = &copied
	}
	switch {
	case r.Reply.Kind == chat.Opened:
		err = a.suggest(ctx)
	case r.Reply.Kind == chat.Attached:
		err = a.attach(ctx)
	case r.Reply.Kind == chat.Rated:
		err = a.rate(ctx)
	case r.Reply.Kind == chat.AtHome:
		err = a.home(ctx)
	case route.ThreadTS == "" && route.User != "": // a slash command
		err = a.hook(ctx)
	case r.Reply.Kind == chat.Notice && route.ResponseURL != "":
		err = a.whisper(ctx, false)
	case r.Reply.Private, a.at.Mode == modeHook && (r.Reply.Kind == chat.Withdrawn || !r.Reply.Kind.Terminal()):
		err = a.confide(ctx)
	default:
		err = a.show(ctx, r.Redelivered)
	}
	return a.at, err
}

// answer is one call of Post at work.
type answer struct {
	c     *Client
	r     chat.Reply
	route slackin.Route
	j     pipeline.Journal
	at    pipeline.Placement
	words phrase.Catalogue
}

func (a *answer) show(ctx context.Context, redelivered bool) error {
	if redelivered && a.streaming() {
		a.at.Stream.Sealed = true
	}
	if err := a.resolve(ctx); err != nil {
		return err
	}
	switch a.r.Kind {
	case chat.Working:
		return a.working(ctx)
	case chat.Partial:
		return a.partial(ctx)
	case chat.Withdrawn:
		return a.withdraw(ctx)
	}
	return a.settle(ctx)
}

// working shows at once that the question was seen: by a sign outside the answer
// where Slack has one, else, or when there is something to say, by a message that
// will become the answer. A message that stands there already becomes it again:
// an apology must not ask for a retry that is under way.
func (a *answer) working(ctx context.Context) error {
	text := a.r.Markdown
	if text == "" && len(a.r.Steps) > 0 {
		if shown, err := a.steps(ctx); shown || err != nil {
			return err
		}
		if len(a.at.Posts) > 0 && !a.mayEdit() {
			return nil
		}
		if text = a.r.Doing(); text != "" {
			text += "…"
		}
	} else if len(a.at.Posts) == 0 && text == "" {
		shown, err := a.sign(ctx)
		if shown {
			a.title(ctx)
		}
		if shown || err != nil {
			return err
		}
	}
	if text == "" {
		text = a.words.Say("working")
	}
	return a.interim(ctx, a.plain(text))
}

// interim makes the first message read p, until there is more to show.
func (a *answer) interim(ctx context.Context, p part) error {
	if a.streaming() {
		if err := a.stop(ctx); err != nil {
			return err
		}
	}
	if a.at.Mode != modePost {
		a.at.Mode = modeEdit
	}
	if len(a.at.Posts) == 0 {
		return a.post(ctx, p)
	}
	if a.at.Posts[0].Hash == p.hash {
		return nil
	}
	return a.update(ctx, 0, p)
}

// partial shows the answer so far, as far as Slack's limits allow.
func (a *answer) partial(ctx context.Context) error {
	parts := a.split(a.body())
	if len(parts) == 0 {
		return nil
	}
	text := parts[0] // what comes after it waits for the end
	settled := len(text)
	if len(parts) == 1 {
		settled = markdown.Settled(text)
	}
	if a.streaming() && a.trusted(text) {
		return a.extend(ctx, text[:settled])
	}
	if a.at.Mode == "" && len(a.at.Posts) == 0 {
		started, err := a.start(ctx, text[:settled])
		if started || err != nil {
			return err
		}
	}
	if a.at.Mode == modePost {
		_, err := a.refreshSign(ctx)
		return err
	}
	if !a.streaming() && !a.mayEdit() {
		return nil
	}
	return a.interim(ctx, a.plain(text))
}

// mayEdit paces the edits that show an answer in the making. Its first message
// is not one.
func (a *answer) mayEdit() bool {
	now := a.c.cfg.Now()
	return a.c.pace.every("edit "+a.r.MessageID, editEvery, now) &&
		(len(a.at.Posts) == 0 || a.c.pace.spend(methodUpdate, editsPerMinute, editsAtOnce, now))
}

// settle shows a terminal snapshot whole.
func (a *answer) settle(ctx context.Context) error {
	want := a.parts()
	if a.streaming() {
		if err := a.finish(ctx, want[0]); err != nil {
			return err
		}
	}
	for i, p := range want {
		if err := a.place(ctx, i, p); err != nil {
			return err
		}
	}
	if err := a.trim(ctx, len(want)); err != nil {
		return err
	}
	a.unsign(ctx)
	return nil
}

// place makes the i-th message read p. One that somebody removed is posted anew,
// and so are those after it, which would stand above it.
func (a *answer) place(ctx context.Context, i int, p part) error {
	if i < len(a.at.Posts) {
		if a.at.Posts[i].Hash == p.hash {
			return nil
		}
		err := a.update(ctx, i, p)
		if !is(err, "message_not_found", "cant_update_message", "edit_window_closed") {
			return err
		}
		if err := a.trim(ctx, i); err != nil {
			return err
		}
	}
	return a.post(ctx, p)
}

// trim deletes the messages of the answer from the n-th on, last first.
func (a *answer) trim(ctx context.Context, n int) error {
	for i := len(a.at.Posts) - 1; i >= n; i-- {
		if err := a.remove(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

// withdraw takes the whole answer away.
func (a *answer) withdraw(ctx context.Context) error {
	if a.streaming() {
		if err := a.stop(ctx); err != nil {
			return err
		}
	}
	if err := a.trim(ctx, 0); err != nil {
		return err
	}
	a.at.Stream, a.at.Mode = nil, ""
	a.unsign(ctx)
	return nil
}

// body is the snapshot's text as it is shown: nothing in it notifies anyone, and
// it begins with something to see.
func (a *answer) body() string {
	return strings.TrimLeft(markdown.Safe(a.r.Markdown), " \t\n")
}

// split cuts text into messages.
func (a *answer) split(text string) []string { return markdown.Split(text, partLimits) }

// landed is how long after its beginning an interrupted call must have taken
// effect, if it ever will: the call's timeout and a margin.
const landed = callTimeout + 2*time.Second

// resolve finds out what became of a call that was interrupted.
func (a *answer) resolve(ctx context.Context) error {
	i := a.at.Intent
	if i == nil {
		return nil
	}
	if i.Method == methodAppend || i.Method == methodStop {
		a.at.Intent = nil
		if a.at.Stream != nil {
			a.at.Stream.Sealed = true
		}
		return nil
	}
	if wait := landed - a.c.cfg.Now().Sub(i.At); wait > 0 {
		return &pipeline.Error{Reason: pipeline.ReasonUnavailable, After: wait,
			Err: fmt.Errorf("%s: its outcome is not known yet", i.Method)}
	}
	if err := a.lookUp(ctx, *i); err != nil {
		return err
	}
	a.at.Intent, a.at.Key = nil, ""
	return nil
}

// intend records a call that must not be repeated blindly.
func (a *answer) intend(ctx context.Context, method string, part int) error {
	a.at.Intent = &pipeline.Intent{Part: part, Method: method, At: a.c.cfg.Now()}
	if err := a.j.Checkpoint(ctx, a.at); err != nil {
		a.at.Intent, a.at.Key = nil, "" // the call is not made
		return err
	}
	return nil
}

// done ends an intent after its call. Only a message whose posting has an unknown
// outcome leaves it open, with the hint to come back once it must have landed.
func (a *answer) done(err error) error {
	creates := slices.Contains([]string{methodPost, methodStart, methodComplete}, a.at.Intent.Method)
	if !unknown(err) || !creates {
		a.at.Intent, a.at.Key = nil, ""
		return err
	}
	e := *pipeline.Classify(err)
	e.After = landed
	return &e
}
