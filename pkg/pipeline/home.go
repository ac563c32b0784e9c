package pipeline

import (
	"context"
	"log/slog"
	"time"

	"parley/pkg/chat"
	"parley/pkg/phrase"
)

// Home makes people's own pages: what they have used. It answers each opening and
// each press with the whole page, whose parts are read apart: one that cannot be
// read is said to be missing, and the others are shown. It is safe for concurrent
// use.
type Home struct {
	Meter   Meter
	Replies Outbox
	Log     *slog.Logger
}

// show answers m, an opening or a press, under profile p.
//
// All pages of a person are one answer, each at the fence of its gesture's time: of
// several that wait, or that arrive in another order, the newest is shown.
func (h *Home) show(ctx context.Context, m chat.Message, p Profile) error {
	r := replyTo(m, m.SentAt.UnixMicro(), chat.AtHome)
	r.MessageID = "home:" + m.Conversation.Key()
	r.Seq, r.Language = 1, languageFor(m, p.Language)
	r.Home = h.page(ctx, m, p, r.Language)
	return SendReply(ctx, h.Replies, r)
}

// page reads the parts of m's author's page.
func (h *Home) page(ctx context.Context, m chat.Message, p Profile, language string) *chat.Home {
	if m.Author.External && !p.External {
		return &chat.Home{Note: phrase.In(language).Say("external")}
	}
	page := &chat.Home{}
	read := func(part chat.HomePart, f func(ctx context.Context) error) {
		ctx, cancel := context.WithTimeout(ctx, homePatience)
		defer cancel()
		if err := f(ctx); err != nil {
			h.Log.WarnContext(ctx, "read a part of a home", "part", part, "msg_id", m.ID, "err", err)
			page.Unread = append(page.Unread, part)
		}
	}
	read(chat.HomeUsage, func(ctx context.Context) (err error) {
		page.Usage, err = h.Meter.today(ctx, p.Budget, m, language, "workspace")
		return err
	})
	return page
}

// homePatience is how long one part of a page may take to read.
const homePatience = 5 * time.Second
