package webchat

import (
	"encoding/json"
	"net/url"
	"time"

	"parley/pkg/chat"
	"parley/pkg/phrase"
	"parley/pkg/pipeline"
)

// Snapshot is an answer as the page shows it, and the data of each event. A kind of
// chat.Withdrawn means that nothing is to be shown any more.
type Snapshot struct {
	ID       string         `json:"id"` // of the message answered
	Kind     chat.ReplyKind `json:"kind"`
	AskedAt  time.Time      `json:"asked_at"`
	Question string         `json:"question,omitempty"` // its beginning, if it is long
	// Markdown is the whole text, with Parley's own words where the reply leaves
	// them to the platform. It is empty while there is nothing to say.
	Markdown  string          `json:"markdown,omitempty"`
	HTML      string          `json:"html,omitempty"` // Markdown rendered: safe to insert
	Citations []chat.Citation `json:"citations,omitempty"`
	Steps     []chat.Step     `json:"steps,omitempty"`
	Ref       string          `json:"ref"` // what to tell an operator
	// Retry is set when the person may have the question tried again.
	Retry    *chat.Token `json:"retry,omitempty"`
	Model    string      `json:"model,omitempty"`
	Tokens   int         `json:"tokens,omitempty"`
	Feedback string      `json:"feedback,omitempty"` // verdict given, in a history
}

// snapshotOf is what the page shows for r.
func snapshotOf(r chat.Reply) Snapshot {
	s := Snapshot{ID: r.MessageID, Kind: r.Kind, AskedAt: r.AskedAt.UTC(), Ref: chat.Ref(r.MessageID)}
	if r.Kind == chat.Withdrawn {
		return s
	}
	var back route
	if json.Unmarshal(r.Route, &back) == nil { // a message of unknown make is shown without its question
		s.Question = back.Question
	}
	s.Markdown = wording(r.Kind, r.Markdown, r.Language)
	s.HTML = render(s.Markdown)
	s.Citations, s.Steps = safeCitations(r.Citations), r.Steps
	s.Model, s.Tokens = r.Model, r.Usage.Total()
	if r.Kind == chat.Failed && mayRetry(pipeline.Reason(r.Reason)) {
		s.Retry = &chat.Token{Fence: r.Fence, Reason: r.Reason}
	}
	return s
}

// mayRetry is the offer that the apology makes: what was refused or has run out
// of budget ends the same way at once.
func mayRetry(reason pipeline.Reason) bool {
	return reason != pipeline.ReasonRefused && reason != pipeline.ReasonBudget
}

// wording completes what a reply says.
func wording(kind chat.ReplyKind, markdown, language string) string {
	if kind != chat.Stopped {
		return markdown
	}
	if markdown == "" {
		return phrase.In(language).Say("stopped")
	}
	return markdown + "\n\n" + phrase.In(language).Say("stopped.mark")
}

// safeCitations keeps of each address what may be followed, and the path of a file
// that people have, which the page shows as text.
func safeCitations(all []chat.Citation) []chat.Citation {
	out := make([]chat.Citation, len(all))
	for i, c := range all {
		u, err := url.Parse(c.URL)
		if err != nil || !followed(u) && (u.Scheme != "" || u.Host != "" || u.Opaque != "") {
			c.URL = ""
		}
		out[i] = c
	}
	return out
}
