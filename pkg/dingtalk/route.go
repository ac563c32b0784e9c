package dingtalk

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Conversation types as messages carry them.
const (
	Direct = "1"
	Group  = "2"
)

// Route is how a message is answered: what a chat.Message carries in Route and
// only DingTalk packages read.
type Route struct {
	RobotCode        string `json:"robotCode"`
	ConversationType string `json:"conversationType"` // Direct or Group
	// ConversationID is a group's openConversationId. That of a direct chat is
	// worth nothing to DingTalk's APIs: people are addressed by SenderStaffID.
	ConversationID string `json:"conversationId"`
	// SenderStaffID is the person's userId within the organisation; empty for
	// people outside it, who can be answered through SessionWebhook alone.
	SenderStaffID string `json:"senderStaffId,omitempty"`
	SenderID      string `json:"senderId,omitempty"`
	SenderNick    string `json:"senderNick,omitempty"`
	// MsgID is the message itself, for reactions; empty for a card's button.
	MsgID string `json:"msgId,omitempty"`
	// SessionWebhook answers without a token until Expires. Whoever holds it may
	// post: it is not logged and never part of an error.
	SessionWebhook string    `json:"sessionWebhook,omitempty"`
	Expires        time.Time `json:"expires,omitzero"`
}

// InGroup reports whether the message came from a group.
func (r Route) InGroup() bool { return r.ConversationType == Group }

// ParseRoute reads the Route of a message.
func ParseRoute(raw json.RawMessage) (Route, error) {
	var r Route
	if err := json.Unmarshal(raw, &r); err != nil {
		return Route{}, fmt.Errorf("read dingtalk route: %w", err)
	}
	if r.ConversationID == "" && r.SenderStaffID == "" && r.SessionWebhook == "" {
		return Route{}, errors.New("read dingtalk route: neither conversation nor person nor webhook")
	}
	return r, nil
}

// JSON is the form of r that ParseRoute reads.
func (r Route) JSON() json.RawMessage {
	data, err := json.Marshal(r)
	if err != nil {
		panic(err) // strings and a time between 1970 and 9999 always marshal
	}
	return data
}

// LogValue keeps SessionWebhook out of logs.
func (r Route) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("robot", r.RobotCode), slog.String("type", r.ConversationType),
		slog.String("conversation", r.ConversationID), slog.String("msg", r.MsgID))
}

// platformHosts are the hosts DingTalk serves session webhooks from.
var platformHosts = []string{"oapi.dingtalk.com", "api.dingtalk.com"}

// WebhookAllowed reports whether raw may be called: https on one of DingTalk's
// own hosts, or exactly one of the trusted hosts ("host:port", or "host" for the
// scheme's default port), which come from the configuration. The body of a
// callback is not signed, so a webhook in it proves nothing about its target.
func WebhookAllowed(raw string, trusted []string) bool {
	u, err := url.Parse(raw)
	if err != nil || u.User != nil || u.Host == "" || u.Opaque != "" {
		return false
	}
	if (u.Scheme == "https" || u.Scheme == "http") && slices.Contains(trusted, u.Host) {
		return true
	}
	if u.Scheme != "https" || (u.Port() != "" && u.Port() != "443") {
		return false
	}
	return slices.Contains(platformHosts, strings.ToLower(u.Hostname()))
}
