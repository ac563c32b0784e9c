package dingtest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
	"time"
)

// Inbound is a message that a person sends to the robot.
type Inbound struct {
	MsgID string // made up if empty
	Text  string
	Group string // the conversationId of a group; empty for a direct chat
	Staff string // "manager4821" if empty
	Nick  string
	// WebhookLife is how long the session webhook lasts: ninety minutes.
	WebhookLife time.Duration
	// Fields are added to the body, or replace its own; nil removes one.
	Fields map[string]any
}

// Said returns the body of a robot message, for an HTTP callback and for Push.
// Its session webhook works.
func (s *Server) Said(in Inbound) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if in.Staff == "" {
		in.Staff = "manager4821"
	}
	if in.MsgID == "" {
		in.MsgID = s.next("msg") + "=="
	}
	if in.WebhookLife == 0 {
		in.WebhookLife = 90 * time.Minute
	}
	now := s.Now()
	where, kind, id := in.Staff, "1", "cidDirect-"+in.Staff
	if in.Group != "" {
		where, kind, id = in.Group, "2", in.Group
		s.groups[in.Group] = true
	}
	name := s.next("session")
	s.sessions[name] = &session{conversation: where, expires: now.Add(in.WebhookLife)}
	body := map[string]any{
		"msgtype": "text", "text": map[string]any{"content": in.Text}, "msgId": in.MsgID,
		"createAt": now.UnixMilli(), "conversationType": kind, "conversationId": id,
		"senderId": "$:LWCP_v1:$" + in.Staff, "senderStaffId": in.Staff, "senderNick": in.Nick,
		"senderCorpId": s.CorpID, "chatbotCorpId": s.CorpID, "robotCode": s.RobotCode,
		"sessionWebhook":            s.OAPIURL + "/robot/sendBySession?session=" + name,
		"sessionWebhookExpiredTime": now.Add(in.WebhookLife).UnixMilli(),
	}
	if in.Group != "" {
		body["isInAtList"] = true
	}
	maps.Copy(body, in.Fields)
	maps.DeleteFunc(body, func(_ string, v any) bool { return v == nil })
	return encode(body)
}

// Press is what DingTalk sends when a person presses a card's button whose
// request has the parameter action and the card's own "parley" variable.
func (s *Server) Press(outTrackID, staff, action string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	params := map[string]any{"action": action}
	if c := s.cards[outTrackID]; c != nil {
		params["parley"] = c.Params["parley"]
	}
	content := encode(map[string]any{"cardPrivateData": map[string]any{"actionIds": []string{action}, "params": params}})
	return encode(map[string]any{
		"type": "actionCallback", "outTrackId": outTrackID, "corpId": s.CorpID,
		"userId": staff, "userIdType": 1, "content": string(content),
	})
}

// Headers signs a robot callback as DingTalk does, now.
func (s *Server) Headers() http.Header {
	ts := strconv.FormatInt(s.Now().UnixMilli(), 10)
	return http.Header{
		"Content-Type": {"application/json; charset=utf-8"},
		"Timestamp":    {ts}, "Sign": {sign(s.Secret, ts+"\n"+s.Secret)},
	}
}

// CardHeaders signs an HTTP card callback as DingTalk does, now.
func (s *Server) CardHeaders() http.Header {
	ts := strconv.FormatInt(s.Now().UnixMilli(), 10)
	return http.Header{
		"Content-Type":                 {"application/json"},
		"X-Ddpaas-Signature-Timestamp": {ts}, "X-Ddpaas-Signature": {sign(s.Secret, ts)},
	}
}

func sign(key, data string) string {
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(data))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

func encode(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // a test passed a field that is no JSON
	}
	return data
}
