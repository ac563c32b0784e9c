package chat

import (
	"encoding/json"
	"time"
)

// The wire form, version 1. It has types of its own, so that renaming something in
// the vocabulary cannot change what is already in a queue. Fields may be added;
// what is here stays as it is. testdata/v1 holds an example of everything.

type conversationV1 struct {
	Platform Platform `json:"platform"`
	Tenant   string   `json:"tenant"`
	Channel  string   `json:"channel"`
	Thread   string   `json:"thread,omitempty"`
}

type authorV1 struct {
	ID       string `json:"id"`
	Name     string `json:"name,omitempty"`
	Team     string `json:"team,omitempty"`
	Locale   string `json:"locale,omitempty"`
	Language string `json:"language,omitempty"`
	External bool   `json:"external,omitempty"`
}

type fileV1 struct {
	ID       string `json:"id"`
	Name     string `json:"name,omitempty"`
	MIMEType string `json:"mime_type,omitempty"`
	Size     int64  `json:"size,omitempty"`
	URL      string `json:"url,omitempty"`
}

type quoteV1 struct {
	MessageID string `json:"message_id,omitempty"`
	Author    string `json:"author,omitempty"`
	Text      string `json:"text,omitempty"`
}

type tokenV1 struct {
	Fence  int64     `json:"fence"`
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at,omitzero"`
}

type messageV1 struct {
	ID           string          `json:"id"`
	Kind         Kind            `json:"kind"`
	Conversation conversationV1  `json:"conversation"`
	Parent       *conversationV1 `json:"parent,omitempty"`
	ParentTurn   time.Time       `json:"parent_turn,omitzero"`
	Subject      string          `json:"subject,omitempty"`
	Workspace    string          `json:"workspace,omitempty"`
	Author       authorV1        `json:"author"`
	Text         string          `json:"text,omitempty"`
	Value        string          `json:"value,omitempty"`
	Complaint    string          `json:"complaint,omitempty"`
	Files        []fileV1        `json:"files,omitempty"`
	Quote        *quoteV1        `json:"quote,omitempty"`
	SentAt       time.Time       `json:"sent_at"`
	FollowUp     bool            `json:"follow_up,omitempty"`
	Threaded     bool            `json:"threaded,omitempty"`
	Viewing      bool            `json:"viewing,omitempty"`
	Token        *tokenV1        `json:"token,omitempty"`
	Model        string          `json:"model,omitempty"`
	Route        json.RawMessage `json:"route,omitempty"`
}

type citationV1 struct {
	Number  int     `json:"number"`
	Title   string  `json:"title,omitempty"`
	URL     string  `json:"url,omitempty"`
	Page    int     `json:"page,omitempty"`
	Heading string  `json:"heading,omitempty"`
	Quote   string  `json:"quote,omitempty"`
	Score   float64 `json:"score,omitempty"`
}

type usageV1 struct {
	Input      int `json:"input,omitempty"`
	Output     int `json:"output,omitempty"`
	CacheRead  int `json:"cache_read,omitempty"`
	CacheWrite int `json:"cache_write,omitempty"`
}

type stepV1 struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	Done  bool   `json:"done,omitempty"`
}

type ratingV1 struct {
	Subject   string `json:"subject"`
	Fence     int64  `json:"fence"`
	Complaint string `json:"complaint,omitempty"`
}

type replyV1 struct {
	MessageID    string          `json:"message_id"`
	Conversation conversationV1  `json:"conversation"`
	Fence        int64           `json:"fence"`
	Seq          int             `json:"seq"`
	Kind         ReplyKind       `json:"kind"`
	Markdown     string          `json:"markdown,omitempty"`
	Citations    []citationV1    `json:"citations,omitempty"`
	Steps        []stepV1        `json:"steps,omitempty"`
	Usage        usageV1         `json:"usage,omitzero"`
	Model        string          `json:"model,omitempty"`
	Choices      []string        `json:"choices,omitempty"`
	Title        string          `json:"title,omitempty"`
	Reason       string          `json:"reason,omitempty"`
	Language     string          `json:"language,omitempty"`
	Asker        authorV1        `json:"asker"`
	AskedAt      time.Time       `json:"asked_at,omitzero"`
	Nonce        string          `json:"nonce,omitempty"`
	Private      bool            `json:"private,omitempty"`
	Proposal     bool            `json:"proposal,omitempty"`
	Rating       *ratingV1       `json:"rating,omitempty"`
	Again        bool            `json:"again,omitempty"`
	Home         *homeV1         `json:"home,omitempty"`
	Route        json.RawMessage `json:"route,omitempty"`
}
