package slack

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"parley/pkg/chat"
)

// Action ids of the buttons under an answer. The value of each is a ButtonValue.
const (
	ActionRetry      = "parley_retry"
	ActionRegenerate = "parley_regenerate"
	ActionStop       = "parley_stop"
	ActionApprove    = "parley_approve" // of what would be remembered
	ActionReject     = "parley_reject"
	ActionPassages   = "parley_passages" // what the answer relies on
	ActionFile       = "parley_file"     // the answer as a file
	ActionFeedback   = "parley_feedback" // a feedback_buttons element; Verdict is set
	// ActionHome begins the ids of what can be pressed in the home tab; what follows
	// is the press, and its value what the press is about.
	ActionHome = "parley_home_"
	// ActionModel begins the ids of the buttons that ask another model, which
	// have to differ within a block; Model is set.
	ActionModel = "parley_model_"
	// ActionComplaint begins the ids of the buttons that say what is wrong with an
	// answer; Complaint is set.
	ActionComplaint = "parley_complaint_"
	// ActionComment is the field in which to say so in one's own words. What it
	// holds takes the place of a value, so its block's id says what it is about.
	ActionComment = "parley_comment"
)

// Callback ids.
const (
	CallbackRemember = "remember_thread" // message shortcut: keep this thread as knowledge
	CallbackHome     = "home"            // the home tab
)

// What Slack takes as a button's value and as the id of a block, in characters.
const (
	MaxButtonValue = 2000
	MaxBlockID     = 255
)

// ButtonValue is what a button carries: a press tells where it was made but not
// which question the message answers.
type ButtonValue struct {
	Subject string `json:"subject"` // chat.Message.ID of the question
	// Fence and Reason are the chat.Token of the answer the button stands under.
	Fence   int64  `json:"fence,omitempty"`
	Reason  string `json:"reason,omitempty"`
	Verdict string `json:"verdict,omitempty"`
	Model   string `json:"model,omitempty"` // the name of a choice, never an id
	// Complaint is one of chat.Complaints.
	Complaint string `json:"complaint,omitempty"`
	// Conversation is the question's own, which place and thread do not give
	// for direct messages and slash commands.
	Conversation chat.Conversation `json:"conversation"`
}

// Encode returns the value for a button. It fails if Slack would refuse its size.
func (v ButtonValue) Encode() (string, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encode button value: %w", err)
	}
	if len(data) > MaxButtonValue {
		return "", fmt.Errorf("encode button value: %d bytes exceed Slack's %d", len(data), MaxButtonValue)
	}
	return string(data), nil
}

// BlockID is the id of a block that holds an input about v's answer: fence,
// thread and subject. What else v holds follows from where the input is used. It
// fails if Slack would refuse its size.
func (v ButtonValue) BlockID() (string, error) {
	id := fmt.Sprintf("%d %s %s", v.Fence, v.Conversation.Thread, v.Subject)
	if len(id) > MaxBlockID {
		return "", fmt.Errorf("encode block id: %d bytes exceed Slack's %d", len(id), MaxBlockID)
	}
	return id, nil
}

// decodeBlockID reads what BlockID wrote, of an input used in channel.
func decodeBlockID(id, app, channel string) (ButtonValue, error) {
	parts := strings.SplitN(id, " ", 3)
	if len(parts) != 3 || parts[2] == "" {
		return ButtonValue{}, errors.New("decode block id: not three words")
	}
	fence, err := strconv.ParseInt(parts[0], 10, 64)
	if err != nil {
		return ButtonValue{}, errors.New("decode block id: no fence")
	}
	return ButtonValue{Subject: parts[2], Fence: fence, Verdict: chat.Down, Complaint: chat.ComplaintOther,
		Conversation: chat.Conversation{Platform: chat.Slack, Tenant: app, Channel: channel, Thread: parts[1]}}, nil
}

// DecodeButtonValue reads what Encode wrote.
func DecodeButtonValue(s string) (ButtonValue, error) {
	var v ButtonValue
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		return v, fmt.Errorf("decode button value: %w", err)
	}
	if v.Subject == "" {
		return v, fmt.Errorf("decode button value: no subject")
	}
	return v, nil
}

// longestValue bounds, in bytes, what a press adds to an envelope. Encode's own
// values take about 200.
const longestValue = 500

// fits reports whether v belongs to this app and channel and is of a sensible
// size. Slack signs the press, but not that the button was ours.
func (v ButtonValue) fits(app, channel string) bool {
	c := v.Conversation
	if c != (chat.Conversation{}) &&
		(c.Platform != chat.Slack || c.Tenant != app || c.Channel != channel || !isID(channel)) {
		return false
	}
	return strings.HasPrefix(v.Subject, identityPrefix(app)) &&
		len(v.Subject)+len(v.Reason)+len(v.Verdict)+len(v.Model)+len(v.Complaint)+len(c.Thread) <= longestValue
}
