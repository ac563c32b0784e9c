package chat

import "time"

// Home on the wire, version 1; see wire.go.

type homeV1 struct {
	Note     string       `json:"note,omitempty"`
	Usage    string       `json:"usage,omitempty"`
	Language string       `json:"language,omitempty"`
	Model    string       `json:"model,omitempty"`
	Models   []string     `json:"models,omitempty"`
	Recent   []recalledV1 `json:"recent,omitempty"`
	Unread   []HomePart   `json:"unread,omitempty"`
	Admin    *adminV1     `json:"admin,omitempty"`
}

type recalledV1 struct {
	Conversation conversationV1 `json:"conversation"`
	Title        string         `json:"title,omitempty"`
	SentAt       time.Time      `json:"sent_at,omitzero"`
	Turns        int            `json:"turns,omitempty"`
}

type adminV1 struct {
	Version     string         `json:"version,omitempty"`
	Queues      []homeQueueV1  `json:"queues,omitempty"`
	Letters     []homeLetterV1 `json:"letters,omitempty"`
	More        bool           `json:"more,omitempty"`
	Trouble     string         `json:"trouble,omitempty"`
	TroubleAt   time.Time      `json:"trouble_at,omitzero"`
	PausedUntil time.Time      `json:"paused_until,omitzero"`
}

type homeQueueV1 struct {
	Name     string `json:"name"`
	Waiting  int    `json:"waiting,omitempty"`
	InFlight int    `json:"in_flight,omitempty"`
	Dead     int    `json:"dead,omitempty"`
}

type homeLetterV1 struct {
	ID      string    `json:"id"`
	Ref     string    `json:"ref,omitempty"`
	Queue   string    `json:"queue"`
	Reason  string    `json:"reason,omitempty"`
	AskedAt time.Time `json:"asked_at,omitzero"`
	Told    bool      `json:"told,omitempty"`
}

func homeToV1(h *Home) *homeV1 {
	if h == nil {
		return nil
	}
	v := &homeV1{
		Note: h.Note, Usage: h.Usage, Language: h.Language, Model: h.Model, Models: h.Models, Unread: h.Unread,
		Recent: each(h.Recent, func(r Recalled) recalledV1 {
			return recalledV1{conversationV1(r.Conversation), r.Title, r.SentAt.UTC(), r.Turns}
		}),
	}
	if a := h.Admin; a != nil {
		v.Admin = &adminV1{
			Version: a.Version, More: a.More, Trouble: a.Trouble, TroubleAt: a.TroubleAt.UTC(), PausedUntil: a.PausedUntil.UTC(),
			Queues:  each(a.Queues, func(q HomeQueue) homeQueueV1 { return homeQueueV1(q) }),
			Letters: each(a.Letters, func(l HomeLetter) homeLetterV1 { return homeLetterV1(l) }),
		}
	}
	return v
}

func (v *homeV1) home() *Home {
	if v == nil {
		return nil
	}
	h := &Home{
		Note: v.Note, Usage: v.Usage, Language: v.Language, Model: v.Model, Models: v.Models, Unread: v.Unread,
		Recent: each(v.Recent, func(r recalledV1) Recalled {
			return Recalled{Conversation(r.Conversation), r.Title, r.SentAt.UTC(), r.Turns}
		}),
	}
	if a := v.Admin; a != nil {
		h.Admin = &Admin{
			Version: a.Version, More: a.More, Trouble: a.Trouble, TroubleAt: a.TroubleAt.UTC(), PausedUntil: a.PausedUntil.UTC(),
			Queues:  each(a.Queues, func(q homeQueueV1) HomeQueue { return HomeQueue(q) }),
			Letters: each(a.Letters, func(l homeLetterV1) HomeLetter { return HomeLetter(l) }),
		}
	}
	return h
}
