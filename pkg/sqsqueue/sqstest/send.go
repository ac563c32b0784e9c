package sqstest

import (
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

type attribute struct {
	DataType    string
	StringValue *string `json:",omitempty"`
	BinaryValue []byte  `json:",omitempty"`
}

type sendInput struct {
	ID                     string `json:"Id"` // in a batch
	QueueURL               string `json:"QueueUrl"`
	MessageBody            string
	MessageGroupID         string `json:"MessageGroupId"`
	MessageDeduplicationID string `json:"MessageDeduplicationId"`
	MessageAttributes      map[string]attribute
	DelaySeconds           int
}

type sendOutput struct {
	ID                     string `json:"Id,omitempty"`
	MessageID              string `json:"MessageId"`
	MD5OfMessageBody       string
	MD5OfMessageAttributes string `json:",omitempty"`
	SequenceNumber         string
}

func (s *Server) sendMessage(in sendInput) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.queue(in.QueueURL)
	if err != nil {
		return nil, err
	}
	if err := check(in); err != nil {
		return nil, err
	}
	return s.accept(q, in), nil
}

func (s *Server) sendMessageBatch(in struct {
	QueueURL string `json:"QueueUrl"`
	Entries  []sendInput
}) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.queue(in.QueueURL)
	if err != nil {
		return nil, err
	}
	size := 0
	ids := make([]string, len(in.Entries))
	for i, e := range in.Entries {
		ids[i] = e.ID
		size += e.size()
	}
	if err := checkBatch(ids); err != nil {
		return nil, err
	}
	if size > maxSize {
		return nil, refuse("BatchRequestTooLong", "the entries are too long in all")
	}
	var b batchOutput
	for _, e := range in.Entries {
		if err := check(e); err != nil {
			b.fail(e.ID, err)
			continue
		}
		out := s.accept(q, e)
		out.ID = e.ID
		b.Successful = append(b.Successful, out)
	}
	return b, nil
}

type batchOutput struct {
	Successful []any         `json:",omitempty"`
	Failed     []batchFailed `json:",omitempty"`
}

type batchFailed struct {
	ID          string `json:"Id"`
	Code        string
	Message     string
	SenderFault bool
}

func (b *batchOutput) fail(id string, err error) {
	code, text, _ := strings.Cut(err.Error(), ": ")
	b.Failed = append(b.Failed, batchFailed{id, code, text, true})
}

func checkBatch(ids []string) error {
	switch {
	case len(ids) == 0:
		return refuse("EmptyBatchRequest", "there are no entries")
	case len(ids) > maxBatch:
		return refuse("TooManyEntriesInBatchRequest", "there are more than ten entries")
	}
	slices.Sort(ids)
	if len(slices.Compact(ids)) != len(ids) {
		return refuse("BatchEntryIdsNotDistinct", "two entries have one id")
	}
	return nil
}

func (in sendInput) size() int {
	n := len(in.MessageBody)
	for name, a := range in.MessageAttributes {
		n += len(name) + len(a.DataType) + len(a.BinaryValue)
		if a.StringValue != nil {
			n += len(*a.StringValue)
		}
	}
	return n
}

func check(in sendInput) error {
	switch {
	case in.MessageBody == "":
		return refuse("MissingParameter", "The request must contain the parameter MessageBody.")
	case !legalText(in.MessageBody):
		return refuse("InvalidMessageContents", "The body holds characters outside the allowed set.")
	case in.MessageGroupID == "":
		return refuse("MissingParameter", "The request must contain the parameter MessageGroupId.")
	case in.MessageDeduplicationID == "":
		return refuse("InvalidParameterValue", "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly")
	case !legalID(in.MessageGroupID), !legalID(in.MessageDeduplicationID):
		return refuse("InvalidParameterValue", "An id can only include alphanumeric and punctuation characters, 1 to 128 in length")
	case in.DelaySeconds != 0:
		return refuse("InvalidParameterValue", "The request include parameter that is not valid for this queue type: DelaySeconds")
	case in.size() > maxSize:
		return refuse("InvalidParameterValue", "One or more parameters are invalid. Reason: Message must be shorter than 1048576 bytes.")
	case len(in.MessageAttributes) > 10:
		return refuse("InvalidParameterValue", "Number of message attributes exceeds the allowed maximum [10].")
	}
	for name, a := range in.MessageAttributes {
		if err := checkAttribute(name, a); err != nil {
			return err
		}
	}
	return nil
}

func checkAttribute(name string, a attribute) error {
	lower := strings.ToLower(name)
	bad := strings.ContainsFunc(name, func(r rune) bool {
		return r != '_' && r != '-' && r != '.' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
	switch {
	case name == "" || len(name) > 256 || bad || strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".") || strings.Contains(name, ".."),
		strings.HasPrefix(lower, "aws."), strings.HasPrefix(lower, "amazon."):
		return refuse("InvalidParameterValue", fmt.Sprintf("Invalid attribute name %q", name))
	case a.DataType != "String" || a.StringValue == nil:
		return refuse("UnsupportedOperation", "the fake knows attributes of type String only")
	case *a.StringValue == "" || !legalText(*a.StringValue):
		return refuse("InvalidParameterValue", fmt.Sprintf("The value of attribute %q is empty or holds characters outside the allowed set", name))
	}
	return nil
}

func legalText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff
	})
}

func legalID(s string) bool {
	return len(s) <= 128 && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// accept stores a message, unless its deduplication id is remembered: the answer
// is then the first message's. A repeat does not renew the memory.
func (s *Server) accept(q *queue, in sendInput) sendOutput {
	now := time.Now()
	out := sendOutput{MD5OfMessageBody: sum([]byte(in.MessageBody)), MD5OfMessageAttributes: sumAttributes(in.MessageAttributes)}
	key := dedupKey{id: in.MessageDeduplicationID}
	if q.DedupByGroup {
		key.group = in.MessageGroupID
	}
	if e, ok := q.dedup[key]; ok && now.Sub(e.at) < dedupWindow {
		out.MessageID, out.SequenceNumber = e.id, e.seq
		return out
	}
	m := &message{
		id: s.newID("message"), group: in.MessageGroupID, dedup: in.MessageDeduplicationID,
		body: in.MessageBody, attributes: in.MessageAttributes,
	}
	q.append(m, now)
	q.dedup[key] = dedupEntry{now, m.id, m.seq}
	s.wake()
	out.MessageID, out.SequenceNumber = m.id, m.seq
	return out
}

// append puts m at the end of q as a message sent now.
func (q *queue) append(m *message, now time.Time) {
	q.seq++
	m.seq = strconv.FormatInt(18_850_000_000_000_000_000/100+q.seq, 10)
	m.sentAt = now
	q.messages = append(q.messages, m)
}

func sum(b []byte) string {
	h := md5.Sum(b)
	return hex.EncodeToString(h[:])
}

// sumAttributes is the digest the developer guide describes: attributes in order
// of name, each as length-prefixed name and type, 1 for a string, and value.
func sumAttributes(attributes map[string]attribute) string {
	if len(attributes) == 0 {
		return ""
	}
	var b []byte
	part := func(s string) {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		part(name)
		part(attributes[name].DataType)
		b = append(b, 1)
		part(*attributes[name].StringValue)
	}
	return sum(b)
}
