package slack

import (
	"bytes"
	"encoding/json"
	"errors"
	"hash/maphash"
	"sync/atomic"
)

// envelope is the outer form of what the Events API sends: the few fields read
// here. Documented at docs.slack.dev/apis/events-api.
type envelope struct {
	Type              recent `json:"type"`
	Challenge         string `json:"challenge"`
	AppID             recent `json:"api_app_id"`
	EventID           string `json:"event_id"`
	TeamID            recent `json:"team_id"`
	EnterpriseID      recent `json:"enterprise_id"` // of the person's organisation
	ContextTeam       recent `json:"context_team_id"`
	ContextEnterprise recent `json:"context_enterprise_id"`
	// Authorizations are the installations that see an event. Slack sends only one;
	// its fields are empty where Slack sends none.
	Authorizations [1]authorization `json:"authorizations"`
	ExtShared      answer           `json:"is_ext_shared_channel"`
	Event          event            `json:"event"`
}

type authorization struct {
	TeamID       recent `json:"team_id"`
	EnterpriseID recent `json:"enterprise_id"`
	UserID       recent `json:"user_id"`
	IsBot        bool   `json:"is_bot"`
}

// event is any inner event, and a message within one.
type event struct {
	Type        recent   `json:"type"`
	Subtype     recent   `json:"subtype"`
	Channel     string   `json:"channel"`
	ChannelType recent   `json:"channel_type"`
	User        string   `json:"user"`
	UserTeam    recent   `json:"user_team"`
	SourceTeam  recent   `json:"source_team"`
	Team        recent   `json:"team"`
	BotID       presence `json:"bot_id"`
	BotProfile  presence `json:"bot_profile"`
	AppID       recent   `json:"app_id"`
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

// recent is a string that many events share: a type, an installation's id. What was decoded lately is used again and takes no memory of its own.
type recent string

// lately holds such strings, each where its hash says.
var lately [64]atomic.Pointer[string]

var latelySeed = maphash.MakeSeed()

// UnmarshalText implements encoding.TextUnmarshaler.
func (r *recent) UnmarshalText(text []byte) error {
	kept := &lately[maphash.Bytes(latelySeed, text)%uint64(len(lately))]
	if s := kept.Load(); s != nil && *s == string(text) {
		*r = recent(*s)
		return nil
	}
	s := string(text)
	if len(s) <= longestID {
		kept.Store(&s)
	}
	*r = recent(s)
	return nil
}

// answer is a boolean that Slack may leave out.
type answer int

const (
	untold answer = iota
	no
	yes
)

func (a *answer) UnmarshalJSON(data []byte) error {
	switch string(data) {
	case "true":
		*a = yes
	case "false":
		*a = no
	}
	return nil
}

// longestID is far above any id Slack issues; it keeps envelopes bounded.
const longestID = 64

// isID reports whether s can be one of Slack's ids. It keeps what separates the
// parts of our own identities out of them.
func isID[S ~string](s S) bool {
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
func id[S ~string](s S) string {
	if isID(s) {
		return string(s)
	}
	return ""
}
