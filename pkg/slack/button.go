package slack

import (
	"encoding/json"
	"fmt"

	"parley/pkg/chat"
)

// Action ids of the buttons under an answer. The value of each is a ButtonValue.
const (
	ActionRetry      = "parley_retry"
	ActionRegenerate = "parley_regenerate"
	ActionStop       = "parley_stop"
	ActionFeedback   = "parley_feedback" // a feedback_buttons element; Verdict is set
)

// Callback ids.
const (
	CallbackRemember = "remember_thread" // message shortcut: keep this thread as knowledge
	CallbackFeedback = "feedback_reason" // modal that asks why an answer was bad
)

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
