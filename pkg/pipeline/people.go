package pipeline

import (
	"context"
	"log/slog"

	"parley/pkg/chat"
)

// Settings are what a person chose for themselves. An empty field leaves it to the
// place they ask in.
type Settings struct {
	Language string `json:"language,omitempty"` // a tag that package phrase has words for
	Model    string `json:"model,omitempty"`    // the name of a choice, never an id
}

// People keeps what belongs to a person rather than to a conversation. Persons are
// named by PersonKey. Reads are strongly consistent.
type People interface {
	// Settings returns what the person chose, zero if nothing.
	Settings(ctx context.Context, person string) (Settings, error)
	// SaveSettings replaces what the person chose. It is idempotent. Settings do
	// not expire.
	SaveSettings(ctx context.Context, person string, s Settings) error
	// Asked returns the keys of the newest turns that the person asked for in any
	// conversation, at most max of them, newest first, with one query whose cost
	// depends on max alone. A key goes when its turn expires; one whose turn was
	// dropped may still be returned.
	Asked(ctx context.Context, person string, max int) ([]TurnKey, error)
}

// PersonKey names a person of an installation.
func PersonKey(platform chat.Platform, tenant, id string) string {
	return chat.Conversation{Platform: platform, Tenant: tenant, Channel: id}.Key()
}

// personOf is the author of m.
func personOf(m chat.Message) string {
	return PersonKey(m.Conversation.Platform, m.Conversation.Tenant, m.Author.ID)
}

// Person names who asked for t, "" if the turn does not tell.
func (t Turn) Person() string {
	at, ok := chat.ParseKey(t.Conversation)
	if !ok || t.Author.ID == "" {
		return ""
	}
	return PersonKey(at.Platform, at.Tenant, t.Author.ID)
}

// personal is m with what its author chose: the language to be spoken to in, and,
// for a question that names no model, the model. Where the choice cannot be read, a
// question is rather answered without it.
func personal(ctx context.Context, people People, log *slog.Logger, m chat.Message) chat.Message {
	if people == nil || m.Author.ID == "" {
		return m
	}
	s, err := people.Settings(ctx, personOf(m))
	if err != nil {
		log.WarnContext(ctx, "read settings", "msg_id", m.ID, "err", err)
		return m
	}
	m.Author.Language = s.Language
	if m.Model == "" {
		m.Model = s.Model
	}
	return m
}

// sameAs is stored, the form of m that its case keeps, with what m's author chose.
func sameAs(m, stored chat.Message) chat.Message {
	stored.Author.Language = m.Author.Language
	if stored.Model == "" {
		stored.Model = m.Model
	}
	return stored
}
