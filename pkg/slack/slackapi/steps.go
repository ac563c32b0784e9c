package slackapi

import (
	"context"
	"slices"

	"github.com/slack-go/slack"

	"parley/pkg/chat"
)

// steps shows what is being done for the answer before there is any of it: as tasks
// of a stream, which folds them away above the answer, else in the words of the
// working sign. shown is false where neither is to be had.
//
// Tasks are updated by their id, so that repeating an update changes nothing, and
// are no part of the stream's text. Documented at
// docs.slack.dev/reference/methods/chat.appendStream.
func (a *answer) steps(ctx context.Context) (shown bool, err error) {
	switch {
	case a.streaming() && a.trusted(""):
		return true, a.extend(ctx, "")
	case a.at.Mode == "" && len(a.at.Posts) == 0:
		started, err := a.start(ctx, "")
		if started || err != nil {
			return true, err
		}
	}
	if len(a.at.Posts) > 0 {
		return false, nil
	}
	return a.sign(ctx)
}

// chunks bring a stream that shows the tasks of shown to those of want, and add
// text. Without a change of tasks there are none: text goes by itself then.
func (a *answer) chunks(shown, want []chat.Step, text string) []slack.StreamChunk {
	var chunks []slack.StreamChunk
	done := 0
	for i, s := range want {
		if s.Done {
			done++
		}
		if i < len(shown) && shown[i] == s {
			continue
		}
		task := slack.NewTaskUpdateChunk(s.ID, short(s.Title))
		task.Status = slack.TaskCardStatusInProgress
		if s.Done {
			task.Status = slack.TaskCardStatusComplete
		}
		chunks = append(chunks, task)
	}
	if len(chunks) == 0 {
		return nil
	}
	title := a.words.Say("steps.working")
	switch {
	case done == 1 && len(want) == 1:
		title = a.words.Say("steps.done.1")
	case done == len(want):
		title = a.words.Say("steps.done", done)
	}
	chunks = append([]slack.StreamChunk{slack.NewPlanUpdateChunk(title)}, chunks...)
	if text != "" {
		chunks = append(chunks, slack.NewMarkdownTextChunk(text))
	}
	return chunks
}

// growth is the options that add chunks, or text by itself, to a stream.
func growth(chunks []slack.StreamChunk, text string) []slack.MsgOption {
	switch {
	case len(chunks) > 0:
		return []slack.MsgOption{slack.MsgOptionChunks(chunks...)}
	case text != "":
		return []slack.MsgOption{slack.MsgOptionMarkdownText(text)}
	}
	return nil
}

// completed are the steps that a stream shows, all of them done: one left open
// would be shown as running for ever.
func completed(shown []chat.Step) []chat.Step {
	done := slices.Clone(shown)
	for i := range done {
		done[i].Done = true
	}
	return done
}
