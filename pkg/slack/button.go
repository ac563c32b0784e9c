package slack

import (
	"encoding/json"
	"fmt"
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
	ActionFeedback   = "parley_feedback" // a feedback_buttons element; Verdict is set
	// ActionModel begins the ids of the buttons that ask another model, which
	// have to differ within a block; Model is set.
	ActionModel = "parley_model_"
)

// Callback ids.
const (
	CallbackRemember = "remember_thread" // message shortcut: keep this thread as knowledge
	CallbackFeedback = "feedback_reason" // modal that asks why an answer was bad
)

// FieldReason is the block id and the action id of that modal's one input. The
// modal's private metadata is a ButtonValue with its Conversation.
const FieldReason = "reason"

// Verdicts of a feedback button.
const (
	VerdictUp   = "up"
	VerdictDown = "down"
)

// MaxButtonValue is what Slack takes as a button's value, in characters.
const MaxButtonValue = 2000

// ButtonValue is what a button carries: a press tells where it was made but not
// which question the message answers.
type ButtonValue struct {
	Subject string `json:"subject"` // chat.Message.ID of the question
	// Fence and Reason are the chat.Token of the answer the button stands under.
	Fence   int64  `json:"fence,omitempty"`
	Reason  string `json:"reason,omitempty"`
	Verdict string `json:"verdict,omitempty"`
	Model   string `json:"model,omitempty"` // the name of a choice, never an id
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
		len(v.Subject)+len(v.Reason)+len(v.Verdict)+len(v.Model)+len(c.Thread) <= longestValue
}
