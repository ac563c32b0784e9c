package dingapi

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"parley/pkg/chat"
	"parley/pkg/dingtalk"
	"parley/pkg/markdown"
	"parley/pkg/pipeline"
)

// intentStream is Intent.Method of an update that may still take effect.
const intentStream = "card stream"

// landing is how long a call of unknown outcome may still take effect. DingTalk's
// gateway gives up after three seconds.
const landing = 5 * time.Second

// outTrackID is the identity of the card that shows a part of an answer. It is
// the same for every snapshot and attempt, so that no card is ever made twice.
func outTrackID(messageID string, part int) string {
	id := "parley-" + chat.Hash(messageID)[:40]
	if part > 0 {
		id += "-" + strconv.Itoa(part)
	}
	return id
}

// openCard shows that work has begun: a card that fills later. An answer that is
// made anew reuses its card.
func (w *work) openCard(ctx context.Context) error {
	doing := w.reply.Doing()
	if len(w.at.Posts) == 0 {
		if err := w.create(ctx, 0); err != nil || doing == "" {
			return err
		}
	}
	text := w.reply.Markdown
	switch {
	case text == "" && doing != "":
		if !w.p.pace.allow(w.at.Key, w.now()) {
			return nil
		}
		text = forCard(markdown.Safe(doing)) + "…"
	case text == "":
		text = w.say("working")
	}
	return w.stream(ctx, 0, text, stateOpen)
}

// growCard shows the answer so far: the newest only, never faster than the pace.
func (w *work) growCard(ctx context.Context) error {
	if len(w.at.Posts) == 0 {
		if err := w.create(ctx, 0); err != nil {
			return err
		}
	}
	parts := split(w.text())
	if len(parts) == 0 || !w.p.pace.allow(w.at.Key, w.now()) {
		return nil
	}
	return w.stream(ctx, 0, forCard(parts[0]), stateOpen)
}

// finishCards makes one card for each part show it, and nothing more to come. If
// that cannot be, Mode is modeBroken afterwards.
func (w *work) finishCards(ctx context.Context, parts []string) error {
	if err := w.landed(); err != nil {
		return err
	}
	for i, part := range parts {
		if err := w.finishCard(ctx, i, part); err != nil {
			return err
		}
	}
	if err := w.removeCards(ctx, len(parts)); err != nil {
		return err
	}
	w.renewValue(ctx)
	return nil
}

// landed waits for an update of unknown outcome, which must not overtake the end.
func (w *work) landed() error {
	in := w.at.Intent
	if in == nil || in.Method != intentStream {
		return nil
	}
	if wait := in.At.Add(landing).Sub(w.now()); wait > 0 {
		return pipeline.Throttled(pipeline.ReasonChat, wait, errors.New("an earlier update of the card may still arrive"))
	}
	w.at.Intent = nil
	return nil
}

func (w *work) finishCard(ctx context.Context, i int, part string) error {
	hash := chat.Hash("card", strconv.FormatInt(w.reply.Fence, 10), string(w.reply.Kind), strconv.Itoa(i), part)
	if i < len(w.at.Posts) && w.at.Posts[i].Hash == hash {
		return nil
	}
	if i >= len(w.at.Posts) {
		if err := w.create(ctx, i); err != nil {
			return err
		}
	}
	if err := w.conclude(ctx, i, forCard(part)); err != nil {
		return err
	}
	w.at.Posts[i].Hash = hash
	return nil
}

// conclude streams a part's last text. A card that refuses it is set by its
// variables where they are large enough, and otherwise given up. A failure that
// may pass is retried once before.
func (w *work) conclude(ctx context.Context, i int, text string) error {
	state := stateFinal
	if w.reply.Kind == chat.Failed {
		state = stateFailed
	}
	err := w.stream(ctx, i, text, state)
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
		if e := w.update(ctx, i, map[string]string{dingtalk.VarContent: text, varStatus: state.flow}); e == nil {
			return nil
		}
	}
	w.abandon(ctx, err)
	return err
}

// abandon leaves cards for messages. The first should not look as if more were to
// come in it.
func (w *work) abandon(ctx context.Context, cause error) {
	w.at.Mode, w.at.Intent = modeBroken, nil
	if errors.Is(cause, pipeline.ErrOutcomeUnknown) && !refused(cause) {
		w.c.measure(pipeline.MetricMaybeDuplicate, "platform", string(chat.DingTalk))
	}
	w.c.cfg.Log.Warn("card given up", "msg_id", w.reply.MessageID, "err", cause)
	err := w.update(ctx, 0, map[string]string{dingtalk.VarContent: w.say("card.below"), varStatus: stateFinal.flow})
	if err != nil {
		w.c.cfg.Log.Info("close card", "msg_id", w.reply.MessageID, "err", err)
	}
}

// removeCards takes the cards after the first keep ones away.
func (w *work) removeCards(ctx context.Context, keep int) error {
	for n := len(w.at.Posts); n > keep; n-- {
		if err := w.removeCard(ctx, n-1); err != nil {
			return err
		}
		w.at.Posts = w.at.Posts[:n-1]
	}
	return nil
}

// removeCard recalls a card, or makes it say that there is nothing to see.
func (w *work) removeCard(ctx context.Context, i int) error {
	id, _ := strings.CutPrefix(w.at.Posts[i].ID, byCard)
	if _, carrier, known := strings.Cut(id, "/"); known {
		how := byDirect
		if w.route.InGroup() {
			how = byGroup
		}
		err := w.recall(ctx, how+carrier)
		if err == nil {
			return nil
		}
		w.c.cfg.Log.Info("recall card", "msg_id", w.reply.MessageID, "err", err)
	}
	if err := w.stream(ctx, i, w.say("withdrawn"), stateFinal); err != nil && !refused(err) {
		return err
	}
	return nil
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
