package slackapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/slack-go/slack"

	"parley/pkg/pipeline"
	slackin "parley/pkg/slack"
)

// message is what is read of a message in a thread. Fields whose shape may
// surprise stay raw.
type message struct {
	Type      string          `json:"type"`
	Subtype   string          `json:"subtype"`
	User      string          `json:"user"`
	BotID     string          `json:"bot_id"`
	Text      string          `json:"text"`
	TS        string          `json:"ts"`
	ThreadTS  string          `json:"thread_ts"`
	Streaming string          `json:"streaming_state"`
	Team      string          `json:"team"`
	Blocks    json.RawMessage `json:"blocks"`
	Files     json.RawMessage `json:"files"`
	Metadata  json.RawMessage `json:"metadata"`
}

// metadata marks the answer's messages; see answer.metadata.
type metadata struct {
	Type    string `json:"event_type"`
	Payload struct {
		MessageID string `json:"message_id"`
	} `json:"event_payload"`
}

// eventType is the metadata's event_type. It is visible to every app in the
// workspace, so the payload holds ids alone.
const eventType = "parley_answer"

// metadata marks the n-th message of the answer as ours, for lookUp.
func (a *answer) metadata(n int) slack.MsgOption {
	return slack.MsgOptionMetadata(slack.SlackMetadata{EventType: eventType, EventPayload: map[string]any{
		"message_id": a.r.MessageID, "fence": a.r.Fence, "part": n,
	}})
}

// skew is how far Slack's clock may be behind ours.
const skew = 5 * time.Second

// threadPages and pageSize bound how much of a thread is read.
const (
	threadPages = 10
	pageSize    = 200
)

// identity is who the app is in its workspace, and where that is.
type identity struct{ user, bot, url string }

// whoami asks once who the app is.
func (c *Client) whoami(ctx context.Context) (identity, error) {
	c.mu.Lock()
	self := c.self
	c.mu.Unlock()
	if self.user != "" {
		return self, nil
	}
	e, err := c.call(ctx, methodWhoAmI, nil, false, func(ctx context.Context, api *slack.Client) error {
		_, err := api.AuthTestContext(ctx)
		return err
	})
	if err != nil {
		return identity{}, fmt.Errorf("ask who I am: %w", err)
	}
	self = identity{user: e.UserID, bot: e.BotID}
	if u, err := url.Parse(e.URL); err == nil && c.trusts(u) && strings.HasSuffix(e.URL, "/") {
		self.url = e.URL
	}
	c.mu.Lock()
	c.self = self
	c.mu.Unlock()
	return self, nil
}

// lookUp finds the message that an interrupted call may have made and takes it
// over. Not finding one is no error: the call had no effect.
func (a *answer) lookUp(ctx context.Context, i pipeline.Intent) error {
	candidates, err := a.candidates(ctx, i)
	if err != nil {
		if permanent(err) && !refused(err) {
			// The thread cannot be read. Rather a second answer than none.
			a.c.cfg.Log.Warn("look up answer", "err", err)
			if m := a.c.cfg.Metrics; m != nil {
				m.Measure(pipeline.MetricMaybeDuplicate, 1, "platform", "slack")
			}
			return nil
		}
		return fmt.Errorf("look up answer: %w", err)
	}
	for _, m := range candidates {
		before := a.at
		a.adopt(i, m)
		err := a.j.Checkpoint(ctx, a.at)
		if !errors.Is(err, pipeline.ErrClaimed) {
			return err
		}
		a.at = before
	}
	return nil
}

// adopt makes m a message of the answer. What it shows is not known.
func (a *answer) adopt(i pipeline.Intent, m message) {
	a.at.Posts = append(slices.Clone(a.at.Posts), pipeline.Post{ID: a.postID(m.TS)})
	if i.Method == methodStart {
		a.at.Mode = modeStream
		a.at.Stream = &pipeline.Stream{OpenedAt: i.At, Fence: a.r.Fence, Sealed: true}
	}
	a.at.Intent, a.at.Key = nil, ""
}

// candidates are the messages that i may have made, the likeliest first: ours, in
// this thread, made since, marked as this answer's or, as a stream is, not marked
// at all, and not known to belong to another answer.
func (a *answer) candidates(ctx context.Context, i pipeline.Intent) ([]message, error) {
	user, bot := a.route.BotUser, ""
	if user == "" {
		self, err := a.c.whoami(ctx)
		if err != nil {
			return nil, err
		}
		user, bot = self.user, self.bot
	}
	since := i.At.Add(-skew)
	all, err := a.c.thread(ctx, a.j, a.route, slackin.TSOf(since), "")
	if err != nil {
		return nil, err
	}
	var found []message
	score := map[string]int{}
	for _, m := range all {
		ours := m.User == user || bot != "" && m.BotID == bot
		if !ours || m.TS == a.route.ThreadTS || slackin.TimeOf(m.TS).Before(since) || a.holds(m.TS) {
			continue
		}
		if score[m.TS] = a.likeness(m, i); score[m.TS] == 0 {
			continue
		}
		owner, err := a.j.Owner(ctx, a.postID(m.TS))
		if err != nil {
			return nil, err
		}
		if owner == "" || owner == a.r.MessageID {
			found = append(found, m)
		}
	}
	slices.SortStableFunc(found, func(m, n message) int { return score[n.TS] - score[m.TS] })
	return found, nil
}

func (a *answer) holds(ts string) bool {
	return slices.ContainsFunc(a.at.Posts, func(p pipeline.Post) bool { return p.ID == a.postID(ts) })
}

// likeness tells how likely it is that i made m; 0 if it did not.
func (a *answer) likeness(m message, i pipeline.Intent) int {
	var md metadata
	if len(m.Metadata) > 0 && json.Unmarshal(m.Metadata, &md) == nil && md.Type != "" {
		if md.Type == eventType && md.Payload.MessageID == a.r.MessageID {
			return 10
		}
		return 0
	}
	if i.Method != methodStart {
		return 0 // every message but a stream is marked from the start
	}
	like := 0
	if m.Streaming != "" {
		like += 2
	}
	if said := letters(m.Text); said == "" || a.at.Key != "" && strings.HasPrefix(said, a.at.Key) {
		like++
	}
	return like
}

// opening is what a stream is recognised by: its first letters, kept in
// Placement.Key while its start is uncertain.
func opening(text string) string {
	s := letters(text)
	if r := []rune(s); len(r) > 64 {
		s = string(r[:64])
	}
	return s
}

// letters is text without what its markup may have become on the way.
func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, s)
}

// thread reads a thread between two timestamps, exclusive, "" for no bound. The
// root comes with it whatever the bounds. Messages are in no order.
func (c *Client) thread(ctx context.Context, p paces, route slackin.Route, oldest, latest string) ([]message, error) {
	var all []message
	cursor := ""
	for range threadPages {
		e, err := c.call(ctx, methodReplies, p, false, func(ctx context.Context, api *slack.Client) error {
			_, _, _, err := api.GetConversationRepliesContext(ctx, &slack.GetConversationRepliesParameters{
				ChannelID: route.Channel, Timestamp: route.ThreadTS, Cursor: cursor, Limit: pageSize,
				Oldest: oldest, Latest: latest, IncludeAllMetadata: true,
			})
			return err
		})
		if err != nil {
			return nil, err
		}
		all = append(all, e.Messages...)
		if cursor = e.Metadata.NextCursor; cursor == "" {
			break
		}
	}
	return all, nil
}
