package dingtalk

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// robotMessage is the part of a robot message that Parley reads. Every field
// accepts any JSON type: what cannot be read is absent.
// Source: open.dingtalk.com "receive-message", the Stream SDKs' models.
type robotMessage struct {
	MsgType          scalar        `json:"msgtype"`
	Text             object[text]  `json:"text"`
	Content          object[body]  `json:"content"`
	MsgID            scalar        `json:"msgId"`
	CreateAt         scalar        `json:"createAt"`
	ConversationType scalar        `json:"conversationType"`
	ConversationID   scalar        `json:"conversationId"`
	SenderID         scalar        `json:"senderId"`
	SenderStaffID    scalar        `json:"senderStaffId"`
	SenderNick       scalar        `json:"senderNick"`
	SenderCorpID     scalar        `json:"senderCorpId"`
	ChatbotCorpID    scalar        `json:"chatbotCorpId"`
	RobotCode        scalar        `json:"robotCode"`
	InAtList         scalar        `json:"isInAtList"`
	SessionWebhook   scalar        `json:"sessionWebhook"`
	WebhookExpires   scalar        `json:"sessionWebhookExpiredTime"`
	RepliedMsg       object[quote] `json:"repliedMsg"`
	Encrypt          scalar        `json:"encrypt"`
}

// text is the content of a text message.
type text struct {
	Content    scalar        `json:"content"`
	RepliedMsg object[quote] `json:"repliedMsg"`
}

// body is the content of any other message.
type body struct {
	piece
	RepliedMsg object[quote] `json:"repliedMsg"`
}

// quote is the message a person replied to. What that one quoted is not read,
// which also bounds how deep a payload is followed.
type quote struct {
	MsgType    scalar        `json:"msgType"`
	MsgID      scalar        `json:"msgId"`
	SenderNick scalar        `json:"senderNick"`
	Content    object[piece] `json:"content"`
}

// piece is what a message of any type can hold, all types in one.
type piece struct {
	Text                scalar       `json:"text"` // of quoted texts
	RichText            list[item]   `json:"richText"`
	DownloadCode        scalar       `json:"downloadCode"`
	PictureDownloadCode scalar       `json:"pictureDownloadCode"`
	Recognition         scalar       `json:"recognition"` // DingTalk's own speech to text
	FileName            scalar       `json:"fileName"`
	VideoType           scalar       `json:"videoType"`
	Title               scalar       `json:"title"`
	Summary             scalar       `json:"summary"`
	Link                scalar       `json:"biz_custom_action_url"`
	Unknown             scalar       `json:"unknownMsgType"`
	ChatRecord          list[record] `json:"chatRecord"`
}

// item is a piece of rich text; within a quote its text is in Content.
type item struct {
	Type                scalar `json:"type"`
	MsgType             scalar `json:"msgType"`
	Text                scalar `json:"text"`
	Content             scalar `json:"content"`
	AtName              scalar `json:"atName"`
	DownloadCode        scalar `json:"downloadCode"`
	PictureDownloadCode scalar `json:"pictureDownloadCode"`
}

// record is one message of a forwarded history. Its shape is not documented;
// these are the names seen.
type record struct {
	SenderNick scalar `json:"senderNick"`
	SenderName scalar `json:"senderName"`
	Text       scalar `json:"text"`
	Content    scalar `json:"content"`
}

// scalar is a string, number or boolean in its text form; anything else is "".
type scalar string

// UnmarshalJSON never fails.
func (s *scalar) UnmarshalJSON(data []byte) error {
	*s = ""
	switch {
	case len(data) == 0 || data[0] == '{' || data[0] == '[' || string(data) == "null":
	case data[0] == '"':
		var v string
		if json.Unmarshal(data, &v) == nil {
			*s = scalar(v)
		}
	default:
		*s = scalar(data)
	}
	return nil
}

// param is a scalar, or a list of them joined by commas.
type param string

// UnmarshalJSON never fails.
func (p *param) UnmarshalJSON(data []byte) error {
	var one scalar
	var many list[scalar]
	if len(data) == 0 || data[0] != '[' {
		_ = one.UnmarshalJSON(data)
		*p = param(one)
		return nil
	}
	_ = many.UnmarshalJSON(data)
	parts := make([]string, len(many))
	for i, s := range many {
		parts[i] = string(s)
	}
	*p = param(strings.Join(parts, ", "))
	return nil
}

// time reads Unix milliseconds, zero if s holds none that a calendar has.
func (s scalar) time() time.Time {
	ms, err := strconv.ParseFloat(string(s), 64)
	if err != nil || ms < 1 || ms >= 253402300800000 { // the year 10000
		return time.Time{}
	}
	return time.UnixMilli(int64(ms)).UTC()
}

// object is a T, also when it comes as a string that holds one.
type object[T any] struct {
	Value T
	Set   bool
}

// UnmarshalJSON never fails.
func (o *object[T]) UnmarshalJSON(data []byte) error {
	*o = object[T]{}
	if data = inner(data); len(data) == 0 || data[0] != '{' {
		return nil
	}
	if json.Unmarshal(data, &o.Value) == nil {
		o.Set = true
	}
	return nil
}

// list is a slice of T without the elements that are none, also when it comes
// as a string that holds one.
type list[T any] []T

// UnmarshalJSON never fails.
func (l *list[T]) UnmarshalJSON(data []byte) error {
	*l = nil
	var raw []json.RawMessage
	if json.Unmarshal(inner(data), &raw) != nil {
		return nil
	}
	for _, r := range raw {
		var v T
		if json.Unmarshal(r, &v) == nil {
			*l = append(*l, v)
		}
	}
	return nil
}

// inner unwraps JSON that was encoded into a JSON string.
func inner(data []byte) []byte {
	if len(data) == 0 || data[0] != '"' {
		return data
	}
	var s string
	if json.Unmarshal(data, &s) != nil {
		return nil
	}
	return bytes.TrimSpace([]byte(s))
}
