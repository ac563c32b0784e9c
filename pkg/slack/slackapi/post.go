package slackapi

import (
	"context"
	"fmt"
	"strings"

	"github.com/slack-go/slack"

	"parley/pkg/pipeline"
)

// Methods of Slack's Web API, the names of paces and intents.
const (
	methodPost      = "chat.postMessage"
	methodEphemeral = "chat.postEphemeral"
	methodUpdate    = "chat.update"
	methodDelete    = "chat.delete"
	methodStart     = "chat.startStream"
	methodAppend    = "chat.appendStream"
	methodStop      = "chat.stopStream"
	methodStatus    = "assistant.threads.setStatus"
	methodPrompts   = "assistant.threads.setSuggestedPrompts"
	methodRename    = "agents.sessions.rename"
	methodHistory   = "conversations.history"
	methodReplies   = "conversations.replies"
	methodWhoAmI    = "auth.test"
	methodFile      = "files.info"
	methodUpload    = "files.getUploadURLExternal"
	methodComplete  = "files.completeUploadExternal"
	methodUnfile    = "files.delete"
	methodPermalink = "chat.getPermalink"
	methodViews     = "views.publish"
	methodHook      = "response_url"
)

// postID names a message of this platform; tsOf is its inverse.
func (a *answer) postID(ts string) string { return a.route.Channel + "/" + ts }

func tsOf(postID string) string { return postID[strings.LastIndexByte(postID, '/')+1:] }

// post adds a message to the answer.
func (a *answer) post(ctx context.Context, p part) error {
	n := len(a.at.Posts)
	if err := a.ready(methodPost); err != nil {
		return err
	}
	if err := a.intend(ctx, methodPost, n); err != nil {
		return err
	}
	send := func(p part) (echo, error) {
		return a.c.call(ctx, methodPost, a.j, true, func(ctx context.Context, api *slack.Client) error {
			options := append(p.options(), a.metadata(n))
			if a.route.ThreadTS != "" {
				options = append(options, slack.MsgOptionTS(a.route.ThreadTS))
			}
			_, _, err := api.PostMessageContext(ctx, a.route.Channel, options...)
			return err
		})
	}
	e, err := send(p)
	if is(err, blockCodes...) && len(p.tail) > 0 {
		e, err = send(p.bare()) // rather without buttons than not at all
	}
	if err := a.done(named(methodPost, e, err)); err != nil {
		return fmt.Errorf("post answer: %w", err)
	}
	a.at.Posts = append(a.at.Posts, pipeline.Post{ID: a.postID(e.TS), Hash: p.hash})
	if e.Message.TS == e.TS && e.Message.ThreadTS == "" && a.route.ThreadTS != "" {
		return a.stray(ctx, n)
	}
	return a.j.Checkpoint(ctx, a.at)
}

// named makes an answer that does not say which message it made one of unknown
// outcome.
func named(method string, e echo, err error) error {
	if err == nil && e.TS == "" {
		err = pipeline.OutcomeUnknown(pipeline.ReasonUnavailable, fmt.Errorf("%s: the answer names no message", method))
	}
	return err
}

// blockCodes are Slack's words for blocks it does not take.
var blockCodes = []string{"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long"}

// stray takes back a message that Slack posted outside its thread, because the
// thread's root, the question itself, was deleted. There is nobody to answer.
func (a *answer) stray(ctx context.Context, n int) error {
	a.c.cfg.Log.Info("the question was deleted; its answer is withdrawn", "channel", a.route.Channel, "thread_ts", a.route.ThreadTS)
	return a.remove(ctx, n)
}

// ready fails if method must not be called yet, before an intent is written.
func (a *answer) ready(method string) error {
	if wait := a.j.NotBefore(method).Sub(a.c.cfg.Now()); wait > 0 {
		return throttled(method, wait)
	}
	return nil
}

// update makes the i-th message read p. It may be repeated.
func (a *answer) update(ctx context.Context, i int, p part) error {
	send := func(p part) error {
		_, err := a.c.call(ctx, methodUpdate, a.j, true, func(ctx context.Context, api *slack.Client) error {
			_, _, _, err := api.UpdateMessageContext(ctx, a.route.Channel, tsOf(a.at.Posts[i].ID), append(p.options(), a.metadata(i))...)
			return err
		})
		return err
	}
	err := send(p)
	if is(err, blockCodes...) && len(p.tail) > 0 {
		err = send(p.bare())
	}
	if err != nil {
		return fmt.Errorf("edit answer: %w", err)
	}
	a.at.Posts[i].Hash = p.hash
	return nil
}

// remove deletes the i-th message. Where that is not allowed it says neutrally
// that nothing is there any more.
func (a *answer) remove(ctx context.Context, i int) error {
	_, err := a.c.call(ctx, methodDelete, a.j, true, func(ctx context.Context, api *slack.Client) error {
		_, _, err := api.DeleteMessageContext(ctx, a.route.Channel, tsOf(a.at.Posts[i].ID))
		return err
	})
	if permanent(err) && !is(err, "message_not_found") && !refused(err) {
		a.c.cfg.Log.Warn("delete message", "err", err)
		err = a.update(ctx, i, a.plain(a.words.Say("withdrawn")))
	}
	if err != nil && !is(err, "message_not_found") {
		return fmt.Errorf("take answer away: %w", err)
	}
	a.at.Posts = append(a.at.Posts[:i], a.at.Posts[i+1:]...)
	return nil
}
