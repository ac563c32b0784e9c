package dingapi

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"parley/pkg/chat"
	"parley/pkg/dingtalk"
	"parley/pkg/pipeline"
)

// Intent.Method of calls on cards.
const (
	intentCreate = "card create"
	intentStream = "card stream"
)

// landing is how long a call of unknown outcome may still take effect. DingTalk's
// gateway gives up after three seconds.
const landing = 5 * time.Second

// outTrackID is the card's identity, the same for every snapshot of an answer, so
// that a card is never created twice.
func outTrackID(messageID string) string { return "parley-" + chat.Hash(messageID)[:40] }

// openCard shows that work has begun: a card that fills later. An answer that is
// made anew reuses its card.
func (w *work) openCard(ctx context.Context) error {
	if !w.hasCard() {
		return w.create(ctx)
	}
	text := w.reply.Markdown
	if text == "" {
		text = w.say("working")
	}
	return w.stream(ctx, text, stateOpen)
}

func (w *work) hasCard() bool { return w.at.Mode == modeCard && len(w.at.Posts) > 0 }

// growCard shows the answer so far: the newest only, never faster than the pace.
func (w *work) growCard(ctx context.Context) error {
	if !w.hasCard() {
		if err := w.create(ctx); err != nil {
			return err
		}
	}
	parts := split(w.text())
	if len(parts) == 0 || !w.p.pace.allow(w.at.Key, w.now()) {
		return nil
	}
	return w.stream(ctx, forCard(parts[0]), stateOpen)
}

// finishCard makes the card show text and nothing more to come. If the card
// cannot be brought there, Mode is modeBroken afterwards.
func (w *work) finishCard(ctx context.Context, text string) error {
	if in := w.at.Intent; in != nil && in.Method == intentStream {
		if wait := in.At.Add(landing).Sub(w.now()); wait > 0 {
			return pipeline.Throttled(pipeline.ReasonChat, wait, errors.New("an earlier update may still overtake this one"))
		}
		w.at.Intent = nil
	}
	hash := chat.Hash("card", strconv.FormatInt(w.reply.Fence, 10), string(w.reply.Kind), text)
	if w.hasCard() && w.at.Posts[0].Hash == hash {
		return nil
	}
	if !w.hasCard() {
		if err := w.create(ctx); err != nil {
			return err
		}
	}
	if err := w.conclude(ctx, forCard(text)); err != nil {
		return err
	}
	w.at.Posts[0].Hash = hash
	w.renewValue(ctx)
	return nil
}

// conclude streams the last text. A card that refuses it is set by its variables
// where they are large enough, and otherwise broken. A failure that may pass is
// retried once before.
func (w *work) conclude(ctx context.Context, text string) error {
	state := stateFinal
	if w.reply.Kind == chat.Failed {
		state = stateFailed
	}
	err := w.stream(ctx, text, state)
	w.at.Intent = nil // the next try has the same guid
	switch {
	case err == nil:
		return nil
	case pipeline.Classify(err).Throttled:
		return err
	case !refused(err) && !w.at.Stream.Sealed:
		sealed := *w.at.Stream
		sealed.Sealed = true
		w.at.Stream = &sealed
		return err
	}
	if refused(err) && len(text) <= dingtalk.MaxCardValue {
		if e := w.update(ctx, map[string]string{dingtalk.VarContent: text, varStatus: state.flow}); e == nil {
			return nil
		}
	}
	w.abandon(ctx, err)
	return err
}

// abandon leaves the card for messages. It should not look as if more were to
// come in it.
func (w *work) abandon(ctx context.Context, cause error) {
	w.at.Mode, w.at.Intent = modeBroken, nil
	if errors.Is(cause, pipeline.ErrOutcomeUnknown) && !refused(cause) {
		w.c.measure(pipeline.MetricMaybeDuplicate, "platform", string(chat.DingTalk))
	}
	w.c.cfg.Log.Warn("card given up", "msg_id", w.reply.MessageID, "err", cause)
	err := w.update(ctx, map[string]string{dingtalk.VarContent: w.say("card.below"), varStatus: stateFinal.flow})
	if err != nil {
		w.c.cfg.Log.Info("close card", "msg_id", w.reply.MessageID, "err", err)
	}
}

// refused reports whether DingTalk will not do this, however often it is asked:
// unknownError is what a variable that cannot stream, or a card that no longer
// does, is answered with.
func refused(err error) bool {
	var r *refusal
	if !errors.As(err, &r) {
		return false
	}
	return r.code == codeUnknownError || pipeline.Classify(err).Permanent
}

