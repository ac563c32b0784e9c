package dingapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"parley/pkg/chat"
	"parley/pkg/dingtalk"
	"parley/pkg/pipeline"
)

// Prefixes of Post.ID, which tell how a post was made and so how to recall it.
const (
	byWebhook = "webhook/" // no id of DingTalk's: never recalled
	byGroup   = "group/"   // and a processQueryKey
	byDirect  = "direct/"  // likewise
	byCard    = "card/"    // and an outTrackId, and "/" and a processQueryKey if known
)

// messages posts those of parts that are not shown yet, in order. They are shown
// if the last posts are theirs: what was posted before is an older snapshot.
func (w *work) messages(ctx context.Context, parts []string) error {
	hashes := make([]string, len(parts))
	for i, part := range parts {
		hashes[i] = chat.Hash(strconv.FormatInt(w.reply.Fence, 10), strconv.Itoa(i), part)
	}
	if w.at.Intent != nil && w.at.Intent.Method == intentMessage {
		// Whoever began this post did not live to record it.
		w.c.measure(pipeline.MetricMaybeDuplicate, "platform", string(chat.DingTalk))
		w.at.Intent = nil
	}
	for i := w.shown(hashes); i < len(parts); i++ {
		if err := w.message(ctx, parts[i], hashes[i], i == 0); err != nil {
			return err
		}
	}
	return nil
}

// shown returns how many of the hashes the last posts have.
func (w *work) shown(hashes []string) int {
	for n := min(len(hashes), len(w.at.Posts)); n > 0; n-- {
		last := w.at.Posts[len(w.at.Posts)-n:]
		if slices.EqualFunc(last, hashes[:n], func(p pipeline.Post, h string) bool { return p.Hash == h }) {
			return n
		}
	}
	return 0
}

// intentMessage is Intent.Method of a post that cannot be looked up.
const intentMessage = "message"

// message makes one post. The intent stays in the placement only if the outcome
// is unknown.
func (w *work) message(ctx context.Context, md, hash string, first bool) error {
	w.at.Intent = &pipeline.Intent{Part: len(w.at.Posts), Method: intentMessage, At: w.now()}
	if err := w.j.Checkpoint(ctx, w.at); err != nil {
		w.at.Intent = nil
		return err
	}
	id, err := w.deliver(ctx, md, hash, first)
	if err != nil {
		if !errors.Is(err, pipeline.ErrOutcomeUnknown) {
			w.at.Intent = nil
		}
		return err
	}
	w.at.Intent = nil
	w.at.Posts = append(w.at.Posts, pipeline.Post{ID: id, Hash: hash})
	return nil
}

// deliver posts md by the webhook, else by the OpenAPI, and returns the post's
// id.
func (w *work) deliver(ctx context.Context, md, hash string, first bool) (string, error) {
	text, heading := forMessage(md), title(md)
	pace := byWebhook + w.route.ConversationID
	if !w.hookUsable() || w.j.NotBefore(pace).After(w.now()) {
		return w.open(ctx, heading, text, first)
	}
	hooked, at := text, []string(nil)
	if first && w.route.InGroup() && w.route.SenderStaffID != "" {
		// The mention works only if it is in both places.
		hooked, at = "@"+w.route.SenderStaffID+" \n\n"+text, []string{w.route.SenderStaffID}
	}
	err := w.c.webhook(ctx, w.route.SessionWebhook, heading, hooked, at)
	var no *refusal
	switch {
	case err == nil:
		return byWebhook + chat.Hash(w.reply.MessageID, hash, strconv.Itoa(len(w.at.Posts)))[:32], nil
	case !errors.As(err, &no), errors.Is(err, pipeline.ErrOutcomeUnknown):
		return "", err // refused by nobody: a second way could be a second post
	}
	if e := pipeline.Classify(err); e.Throttled {
		w.j.Throttle(pace, w.now().Add(e.After))
	}
	if !w.reachable() {
		return "", err
	}
	return w.open(ctx, heading, text, first)
}

// hookUsable reports whether the session webhook may still work. It is given up a
// minute early: the call must not outlive it.
func (w *work) hookUsable() bool {
	hook := w.route.SessionWebhook
	if hook == "" || !dingtalk.WebhookAllowed(hook, w.c.trusted) {
		return false
	}
	return w.route.Expires.IsZero() || w.now().Before(w.route.Expires.Add(-time.Minute))
}

