package dingapi

import (
	"context"

	"parley/pkg/pipeline"
)

// sign marks the question as being worked on. The record comes first: a mark
// that nobody remembers would stay for ever.
func (w *work) sign(ctx context.Context) error {
	if w.at.Sign || w.route.MsgID == "" || w.route.ConversationID == "" {
		return nil
	}
	w.at.Sign = true
	if err := w.j.Checkpoint(ctx, w.at); err != nil {
		w.at.Sign = false
		return err
	}
	err := w.call(ctx, methodReact, w.emotion(), nil)
	if err != nil && !pipeline.Classify(err).Unknown {
		w.at.Sign = false
	}
	return err
}

// unsign takes the mark away. It is best effort, and metered: the answer is what
// matters, and it is there.
func (w *work) unsign(ctx context.Context) {
	if !w.at.Sign {
		return
	}
	for range 2 {
		err := w.call(ctx, methodUnreact, w.emotion(), nil)
		if err == nil || pipeline.Classify(err).Permanent {
			w.at.Sign = false
			return
		}
		w.c.cfg.Log.Info("recall reaction", "msg_id", w.reply.MessageID, "err", err)
	}
}

// emotion is a text reaction. DingTalk documents neither its ids nor its types;
// these are the ones that clients in production use.
func (w *work) emotion() map[string]any {
	text := "🤔" + w.say("thinking")
	return map[string]any{
		"robotCode": w.route.RobotCode, "openMsgId": w.route.MsgID, "openConversationId": w.route.ConversationID,
		"emotionType": 2, "emotionName": text,
		"textEmotion": map[string]string{"emotionId": "2659900", "emotionName": text, "text": text, "backgroundId": "im_bg_1"},
	}
}
