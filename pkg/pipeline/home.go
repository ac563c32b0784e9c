package pipeline

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"parley/pkg/chat"
	"parley/pkg/phrase"
)

// Home makes people's own pages: what they have used, what they chose, what is
// remembered of them, and for the people named in Admins how the installation does.
// It answers each opening and each press with the whole page, whose parts are read
// apart: one that cannot be read is said to be missing, and the others are shown.
// It is safe for concurrent use.
type Home struct {
	Meter         Meter
	Memory        Memory
	People        People // nil: nobody can choose anything, and nothing is listed
	Replies       Outbox
	Turns, Tokens int      // of the window that a question is read with
	Admins        []string // ids of people; a press counts by who made it, not by what was shown
	Cases         Cases
	Operator      *Operator // nil: no dead letters
	Watched       []Watched
	Version       string
	Log           *slog.Logger
	Now           func() time.Time // nil: time.Now
}

// Depther is a queue that tells how much it holds.
type Depther interface {
	Depth(ctx context.Context) (Depth, error)
}

// Watched is a queue with its dead letters, by a name that operators know.
type Watched struct {
	Name        string
	Queue, Dead Depther // Dead is nil where another queue shares the dead letters
}

// show answers m, an opening or a press, under profile p.
//
// All pages of a person are one answer, each at the fence of its gesture's time: of
// several that wait, or that arrive in another order, the newest is shown.
func (h *Home) show(ctx context.Context, m chat.Message, p Profile) error {
	note, err := h.act(ctx, m, p)
	if err != nil {
		return err
	}
	m = personal(ctx, h.People, h.Log, m) // after what the press may have changed
	r := replyTo(m, m.SentAt.UnixMicro(), chat.AtHome)
	r.MessageID = "home:" + m.Conversation.Key()
	r.Seq, r.Language = 1, languageFor(m, p.Language)
	r.Home = h.page(ctx, m, p, r.Language)
	if note.key != "" {
		r.Home.Note = phrase.In(r.Language).Say(note.key, note.args...)
	}
	return SendReply(ctx, h.Replies, r)
}

// note is a sentence of package phrase.
type note struct {
	key  string
	args []any
}

// pagePatience is how long all parts of a page may take to read, and partPatience
// how long one may: with a press before them they fit the function's 30 s.
const (
	pagePatience = 12 * time.Second
	partPatience = 6 * time.Second
)

// page reads the parts of m's author's page.
func (h *Home) page(ctx context.Context, m chat.Message, p Profile, language string) *chat.Home {
	if m.Author.External && !p.External {
		return &chat.Home{Note: phrase.In(language).Say("external")}
	}
	page := &chat.Home{Models: p.choices()}
	ctx, cancel := context.WithTimeout(ctx, pagePatience)
	defer cancel()
	read := func(part chat.HomePart, f func(ctx context.Context) error) {
		ctx, cancel := context.WithTimeout(ctx, partPatience)
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
	if h.People != nil {
		read(chat.HomeSettings, func(ctx context.Context) error {
			s, err := h.People.Settings(ctx, personOf(m))
			page.Language, page.Model = s.Language, s.Model
			return err
		})
		read(chat.HomeRecent, func(ctx context.Context) (err error) {
			page.Recent, err = h.recent(ctx, m)
			return err
		})
	}
	if h.admin(m.Author) {
		page.Admin = &chat.Admin{Version: h.Version}
		read(chat.HomeQueues, func(ctx context.Context) error { return h.queues(ctx, page.Admin) })
		read(chat.HomeLetters, func(ctx context.Context) error { return h.letters(ctx, page.Admin) })
		read(chat.HomeHealth, func(ctx context.Context) error { return h.health(ctx, page.Admin) })
	}
	return page
}

// admin reports whether who looks after the installation.
func (h *Home) admin(who chat.Author) bool { return !who.External && slices.Contains(h.Admins, who.ID) }

// How much of a person's history is looked through, and shown: some turns were
// forgotten since, and many are of one conversation.
const (
	maxAsked  = 100
	maxLooked = 16
	maxRecent = 8
)

// recent are the latest conversations in which something that the person asked
// would be read with the next question.
func (h *Home) recent(ctx context.Context, m chat.Message) ([]chat.Recalled, error) {
	keys, err := h.conversations(ctx, m)
	if err != nil {
		return nil, err
	}
	var out []chat.Recalled
	for _, key := range keys[:min(len(keys), maxLooked)] {
		r, ok, err := h.recall(ctx, key, m.Author.ID)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, r)
		}
		if len(out) == maxRecent {
			break
		}
	}
	return out, nil
}

// conversations are the keys of those that m's author asked in, newest first.
func (h *Home) conversations(ctx context.Context, m chat.Message) ([]string, error) {
	asked, err := h.People.Asked(ctx, personOf(m), maxAsked)
	if err != nil {
		return nil, err
	}
	var keys []string
	for _, k := range asked {
		if !slices.Contains(keys, k.Conversation) {
			keys = append(keys, k.Conversation)
		}
	}
	return keys, nil
}

// recall is what is remembered of a conversation, ok if that has something of the
// person's.
func (h *Home) recall(ctx context.Context, key, person string) (r chat.Recalled, ok bool, err error) {
	marks, err := h.Memory.Markers(ctx, key)
	if err != nil {
		return r, false, err
	}
	turns, err := h.Memory.Recent(ctx, key, Window{After: marks.ResetBefore, Turns: h.Turns, Tokens: h.Tokens})
	if err != nil {
		return r, false, err
	}
	for _, t := range slices.Backward(turns) {
		at, parsed := chat.ParseKey(key)
		if parsed && t.Author.ID == person {
			return chat.Recalled{Conversation: at, Title: excerpt(t.Question, maxTitle), SentAt: t.SentAt, Turns: len(turns)}, true, nil
		}
	}
	return r, false, nil
}
