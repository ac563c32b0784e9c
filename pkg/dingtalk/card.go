package dingtalk

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

// Names of the card template's variables and of the parameters its buttons send
// back. A template binds each button's request to the parameters
// {"action": one of the Action constants, "parley": ${parley}}.
const (
	VarContent  = "content"  // streaming Markdown: the answer
	VarValue    = "parley"   // a CardValue, to be sent back unchanged
	VarFeedback = "feedback" // private to each person: "up" or "down"
	paramAction = "action"
)

// Actions of a card's buttons.
const (
	ActionUp         = "up"
	ActionDown       = "down"
	ActionStop       = "stop"
	ActionRetry      = "retry"
	ActionRegenerate = "regenerate"
)

// actions also has the names that DingTalk's own feedback components send.
var actions = map[string]struct {
	kind  chat.Kind
	value string
}{
	ActionUp:         {chat.KindFeedback, ActionUp},
	"like":           {chat.KindFeedback, ActionUp},
	"feedback_up":    {chat.KindFeedback, ActionUp},
	ActionDown:       {chat.KindFeedback, ActionDown},
	"dislike":        {chat.KindFeedback, ActionDown},
	"feedback_down":  {chat.KindFeedback, ActionDown},
	"submit_dislike": {chat.KindFeedback, ActionDown},
	ActionStop:       {kind: chat.KindStop},
	ActionRetry:      {kind: chat.KindRetry},
	ActionRegenerate: {kind: chat.KindRegenerate},
}

// MaxCardValue is what DingTalk takes as the value of a card variable, in bytes
// (open.dingtalk.com, "create-and-deliver-cards").
const MaxCardValue = 1000

// CardValue is what a card carries for its buttons: a press tells who pressed
// where, but not which question the card answers.
type CardValue struct {
	Subject string `json:"s"` // chat.Message.ID of the question
	Asker   string `json:"a,omitempty"`
	// Fence and Reason are the chat.Token of the answer that the card shows.
	Fence            int64             `json:"f,omitempty"`
	Reason           string            `json:"r,omitempty"`
	Conversation     chat.Conversation `json:"c"`
	ConversationType string            `json:"t,omitempty"` // Direct or Group
}

// Encode returns the value for VarValue. It fails if DingTalk would refuse its
// size. It is base64, because templates paste variables into JSON.
func (v CardValue) Encode() (string, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encode card value: %w", err)
	}
	s := base64.RawURLEncoding.EncodeToString(data)
	if len(s) > MaxCardValue {
		return "", fmt.Errorf("encode card value: %d bytes exceed DingTalk's %d", len(s), MaxCardValue)
	}
	return s, nil
}

// DecodeCardValue reads what Encode wrote.
func DecodeCardValue(s string) (CardValue, error) {
	var v CardValue
	data, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return v, errors.New("decode card value: not base64")
	}
	if err := json.Unmarshal(data, &v); err != nil {
		return v, errors.New("decode card value: not JSON")
	}
	if v.Subject == "" || v.Conversation.Channel == "" || v.Conversation.Platform != chat.DingTalk {
		return v, errors.New("decode card value: no subject or conversation")
	}
	return v, nil
}

// cardCallback is the part of a card callback that Parley reads.
// Source: open.dingtalk.com "event-callback-card", the Stream SDKs' models.
type cardCallback struct {
	OutTrackID scalar              `json:"outTrackId"`
	CorpID     scalar              `json:"corpId"`
	UserID     scalar              `json:"userId"`
	Content    object[cardContent] `json:"content"`
	Value      object[cardContent] `json:"value"` // older spelling
}

type cardContent struct {
	Private object[cardPress] `json:"cardPrivateData"`
}

type cardPress struct {
	ActionIDs list[scalar]             `json:"actionIds"`
	Params    object[map[string]param] `json:"params"`
}