// reachable reports whether the OpenAPI can address where the question came from.
func (w *work) reachable() bool {
	if w.route.InGroup() {
		return w.route.ConversationID != ""
	}
	return w.route.SenderStaffID != ""
}

// open posts by the robot's OpenAPI, which mentions nobody: the asker's name is
// said instead.
func (w *work) open(ctx context.Context, heading, text string, first bool) (string, error) {
	if !w.reachable() {
		return "", pipeline.Permanent(pipeline.ReasonChat,
			errors.New("the person is outside the organisation and the session webhook has expired"))
	}
	if first && w.route.InGroup() && w.route.SenderNick != "" {
		text = "@" + inline(w.route.SenderNick) + " \n\n" + text
	}
	param, err := json.Marshal(map[string]string{"title": heading, "text": text})
	if err != nil {
		return "", pipeline.Permanent(pipeline.ReasonChat, fmt.Errorf("encode message: %w", err))
	}
	in := map[string]any{"robotCode": w.route.RobotCode, "msgKey": "sampleMarkdown", "msgParam": string(param)}
	if w.route.InGroup() {
		return w.openGroup(ctx, in)
	}
	return w.openDirect(ctx, in)
}

func (w *work) openGroup(ctx context.Context, in map[string]any) (string, error) {
	in["openConversationId"] = w.route.ConversationID
	var out struct {
		Key string `json:"processQueryKey"`
	}
	if err := w.call(ctx, methodGroupSend, in, &out); err != nil {
		return "", err
	}
	return byGroup + out.Key, nil
}

// openDirect reads the lists of people whom a success did not reach.
func (w *work) openDirect(ctx context.Context, in map[string]any) (string, error) {
	in["userIds"] = []string{w.route.SenderStaffID}
	var out struct {
		Key      string   `json:"processQueryKey"`
		Invalid  []string `json:"invalidStaffIdList"`
		Flow     []string `json:"flowControlledStaffIdList"`
		Filtered []string `json:"filteredStaffIdList"`
	}
	if err := w.call(ctx, methodDirectSend, in, &out); err != nil {
		return "", err
	}
	switch {
	case len(out.Flow) > 0:
		return "", pipeline.Throttled(pipeline.ReasonChat, time.Minute, errors.New("dingtalk held the message back: too many to this person"))
	case len(out.Invalid) > 0 || len(out.Filtered) > 0:
		return "", pipeline.Permanent(pipeline.ReasonChat, errors.New("dingtalk does not deliver to this person"))
	}
	return byDirect + out.Key, nil
}

// recallOlder takes back the posts before the last keep ones, where they can be.
// It is best effort: what stays is an older word on the same question.
func (w *work) recallOlder(ctx context.Context, keep int) {
	older := w.at.Posts[:len(w.at.Posts)-keep]
	kept := slices.DeleteFunc(slices.Clone(older), func(p pipeline.Post) bool {
		err := w.recall(ctx, p.ID)
		if err != nil && !errors.Is(err, errNoRecall) {
			w.c.cfg.Log.Info("recall", "msg_id", w.reply.MessageID, "err", err)
		}
		return err == nil
	})
	w.at.Posts = append(kept, w.at.Posts[len(older):]...)
}

var errNoRecall = errors.New("a post that cannot be recalled")

func (w *work) recall(ctx context.Context, id string) error {
	in := map[string]any{"robotCode": w.route.RobotCode}
	m := methodDirectRecall
	key, is := strings.CutPrefix(id, byDirect)
	if !is {
		if key, is = strings.CutPrefix(id, byGroup); !is {
			return errNoRecall
		}
		m, in["openConversationId"] = methodGroupRecall, w.route.ConversationID
	}
	in["processQueryKeys"] = []string{key}
	var out struct {
		Done []string `json:"successResult"`
	}
	if err := w.call(ctx, m, in, &out); err != nil {
		return err
	}
	if !slices.Contains(out.Done, key) {
		return errors.New("dingtalk did not recall the message")
	}
	return nil
}
