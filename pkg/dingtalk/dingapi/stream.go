package dingapi

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"parley/pkg/chat"
	"parley/pkg/dingtalk"
	"parley/pkg/pipeline"
)

// varStatus is the variable that sets the state of templates which do not follow
// the stream.
const varStatus = "flowStatus"

// state is what a card is to look like.
type state struct {
	name string
	flow string // its value of varStatus
}

var (
	stateOpen   = state{"open", "2"}
	stateFinal  = state{"final", "3"}
	stateFailed = state{"failed", "5"}
)

// stream makes the content of a part's card equal to text. The guid is the same whenever
// the same update is made again, so that it counts once. After an update of
// unknown outcome the placement says so: it might yet land on a later one.
func (w *work) stream(ctx context.Context, part int, text string, s state) error {
	card := outTrackID(w.reply.MessageID, part)
	var out struct {
		Success *bool `json:"success"`
		Result  *bool `json:"result"`
	}
	err := w.call(ctx, methodCardStream, map[string]any{
		"outTrackId": card, "guid": w.guid(card, text, s), "key": dingtalk.VarContent, "content": text,
		"isFull": true, "isFinalize": s == stateFinal, "isError": s == stateFailed,
	}, &out)
	if err == nil && (no(out.Success) || no(out.Result)) {
		err = pipeline.Permanent(pipeline.ReasonChat, errors.New("dingtalk did not update the card"))
	}
	if errors.Is(err, pipeline.ErrOutcomeUnknown) && !refused(err) {
		w.at.Intent = &pipeline.Intent{Method: intentStream, At: w.now()}
	}
	return err
}

func no(b *bool) bool { return b != nil && !*b }

// guid identifies an update.
func (w *work) guid(card, text string, s state) string {
	h := chat.Hash(card, strconv.FormatInt(w.reply.Fence, 10), s.name, text)
	return fmt.Sprintf("%s-%s-%s-%s-%s", h[:8], h[8:12], h[12:16], h[16:20], h[20:32])
}

// update sets variables of a part's card.
func (w *work) update(ctx context.Context, part int, params map[string]string) error {
	return w.call(ctx, methodCardUpdate, map[string]any{
		"outTrackId": outTrackID(w.reply.MessageID, part), "cardData": map[string]any{"cardParamMap": params},
		"cardUpdateOptions": map[string]bool{"updateCardDataByKey": true, "updatePrivateDataByKey": true},
	}, nil)
}

// value is what the card's buttons send back; empty if it does not fit, which
// leaves the buttons without effect.
func (w *work) value() string {
	v, err := dingtalk.CardValue{
		Subject: w.reply.MessageID, Asker: w.reply.Asker.ID, Fence: w.reply.Fence, Reason: w.reply.Reason,
		Conversation: w.reply.Conversation, ConversationType: w.route.ConversationType,
	}.Encode()
	if err != nil {
		w.c.cfg.Log.Warn("card without buttons", "msg_id", w.reply.MessageID, "err", err)
	}
	return v
}

// renewValue tells the buttons about an ending that the card was not created for:
// another attempt's, or a failure.
func (w *work) renewValue(ctx context.Context) {
	if w.at.Stream.Fence == w.reply.Fence && w.reply.Reason == "" {
		return
	}
	if err := w.update(ctx, 0, map[string]string{dingtalk.VarValue: w.value()}); err != nil {
		w.c.cfg.Log.Info("renew card value", "msg_id", w.reply.MessageID, "err", err)
		return
	}
	renewed := *w.at.Stream
	renewed.Fence = w.reply.Fence
	w.at.Stream = &renewed
}