// create makes the card and shows it. A card that exists already is ours: its
// identity follows from the question.
func (w *work) create(ctx context.Context) error {
	if !w.reachable() {
		w.at.Mode = modeBroken
		return pipeline.Permanent(pipeline.ReasonChat, errors.New("no card for people outside the organisation"))
	}
	w.at.Mode, w.at.Key = modeCard, outTrackID(w.reply.MessageID)
	w.at.Intent = &pipeline.Intent{Method: intentCreate, At: w.now()}
	if err := w.j.Checkpoint(ctx, w.at); err != nil {
		return err
	}
	var out created
	err := w.call(ctx, methodCardCreate, w.card(), &out)
	var no *refusal
	if errors.As(err, &no) && no.code == codeCardExists {
		err = nil
	} else if err == nil {
		err = out.delivered()
	}
	switch e := pipeline.Classify(err); {
	case err == nil:
		w.at.Posts = []pipeline.Post{{ID: byCard + w.at.Key}}
		w.at.Stream = &pipeline.Stream{OpenedAt: w.now(), Fence: w.reply.Fence}
		w.at.Intent = nil
	case e.Permanent:
		w.at.Mode, w.at.Intent = modeBroken, nil
	case !e.Unknown:
		w.at.Intent = nil
	}
	return err
}

// created is the answer to createAndDeliver, a success also when nobody sees the
// card.
type created struct {
	Result struct {
		Deliveries []struct {
			Success bool   `json:"success"`
			Error   string `json:"errorMsg"`
		} `json:"deliverResults"`
	} `json:"result"`
}

func (c created) delivered() error {
	for _, d := range c.Result.Deliveries {
		if !d.Success {
			return pipeline.Permanent(pipeline.ReasonChat, fmt.Errorf("dingtalk created the card but did not deliver it: %q", word(d.Error)))
		}
	}
	if len(c.Result.Deliveries) == 0 {
		return pipeline.Permanent(pipeline.ReasonChat, errors.New("dingtalk created the card but delivered it nowhere"))
	}
	return nil
}

// card is the request for createAndDeliver.
func (w *work) card() map[string]any {
	in := map[string]any{
		"cardTemplateId": w.c.cfg.CardTemplateID, "outTrackId": w.at.Key, "userIdType": 1,
		"callbackType": "STREAM",
		"cardData":     map[string]any{"cardParamMap": map[string]string{dingtalk.VarContent: "", dingtalk.VarValue: w.value()}},
	}
	if w.c.cfg.CardCallbackHTTP {
		in["callbackType"], in["callbackRouteKey"] = "HTTP", w.c.routeKey()
	}
	space := map[string]any{"supportForward": true, "lastMessageI18n": map[string]string{
		"ZH_CN": w.say("working"), "EN_US": w.say("working"),
	}}
	if !w.route.InGroup() {
		in["openSpaceId"] = "dtv1.card//IM_ROBOT." + w.route.SenderStaffID
		in["imRobotOpenSpaceModel"] = space
		in["imRobotOpenDeliverModel"] = map[string]any{"spaceType": "IM_ROBOT", "robotCode": w.route.RobotCode}
		return in
	}
	deliver := map[string]any{"robotCode": w.route.RobotCode}
	if w.route.SenderStaffID != "" {
		deliver["atUserIds"] = map[string]string{w.route.SenderStaffID: w.route.SenderNick}
	}
	in["openSpaceId"] = "dtv1.card//IM_GROUP." + w.route.ConversationID
	in["imGroupOpenSpaceModel"] = space
	in["imGroupOpenDeliverModel"] = deliver
	return in
}

// routeKey names the address that card callbacks go to.
func (c *Client) routeKey() string { return "parley-" + c.cfg.ClientID }

// RegisterCardCallback makes DingTalk send the presses on this app's cards to
// address, signed with the client secret. It replaces an address registered
// before.
func (c *Client) RegisterCardCallback(ctx context.Context, address string) error {
	secret, err := c.cfg.Secret(ctx)
	if err != nil {
		return pipeline.Transient(pipeline.ReasonConfig, fmt.Errorf("dingtalk secret: %w", err))
	}
	return c.call(ctx, methodCardRegister, map[string]any{
		"callbackRouteKey": c.routeKey(), "callbackUrl": address, "apiSecret": secret, "forceUpdate": true,
	}, nil)
}