// Card decodes an authenticated card callback: the body of an HTTP callback or
// the data of a Stream frame. Parsed.Response.Body is the update of the card that
// DingTalk expects within two seconds; a Stream frame's acknowledgement wraps it
// in {"response": ...}.
func (p *Parser) Card(data []byte, now time.Time) (pipeline.Parsed, error) {
	var c cardCallback
	if err := json.Unmarshal(data, &c); err != nil {
		return pipeline.Parsed{}, malformed(errors.New("not a JSON object"))
	}
	press := c.press()
	action, known := actions[press.action()]
	if !known {
		return pipeline.Parsed{Ignored: IgnoredAction, Response: empty}, nil
	}
	v, err := DecodeCardValue(string(press.Params.Value[VarValue]))
	if err != nil {
		return pipeline.Parsed{}, malformed(err)
	}
	if err := p.ours(v.Conversation.Tenant, string(c.CorpID)); err != nil {
		return pipeline.Parsed{}, err
	}
	if action.kind == chat.KindStop && v.Asker != "" && v.Asker != string(c.UserID) {
		return pipeline.Parsed{Ignored: IgnoredStranger, Response: empty}, nil
	}
	if c.UserID == "" || !bounded(string(c.UserID), maxID) || !bounded(v.Subject, 2*maxID) {
		return pipeline.Parsed{}, malformed(errors.New("no person or no subject"))
	}
	m := v.message(string(c.UserID), action.kind, now)
	m.Author.Team = cleanLine(string(c.CorpID), maxName)
	m.Workspace = m.Author.Team
	m.Value = action.value
	if m.Kind == chat.KindFeedback {
		m.Text = press.complaint()
		// People change their minds, and the last verdict counts.
		m.ID += ":" + strconv.FormatInt(now.UnixMilli(), 10)
	}
	return pipeline.Parsed{Messages: []chat.Message{m}, Response: shown(m)}, nil
}

func (c *cardCallback) press() cardPress {
	if c.Content.Set {
		return c.Content.Value.Private.Value
	}
	return c.Value.Value.Private.Value
}

// action is what the button says it does, else its id.
func (c cardPress) action() string {
	if a := c.Params.Value[paramAction]; a != "" {
		return string(a)
	}
	if len(c.ActionIDs) > 0 {
		return string(c.ActionIDs[0])
	}
	return ""
}

// complaint is what a person wrote to explain a verdict.
func (c cardPress) complaint() string {
	p := c.Params.Value
	both := string(p["dislike_reason"]) + "\n" + string(p["custom_dislike_reason"])
	return clean(both, maxQuote)
}

// message is a press by user. It has no time of its own on the wire; now is when
// it arrived. The same press delivered twice is one gesture: the fence changes
// with the state that the button acts on.
func (v CardValue) message(user string, kind chat.Kind, now time.Time) chat.Message {
	m := chat.Message{
		ID:   strings.Join([]string{v.Subject, string(kind), user, strconv.FormatInt(v.Fence, 10)}, ":"),
		Kind: kind, Subject: v.Subject, Conversation: v.Conversation,
		Author: chat.Author{ID: user}, SentAt: now.UTC(),
		Route: Route{
			RobotCode: v.Conversation.Tenant, ConversationType: v.ConversationType,
			ConversationID: v.Conversation.Channel, SenderStaffID: user,
		}.JSON(),
	}
	if kind == chat.KindRetry || kind == chat.KindRegenerate {
		m.Token = &chat.Token{Fence: v.Fence, Reason: v.Reason}
	}
	return m
}

// shown is how the card changes at once for the person who pressed.
func shown(m chat.Message) pipeline.Response {
	if m.Kind != chat.KindFeedback {
		return empty
	}
	body, err := json.Marshal(map[string]any{
		"cardUpdateOptions": map[string]bool{"updateCardDataByKey": true, "updatePrivateDataByKey": true},
		"cardData":          map[string]any{"cardParamMap": map[string]string{}},
		"userPrivateData":   map[string]any{"cardParamMap": map[string]string{VarFeedback: m.Value}},
	})
	if err != nil {
		panic(err) // strings and booleans always marshal
	}
	return pipeline.Response{Status: 200, ContentType: empty.ContentType, Body: body}
}
