package slackapi

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

// streamLife is how long a stream is used. Slack ends it after five minutes,
// active or not (slackapi/python-slack-sdk#1859); the model is given four.
const streamLife = 240 * time.Second

// shortWait is a wait that a stream may begin with; a longer one is not worth it.
const shortWait = 2 * time.Second

// streamingCodes are Slack's words for a stream that has ended.
var streamingCodes = []string{"message_not_in_streaming_state", "not_in_streaming_state", "stopped_by_user"}

// streaming reports whether the answer may be an open stream.
func (a *answer) streaming() bool {
	return a.at.Stream != nil && !a.at.Stream.Closed && len(a.at.Posts) > 0
}

// trusted reports whether the open stream holds a beginning of text and nothing
// else, and has time left.
func (a *answer) trusted(text string) bool {
	s := a.at.Stream
	return !s.Sealed && s.Fence == a.r.Fence && a.c.cfg.Now().Sub(s.OpenedAt) < streamLife &&
		len(text) >= s.Length && chat.Hash(text[:s.Length]) == s.Hash
}

// start begins a stream with text. started is false where the answer has to be
// shown in another way.
func (a *answer) start(ctx context.Context, text string) (started bool, err error) {
	now := a.c.cfg.Now()
	team, user := or(a.route.UserTeam, a.r.Asker.Team, a.route.Team), or(a.r.Asker.ID, a.route.User)
	switch wait := a.j.NotBefore(methodStart).Sub(now); {
	case strings.TrimSpace(text) == "" && len(a.r.Steps) == 0:
		return true, nil // nothing to show yet
	case team == "" || user == "" || !a.c.streamable(a.route.Channel, now):
		a.at.Mode = modeEdit
		return false, nil
	case wait > shortWait, wait <= 0 && !a.c.pace.allow(methodStart, startsPerMinute, now):
		a.at.Mode = modePost
		return false, nil
	case wait > 0:
		return false, throttled(methodStart, wait)
	}
	options := growth(a.chunks(nil, a.r.Steps, text), text)
	if len(a.r.Steps) > 0 {
		options = append(options, slack.MsgOptionTaskDisplayMode(slack.TaskDisplayModePlan))
	}
	a.at.Key = opening(text)
	if err := a.intend(ctx, methodStart, 0); err != nil {
		return false, err
	}
	e, err := a.c.call(ctx, methodStart, a.j, true, func(ctx context.Context, api *slack.Client) error {
		_, _, err := api.StartStreamContext(ctx, a.route.Channel, append(options, slack.MsgOptionTS(a.route.ThreadTS),
			slack.MsgOptionRecipientTeamID(team), slack.MsgOptionRecipientUserID(user))...)
		return err
	})
	if err := a.done(named(methodStart, e, err)); err != nil {
		return a.notStarted(err)
	}
	a.at.Mode = modeStream
	a.at.Posts = []pipeline.Post{{ID: a.postID(e.TS)}}
	a.at.Stream = &pipeline.Stream{OpenedAt: now, Length: len(text), Hash: chat.Hash(text), Fence: a.r.Fence, Steps: a.r.Steps}
	return true, a.j.Checkpoint(ctx, a.at)
}

// notStarted decides how to go on without a stream.
func (a *answer) notStarted(err error) (started bool, _ error) {
	e := pipeline.Classify(err)
	switch {
	case e.Throttled && e.After > shortWait:
		a.at.Mode = modePost
		return false, nil
	case !permanent(err), e.Reason == pipeline.ReasonConfig && refused(err):
		return false, fmt.Errorf("start stream: %w", err)
	}
	// The channel, the app or the person does not take streams. If they take no
	// messages either, the message will say so.
	a.c.cfg.Log.Info("no stream here", "channel", a.route.Channel, "err", err)
	a.c.noStream(a.route.Channel, a.c.cfg.Now())
	a.at.Mode = modeEdit
	return false, nil
}

