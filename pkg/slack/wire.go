package slack

import (
	"bytes"
	"encoding/json"
	"errors"
)

// envelope is the outer form of what the Events API sends: the few fields read
// here. Documented at docs.slack.dev/apis/events-api.
type envelope struct {
	Type              string          `json:"type"`
	Challenge         string          `json:"challenge"`
	AppID             string          `json:"api_app_id"`
	EventID           string          `json:"event_id"`
	TeamID            string          `json:"team_id"`
	EnterpriseID      string          `json:"enterprise_id"` // of the person's organisation
	ContextTeam       string          `json:"context_team_id"`
	ContextEnterprise string          `json:"context_enterprise_id"`
	Authorizations    []authorization `json:"authorizations"`
	// ExtShared is nil where Slack does not tell.
	ExtShared *bool `json:"is_ext_shared_channel"`
	Event     event `json:"event"`
}

// authorization is an installation that sees an event. Slack sends only one.
type authorization struct {
	TeamID       string `json:"team_id"`
	EnterpriseID string `json:"enterprise_id"`
	UserID       string `json:"user_id"`
	IsBot        bool   `json:"is_bot"`
}

// event is any inner event, and a message within one.
type event struct {
	Type        string   `json:"type"`
	Subtype     string   `json:"subtype"`
	Channel     string   `json:"channel"`
	ChannelType string   `json:"channel_type"`
	User        string   `json:"user"`
	UserTeam    string   `json:"user_team"`
	SourceTeam  string   `json:"source_team"`
	Team        string   `json:"team"`
	BotID       presence `json:"bot_id"`
	BotProfile  presence `json:"bot_profile"`
	AppID       string   `json:"app_id"`
	Text        string   `json:"text"`
	// Blocks are looked into only where Text is empty: their elements change
	// more often than anything else Slack sends.
	Blocks    json.RawMessage `json:"blocks"`
	Files     []file          `json:"files"`
	TS        string          `json:"ts"`
	ThreadTS  string          `json:"thread_ts"`
	EventTS   string          `json:"event_ts"`
	DeletedTS string          `json:"deleted_ts"`
	Edited    struct {
		User string `json:"user"`
		TS   string `json:"ts"`
	} `json:"edited"`
	Tab        string `json:"tab"`         // of app_home_opened: home or messages
	View       shown  `json:"view"`        // of app_home_opened: the home tab as it stands
	Context    view   `json:"context"`     // of app_home_opened and app_context_changed
	AppContext view   `json:"app_context"` // of a message to the agent
	Thread     struct {
		User     string `json:"user_id"`
		Channel  string `json:"channel_id"`
		ThreadTS string `json:"thread_ts"`
		Context  view   `json:"context"`
	} `json:"assistant_thread"`
	Message  *event `json:"message"`
	Previous *event `json:"previous_message"`
}

type file struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	MIMEType string `json:"mimetype"`
	Mode     string `json:"mode"`
	Size     int64  `json:"size"`
	External bool   `json:"is_external"`
	URL      string `json:"url_private"`
	Download string `json:"url_private_download"`
}

// decode reads data into v as far as the types fit: a field of another type than
// expected stays zero. It fails only for what is not JSON.
func decode(data []byte, v any) error {
	err := json.Unmarshal(data, v)
	if err == nil {
		return nil
	}
	if mismatch := (*json.UnmarshalTypeError)(nil); errors.As(err, &mismatch) {
		return nil // the decoder has filled in everything else
	}
	return err
}

// presence is true for a field that holds anything, whatever its type: a bot's
// post must not pass for a person's because a field changed its form.
type presence bool

func (p *presence) UnmarshalJSON(data []byte) error {
	*p = presence(!bytes.Equal(data, []byte("null")) && !bytes.Equal(data, []byte(`""`)))
	return nil
}

// longestID is far above any id Slack issues; it keeps envelopes bounded.
const longestID = 64

// isID reports whether s can be one of Slack's ids. It keeps what separates the
// parts of our own identities out of them.
func isID(s string) bool {
	if s == "" || len(s) > longestID {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

// id returns s if it can be an id, else "".
func id(s string) string {
	if isID(s) {
		return s
	}
	return ""
}
