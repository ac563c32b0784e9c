package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"parley/pkg/chat"
	"parley/pkg/phrase"
)

// The presses of a page: a verb, and after a colon what it is about.
const (
	pressLanguage  = "language"   // a tag, or byDefault
	pressModel     = "model"      // a name, or byDefault
	pressForget    = "forget"     // the key of a conversation
	pressReplay    = "replay"     // the id of a letter
	pressReplayAll = "replay_all" // of what can be seen
)

// byDefault gives a choice back.
const byDefault = "default"

// act does what m's author has pressed, and says what became of it. A press is
// repeated without harm. Nothing in it is believed but who pressed: people change
// their own settings, and forget where they asked; the rest is for admins.
func (h *Home) act(ctx context.Context, m chat.Message, p Profile) (note, error) {
	verb, about, _ := strings.Cut(m.Value, ":")
	if verb == "" || m.Author.External && !p.External {
		return note{}, nil
	}
	switch verb {
	case pressLanguage, pressModel:
		return h.choose(ctx, m, p, verb, about)
	case pressForget:
		return h.forget(ctx, m, about)
	case pressReplay, pressReplayAll:
		if !h.admin(m.Author) || h.Operator == nil {
			h.Log.WarnContext(ctx, "replay refused", "msg_id", m.ID, "person", m.Author.ID)
			return note{key: "home.admins_only"}, nil
		}
		h.Log.InfoContext(ctx, "replay from a home", "msg_id", m.ID, "person", m.Author.ID, "verb", verb, "letter", about)
		if verb == pressReplay && about == "" {
			return note{key: "home.gone"}, nil
		}
		if verb == pressReplay {
			return h.replay(ctx, Filter{IDs: []string{about}})
		}
		return h.replay(ctx, Filter{})
	}
	return note{}, Permanent(ReasonUnreadable, fmt.Errorf("a page has no press %q", verb))
}

// choose changes one of the person's settings. What cannot be chosen changes
// nothing: the page that was pressed may be an old one.
func (h *Home) choose(ctx context.Context, m chat.Message, p Profile, verb, about string) (note, error) {
	if h.People == nil {
		return note{}, nil
	}
	if about == byDefault {
		about = ""
	}
	known := slices.Contains(phrase.Languages(), about)
	if verb == pressModel {
		known = slices.Contains(p.choices(), about)
	}
	if about != "" && !known {
		return note{key: "home.gone"}, nil
	}
	s, err := h.People.Settings(ctx, personOf(m))
	if err != nil {
		return note{}, Transient(ReasonStore, err)
	}
	if verb == pressModel {
		s.Model = about
	} else {
		s.Language = about
	}
	if err := h.People.SaveSettings(ctx, personOf(m), s); err != nil {
		return note{}, Transient(ReasonStore, err)
	}
	return note{key: "home.saved"}, nil
}

// forget forgets a conversation, as "reset" does there.
func (h *Home) forget(ctx context.Context, m chat.Message, key string) (note, error) {
	if h.People == nil {
		return note{}, nil
	}
	keys, err := h.conversations(ctx, m)
	if err != nil {
		return note{}, Transient(ReasonStore, err)
	}
	if !slices.Contains(keys, key) {
		return note{key: "home.gone"}, nil
	}
	if err := h.Memory.Mark(ctx, key, Markers{ResetBefore: m.SentAt}); err != nil {
		return note{}, Transient(ReasonStore, err)
	}
	return note{key: "home.forgotten"}, nil
}

// replayPatience is how long one press may go on sending letters back.
const replayPatience = 10 * time.Second

// replay sends the letters that match f back. Those that cannot be sent back now
// stay where they are, and are counted.
func (h *Home) replay(ctx context.Context, f Filter) (note, error) {
	ctx, cancel := context.WithTimeout(ctx, replayPatience)
	defer cancel()
	letters, _, err := h.Operator.List(ctx, f)
	if err != nil {
		return note{}, Transient(ReasonStore, err)
	}
	var sent, done, left int
	for _, l := range letters {
		result, err := h.Operator.Replay(ctx, l, 0)
		switch {
		case err != nil:
			h.Log.WarnContext(ctx, "replay from a home", "letter", l.ID, "ref", l.Ref, "err", err)
			left++
		case result.Replayed:
			sent++
		case result.Removed:
			done++
		default:
			left++
		}
	}
	return note{"home.replayed", []any{sent, done, left}}, nil
}

// queues reads how much each queue holds.
func (h *Home) queues(ctx context.Context, a *chat.Admin) error {
	var all []chat.HomeQueue
	for _, w := range h.Watched {
		live, err := w.Queue.Depth(ctx)
		if err != nil {
			return err
		}
		q := chat.HomeQueue{Name: w.Name, Waiting: live.Visible, InFlight: live.InFlight}
		if w.Dead != nil {
			dead, err := w.Dead.Depth(ctx)
			if err != nil {
				return err
			}
			q.Dead = dead.Visible + dead.InFlight
		}
		all = append(all, q)
	}
	a.Queues = all
	return nil
}

// maxLetters is how many letters a page lists.
const maxLetters = 10

// letters lists the dead letters, the longest waiting person first.
func (h *Home) letters(ctx context.Context, a *chat.Admin) error {
	if h.Operator == nil {
		return nil
	}
	letters, complete, err := h.Operator.List(ctx, Filter{})
	if err != nil {
		return err
	}
	a.More = !complete || len(letters) > maxLetters
	for _, l := range letters[:min(len(letters), maxLetters)] {
		a.Letters = append(a.Letters, chat.HomeLetter{
			ID: l.ID, Ref: l.Ref, Queue: l.Queue, Reason: l.Reason, AskedAt: l.AskedAt().UTC(), Told: l.Told,
		})
	}
	return nil
}

// troubleRecord is where the latest trouble with a model stands: a record among the
// cases, because that is what every process of a deployment shares.
const troubleRecord = "health:model"

// health reads the latest trouble with a model.
func (h *Home) health(ctx context.Context, a *chat.Admin) error {
	if h.Cases == nil {
		return nil
	}
	k, err := h.Cases.LoadCase(ctx, troubleRecord)
	if err != nil {
		return err
	}
	a.Trouble, a.TroubleAt, a.PausedUntil = string(k.Reason), k.UpdatedAt, k.LeaseUntil
	return nil
}

// troubleEvery is how often a process notes trouble with a model.
const troubleEvery = 10 * time.Second

// trouble notes that a model failed, for the people who look after the
// installation. It is best effort.
func (w *Worker) trouble(ctx context.Context, e *Error) {
	if !slices.Contains([]Reason{ReasonModel, ReasonThrottled, ReasonConfig}, e.Reason) || errors.Is(e.Err, errShut) || !w.Gate.report(w.now()) {
		return
	}
	_, err := w.ledger().update(ctx, troubleRecord, func(k Case) (Case, Effects, error) {
		k.Reason, k.Detail, k.LeaseUntil = e.Reason, detail(e), time.Time{}
		if e.Throttled {
			k.LeaseUntil = w.now().Add(min(max(e.After, minShut), maxShut))
		}
		return k, Effects{}, nil
	})
	if err != nil {
		w.Log.WarnContext(ctx, "note trouble with the model", "err", err)
	}
}