// extend appends to the stream what it does not yet hold of text.
func (a *answer) extend(ctx context.Context, text string) error {
	s := a.at.Stream
	now := a.c.cfg.Now()
	rest := text[min(s.Length, len(text)):]
	chunks := a.chunks(s.Steps, a.r.Steps, rest)
	if rest == "" && len(chunks) == 0 || !a.c.mayAppend(a.r.MessageID, now) {
		return nil
	}
	if err := a.ready(methodAppend); err != nil {
		return err
	}
	if err := a.intend(ctx, methodAppend, 0); err != nil {
		return err
	}
	_, err := a.c.call(ctx, methodAppend, a.j, true, func(ctx context.Context, api *slack.Client) error {
		_, _, err := api.AppendStreamContext(ctx, a.route.Channel, tsOf(a.at.Posts[0].ID), growth(chunks, rest)...)
		return err
	})
	s.Sealed = s.Sealed || unknown(err)
	err = a.done(err)
	switch {
	case err == nil:
		if rest != "" {
			s.Length, s.Hash = len(text), chat.Hash(text)
		}
		if len(chunks) > 0 {
			s.Steps = a.r.Steps
		}
		return nil
	case is(err, streamingCodes...):
		s.Closed, a.at.Mode = true, modeEdit
		if is(err, "stopped_by_user") { // no more until the pipeline has heard of it
			a.at.Mode = modePost
		}
		return nil
	case permanent(err):
		s.Sealed = true
	}
	return fmt.Errorf("append to stream: %w", err)
}

// finish ends the stream with the rest of p, or, if there is doubt about what it
// holds, just ends it: p is then shown by an edit.
func (a *answer) finish(ctx context.Context, p part) error {
	s := a.at.Stream
	if !a.trusted(p.text) || (a.r.Kind != chat.Final && a.r.Kind != chat.Stopped) {
		return a.stop(ctx)
	}
	if err := a.ready(methodStop); err != nil {
		return err
	}
	if err := a.intend(ctx, methodStop, 0); err != nil {
		return err
	}
	rest, done := p.text[s.Length:], completed(s.Steps)
	options := append(growth(a.chunks(s.Steps, done, rest), rest), a.metadata(0))
	if len(p.tail) > 0 {
		options = append(options, slack.MsgOptionBlocks(p.tail...))
	}
	_, err := a.c.call(ctx, methodStop, a.j, true, func(ctx context.Context, api *slack.Client) error {
		_, _, err := api.StopStreamContext(ctx, a.route.Channel, tsOf(a.at.Posts[0].ID), options...)
		return err
	})
	s.Sealed = s.Sealed || unknown(err)
	err = a.done(err)
	switch {
	case err == nil:
		s.Closed, s.Length, s.Hash, s.Steps = true, len(p.text), chat.Hash(p.text), done
		a.at.Posts[0].Hash = p.hash
		a.at.Sign = false // Slack takes it away with the stream
		return nil
	case is(err, streamingCodes...), is(err, "message_not_found"):
		s.Closed = true
		return nil
	case permanent(err) && !refused(err): // it does not like what it was to end with
		s.Sealed = true
		return a.stop(ctx)
	}
	return fmt.Errorf("finish stream: %w", err)
}

// stop ends the stream as it is. It may be repeated.
func (a *answer) stop(ctx context.Context) error {
	a.at.Stream.Sealed = true
	_, err := a.c.call(ctx, methodStop, a.j, true, func(ctx context.Context, api *slack.Client) error {
		_, _, err := api.StopStreamContext(ctx, a.route.Channel, tsOf(a.at.Posts[0].ID))
		return err
	})
	if err != nil && !is(err, streamingCodes...) && !is(err, "message_not_found") {
		return fmt.Errorf("stop stream: %w", err)
	}
	a.at.Stream.Closed = true
	return nil
}

// noStreamFor is how long a channel that took no stream is not asked again.
const noStreamFor = time.Hour

func (c *Client) streamable(channel string, now time.Time) bool {
	return !now.Before(c.pace.NotBefore("stream in " + channel))
}

func (c *Client) noStream(channel string, now time.Time) {
	c.pace.Throttle("stream in "+channel, now.Add(noStreamFor))
}

// mayAppend paces the appends of all streams, which share one limit.
func (c *Client) mayAppend(messageID string, now time.Time) bool {
	return c.pace.every("append "+messageID, appendEvery, now) && c.pace.spend(methodAppend, appendsPerMinute, appendsAtOnce, now)
}

// or is the first of its arguments that is not empty.
func or(s ...string) string {
	for _, v := range s {
		if v != "" {
			return v
		}
	}
	return ""
}
