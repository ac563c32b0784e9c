package webchat

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"parley/pkg/chat"
)

// Gesture is what a person does on the page, and the body of POST /web/messages.
type Gesture struct {
	// Conversation is chosen by the page: letters, digits, "-" and "_", 64 at
	// most. Empty begins a new one.
	Conversation string `json:"conversation"`
	// ID is drawn by the page for each gesture, by the same rule, so that a form
	// sent twice is one message. Empty draws one here.
	ID   string `json:"id,omitempty"`
	Text string `json:"text,omitempty"`
	// Kind is empty for text, which may be a command, or names what was pressed:
	// stop, retry, regenerate, feedback.
	Kind    chat.Kind   `json:"kind,omitempty"`
	Subject string      `json:"subject,omitempty"` // message id of the answer pressed on
	Token   *chat.Token `json:"token,omitempty"`   // of the failed answer to retry
	Value   string      `json:"value,omitempty"`   // feedback: chat.Up or chat.Down
	// Complaint is one of chat.Complaints, for a feedback of chat.Down; Text holds
	// the person's own words.
	Complaint string `json:"complaint,omitempty"`
	Locale    string `json:"-"` // BCP 47 tag of the person's language
}

// Errors of Message. Their text is for the person who sent the gesture.
var (
	errID      = errors.New("conversation and id are up to 64 letters, digits, - and _")
	errEmpty   = errors.New("text is missing")
	errKind    = errors.New("kind is not one of ask, stop, retry, regenerate, feedback")
	errSubject = errors.New("subject is not a message of this conversation")
	errVerdict = errors.New("value is not up or down")
	errTooLong = errors.New("the message is too long")
)

// maxQuestion bounds, in runes, the part of a question that every snapshot repeats.
const maxQuestion = 1000

var validID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// route is what a chat.Message carries in Route: the Hub keeps no record of
// questions, so each snapshot brings its own back.
type route struct {
	Question string `json:"question,omitempty"`
}

// Conversation is the conversation of a channel id chosen by the page.
func Conversation(channel string) chat.Conversation {
	return chat.Conversation{Platform: chat.Web, Tenant: Tenant, Channel: channel}
}

// MessageID is the identity of gesture id in a conversation.
func MessageID(channel, id string) string {
	return string(chat.Web) + ":" + channel + ":" + id
}

// Message reads a gesture made at now. Its errors tell the person what is wrong.
func (h *Hub) Message(g Gesture, now time.Time) (chat.Message, error) {
	if g.Conversation == "" {
		g.Conversation = rand.Text()
	}
	if g.ID == "" {
		g.ID = rand.Text()
	}
	if !validID.MatchString(g.Conversation) || !validID.MatchString(g.ID) {
		return chat.Message{}, errID
	}
	m := chat.Message{
		ID:           MessageID(g.Conversation, g.ID),
		Kind:         g.Kind,
		Conversation: Conversation(g.Conversation),
		Author:       chat.Author{ID: Tenant, Locale: g.Locale},
	}
	if err := fill(&m, g); err != nil {
		return chat.Message{}, err
	}
	m.SentAt = h.sentAt(g.Conversation, now)
	if _, err := chat.EncodeMessage(m); err != nil {
		return chat.Message{}, errTooLong
	}
	return m, nil
}

// fill takes over what the kind of gesture calls for.
func fill(m *chat.Message, g Gesture) error {
	switch g.Kind {
	case "", chat.KindAsk:
		return fillText(m, g.Text)
	case chat.KindStop:
		return nil
	case chat.KindFeedback:
		if g.Value != chat.Up && g.Value != chat.Down {
			return errVerdict
		}
		m.Value, m.Complaint, m.Text = g.Value, g.Complaint, shorten(g.Text)
	case chat.KindRetry, chat.KindRegenerate:
		m.Token = g.Token
	default:
		return errKind
	}
	if !strings.HasPrefix(g.Subject, MessageID(m.Conversation.Channel, "")) {
		return errSubject
	}
	m.Subject = g.Subject
	return nil
}

// fillText takes a question, or a command spelt out.
func fillText(m *chat.Message, text string) error {
	m.Text = strings.TrimSpace(text)
	if m.Text == "" {
		return errEmpty
	}
	m.Kind = chat.KindAsk
	switch kind, _ := chat.ParseCommand(m.Text); kind {
	case chat.KindReset, chat.KindHelp, chat.KindUsage, chat.KindStop, chat.KindRetry:
		m.Kind = kind
	}
	data, err := json.Marshal(route{Question: shorten(m.Text)})
	if err != nil {
		return fmt.Errorf("encode route: %w", err)
	}
	m.Route = data
	return nil
}

func shorten(s string) string {
	if r := []rune(s); len(r) > maxQuestion {
		return string(r[:maxQuestion]) + "…"
	}
	return s
}
