package slackapi

import (
	"context"

	"github.com/slack-go/slack"

	"parley/pkg/chat"
	slackin "parley/pkg/slack"
)

// rate asks a person alone what is wrong with an answer they called bad; once they
// have said so, the question becomes the thanks. A modal would have to be opened
// within three seconds of the press (docs.slack.dev/interactivity), which the way
// through two queues does not promise.
func (a *answer) rate(ctx context.Context) error {
	if a.r.Rating == nil {
		return nil
	}
	return a.whisper(ctx, a.r.Rating.Complaint != "")
}

// complaints are what the person may say: a button for each, and a field for their
// own words. Input blocks work in messages where they dispatch an action
// (docs.slack.dev/reference/block-kit/blocks/input-block).
func (a *answer) complaints() []slack.Block {
	if a.r.Rating.Complaint != "" {
		return nil
	}
	v := slackin.ButtonValue{
		Subject: a.r.Rating.Subject, Fence: a.r.Rating.Fence, Verdict: chat.Down, Conversation: a.r.Conversation,
	}
	var buttons []slack.BlockElement
	for _, complaint := range chat.Complaints {
		v.Complaint = complaint
		if value, err := v.Encode(); err == nil {
			buttons = append(buttons, slack.NewButtonBlockElement(slackin.ActionComplaint+complaint, value, label(a.words.Say("complaint."+complaint))))
		}
	}
	if len(buttons) == 0 {
		return nil
	}
	blocks := []slack.Block{slack.NewActionBlock("", buttons...)}
	if id, err := v.BlockID(); err == nil {
		field := slack.NewPlainTextInputBlockElement(label(a.words.Say("rated.field")), slackin.ActionComment)
		field.DispatchActionConfig = &slack.DispatchActionConfig{TriggerActionsOn: []string{"on_enter_pressed"}}
		blocks = append(blocks, slack.NewInputBlock(id, label(a.words.Say("rated.own")), nil, field).WithDispatchAction(true))
	}
	return blocks
}
