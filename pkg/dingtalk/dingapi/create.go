package dingapi

import (
	"context"
	"errors"
	"fmt"

	"parley/pkg/dingtalk"
	"parley/pkg/pipeline"
)

// create makes the card of a part and shows it. It needs no record beforehand: a
// card that exists already is ours, because its identity follows from the
// question.
func (w *work) create(ctx context.Context, part int) error {
	if !w.reachable() {
		w.at.Mode = modeBroken
		return pipeline.Permanent(pipeline.ReasonChat, errors.New("no card for people outside the organisation"))
	}
	w.at.Mode, w.at.Key = modeCard, outTrackID(w.reply.MessageID, 0)
	if w.at.Stream == nil {
		w.at.Stream = &pipeline.Stream{OpenedAt: w.now(), Fence: w.reply.Fence}
	}
	var out created
	err := w.call(ctx, methodCardCreate, w.card(part), &out)
	id := byCard + outTrackID(w.reply.MessageID, part)
	var no *refusal
	if errors.As(err, &no) && no.code == codeCardExists {
		err = nil
	} else if err == nil {
		var carrier string
		if carrier, err = out.delivered(); carrier != "" {
			id += "/" + carrier
		}
	}
	if err == nil {
		w.at.Posts = append(w.at.Posts, pipeline.Post{ID: id})
	} else if pipeline.Classify(err).Permanent {
		w.abandon(ctx, err)
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
			Carrier string `json:"carrierId"` // a processQueryKey
		} `json:"deliverResults"`
	} `json:"result"`
}

func (c created) delivered() (carrier string, err error) {
	for _, d := range c.Result.Deliveries {
		if !d.Success {
			return "", pipeline.Permanent(pipeline.ReasonChat, fmt.Errorf("dingtalk created the card but did not deliver it: %q", word(d.Error)))
		}
		carrier = d.Carrier
	}
	if len(c.Result.Deliveries) == 0 {
		return "", pipeline.Permanent(pipeline.ReasonChat, errors.New("dingtalk created the card but delivered it nowhere"))
	}
	return carrier, nil
}

// card is the request for createAndDeliver.
func (w *work) card(part int) map[string]any {
	in := map[string]any{
		"cardTemplateId": w.c.cfg.CardTemplateID, "outTrackId": outTrackID(w.reply.MessageID, part),
		"userIdType": 1, "callbackType": "STREAM",
		"cardData": map[string]any{"cardParamMap": map[string]string{dingtalk.VarContent: "", dingtalk.VarValue: w.value()}},
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
	if w.route.SenderStaffID != "" && part == 0 {
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
