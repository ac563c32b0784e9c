package slack

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"parley/pkg/chat"
)

// Channel types as events carry them. Ids cannot tell: a private channel's may
// begin with C, a group message's with G or C.
const (
	TypeChannel = "channel" // public
	TypeGroup   = "group"   // private
	TypeIM      = "im"      // direct message with the app
	TypeMPIM    = "mpim"    // group message; behaves like a channel
)

// Route is how a message is answered: what a chat.Message carries in Route and
// only Slack packages read.
type Route struct {
	AppID       string `json:"app"`
	Team        string `json:"team,omitempty"` // of the installation
	Channel     string `json:"channel"`
	ChannelType string `json:"channel_type,omitempty"` // one of the Type constants, empty if not told
	// ThreadTS is the root to reply under. It is empty only for slash commands,
	// which are answered through ResponseURL, and where Parley speaks to a channel
	// by itself, to no User. A message that is not in a thread
	// is its own root, also in a direct message: streams exist in threads only.
	ThreadTS string `json:"thread_ts,omitempty"`
	// TS is the message itself, for reactions; of a button's press, the message
	// that holds the button.
	TS       string `json:"ts,omitempty"`
	User     string `json:"user,omitempty"`      // who acted
	UserTeam string `json:"user_team,omitempty"` // that person's workspace
	BotUser  string `json:"bot_user,omitempty"`  // Parley's own user id there
	// ResponseURL answers a slash command or a press without the bot being in
	// the channel. Whoever holds it may post for half an hour: it is not logged.
	ResponseURL string `json:"response_url,omitempty"`
	ExtShared   bool   `json:"ext_shared,omitempty"` // shared with another organisation
	// Viewing is the channel the person had open beside Parley, and ViewingTS the
	// message in it, if it was one.
	Viewing   string `json:"viewing,omitempty"`
	ViewingTS string `json:"viewing_ts,omitempty"`
}

// ParseRoute reads the Route of a message.
func ParseRoute(raw json.RawMessage) (Route, error) {
	var r Route
	if err := json.Unmarshal(raw, &r); err != nil {
		return Route{}, fmt.Errorf("read slack route: %w", err)
	}
	if r.Channel == "" && r.ResponseURL == "" {
		return Route{}, errors.New("read slack route: neither channel nor response_url")
	}
	return r, nil
}

// JSON is the form of r that ParseRoute reads.
func (r Route) JSON() json.RawMessage {
	data, err := json.Marshal(r)
	if err != nil {
		panic(err) // strings and a bool always marshal
	}
	return data
}

// take has m answered by r, for the workspace that r is of.
func (r Route) take(m *chat.Message) { m.Route, m.Workspace = r.JSON(), r.Team }

// LogValue keeps ResponseURL out of logs.
func (r Route) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("app", r.AppID), slog.String("team", r.Team),
		slog.String("channel", r.Channel), slog.String("thread_ts", r.ThreadTS), slog.String("ts", r.TS))
}
