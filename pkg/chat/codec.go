package chat

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// Version is the newest wire version this build writes.
const Version = 1

// ErrVersion is returned for an envelope that a newer Parley wrote.
var ErrVersion = errors.New("envelope was written by a newer version of Parley; deploy that version to read it")

// MaxEnvelope is the size in bytes that an encoded message or reply stays under.
// SQS bills by 64 KB, and its attributes count.
const MaxEnvelope = 60 << 10

// envelope is the wire form. Exactly one of Message and Reply is set. Fields are
// only ever added; a change of meaning takes a new version.
type envelope struct {
	Version int        `json:"v"`
	Message *messageV1 `json:"message,omitempty"`
	Reply   *replyV1   `json:"reply,omitempty"`
}

// EncodeMessage returns the wire form of m. It fails if that exceeds MaxEnvelope.
func EncodeMessage(m Message) ([]byte, error) {
	return encode(envelope{Version: Version, Message: messageToV1(m)})
}

// EncodeReply returns the wire form of r. It fails if that exceeds MaxEnvelope.
func EncodeReply(r Reply) ([]byte, error) {
	return encode(envelope{Version: Version, Reply: replyToV1(r)})
}

// DecodeMessage reads a message in any version up to Version.
func DecodeMessage(data []byte) (Message, error) {
	e, err := decode(data)
	if err != nil {
		return Message{}, err
	}
	if e.Message == nil || e.Message.ID == "" {
		return Message{}, errors.New("decode message: the envelope holds no message")
	}
	return e.Message.message(), nil
}

// DecodeReply reads a reply in any version up to Version.
func DecodeReply(data []byte) (Reply, error) {
	e, err := decode(data)
	if err != nil {
		return Reply{}, err
	}
	if e.Reply == nil || e.Reply.MessageID == "" {
		return Reply{}, errors.New("decode reply: the envelope holds no reply")
	}
	return e.Reply.reply(), nil
}

func encode(e envelope) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(1 << 10)
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // code is full of < and &, and escapes take six bytes each
	if err := enc.Encode(e); err != nil {
		return nil, fmt.Errorf("encode envelope: %w", err)
	}
	data := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	if len(data) > MaxEnvelope {
		return nil, fmt.Errorf("encode envelope: %d bytes exceed the limit of %d", len(data), MaxEnvelope)
	}
	return data, nil
}

func decode(data []byte) (envelope, error) {
	var e envelope
	if err := json.Unmarshal(data, &e); err != nil {
		return e, fmt.Errorf("decode envelope: %w", err)
	}
	if e.Version > Version {
		return e, fmt.Errorf("decode envelope: version %d: %w", e.Version, ErrVersion)
	}
	if e.Version < 1 {
		return e, errors.New("decode envelope: no version")
	}
	return e, nil
}
