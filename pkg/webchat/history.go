package webchat

import (
	"net/http"
	"time"

	"parley/pkg/chat"
	"parley/pkg/phrase"
	"parley/pkg/pipeline"
)

// historyTurns is how many turns the page shows of a conversation, the newest.
const historyTurns = 50

// history is the answer of GET /web/history.
type history struct {
	Turns []Snapshot `json:"turns"` // oldest first
	// ResetBefore is when the person last had Parley forget: turns up to there are
	// shown and no longer remembered.
	ResetBefore *time.Time `json:"reset_before,omitempty"`
}

// history serves GET /web/history?conversation=: what memory holds of it, so that
// a conversation outlives both the page and the process.
func (h *Hub) history(w http.ResponseWriter, r *http.Request) {
	channel, ok := conversationOf(w, r)
	if !ok {
		return
	}
	out := history{Turns: []Snapshot{}}
	if h.config.Memory != nil {
		key := Conversation(channel).Key()
		turns, err := h.config.Memory.Recent(r.Context(), key, pipeline.Window{Turns: historyTurns, Tokens: 1 << 30})
		marks, markErr := pipeline.Markers{}, err
		if err == nil {
			marks, markErr = h.config.Memory.Markers(r.Context(), key)
		}
		if markErr != nil {
			h.config.Log.Error("read history", "err", markErr)
			writeJSON(w, http.StatusServiceUnavailable, refusal{"the history cannot be read now"})
			return
		}
		for _, t := range turns {
			out.Turns = append(out.Turns, snapshotOfTurn(t))
		}
		if !marks.ResetBefore.IsZero() {
			out.ResetBefore = &marks.ResetBefore
		}
	}
	writeJSON(w, http.StatusOK, out)
}

// snapshotOfTurn is what the page shows of a turn that was committed.
func snapshotOfTurn(t pipeline.Turn) Snapshot {
	r := chat.Reply{
		MessageID: t.MessageID, Kind: chat.Final, Markdown: t.Answer, Citations: t.Citations,
		Usage: t.Usage, Model: t.Model, Language: phrase.Detect(t.Question), AskedAt: t.SentAt,
	}
	if r.Language == "" {
		r.Language = t.Author.Locale
	}
	if t.Stopped {
		r.Kind = chat.Stopped
	}
	s := snapshotOf(r)
	s.Question = t.Question
	for _, v := range t.Votes { // the page has one person
		s.Feedback = v.Verdict
	}
	return s
}

// conversationOf reads the conversation a request is about, or answers 400.
func conversationOf(w http.ResponseWriter, r *http.Request) (string, bool) {
	channel := r.URL.Query().Get("conversation")
	if !validID.MatchString(channel) {
		writeJSON(w, http.StatusBadRequest, refusal{errID.Error()})
		return "", false
	}
	return channel, true
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	a := answer(status, v)
	w.Header().Set("Content-Type", a.ContentType)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body) // the page has gone if this fails
}
