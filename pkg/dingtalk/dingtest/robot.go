package dingtest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Limits of a message, in bytes. Sources: the platform's error codes 460101 and
// the message type pages.
const (
	maxWebhookBody = 20_000
	maxMsgParam    = 15_000
)

// session is where a session webhook leads.
type session struct {
	conversation string
	expires      time.Time
	sent         []time.Time
}

// token implements /v1.0/oauth2/accessToken.
func (s *Server) token(r *request) reply {
	if r.str("appKey") != s.ClientID || r.str("appSecret") != s.Secret {
		return refuse(http.StatusBadRequest, "invalidClientIdOrSecret")
	}
	token := s.next("token")
	s.tokens[token] = s.Now().Add(s.TokenLife)
	return ok(map[string]any{"accessToken": token, "expireIn": int(s.TokenLife.Seconds())})
}

// RevokeTokens makes every token issued so far invalid.
func (s *Server) RevokeTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens)
}

// webhook implements a session webhook: errors are HTTP 200.
func (s *Server) webhook(r *request) reply {
	sess := s.sessions[r.http.URL.Query().Get("session")]
	if sess == nil || !s.Now().Before(sess.expires) {
		return errcode(300001, "session does not exist")
	}
	if len(r.body) > maxWebhookBody {
		s.violate("webhook body of %d bytes", len(r.body))
		return errcode(460101, "message too long")
	}
	if s.WebhookPerMinute > 0 {
		sess.sent = slices.DeleteFunc(sess.sent, func(at time.Time) bool { return s.Now().Sub(at) >= time.Minute })
		if len(sess.sent) >= s.WebhookPerMinute {
			return errcode(130101, "send too fast")
		}
	}
	sess.sent = append(sess.sent, s.Now())
	m := &Message{Conversation: sess.conversation, Via: "webhook", Type: r.str("msgtype"), At: s.Now()}
	content := r.object(m.Type)
	m.Title, _ = content["title"].(string)
	m.Text, _ = content["text"].(string)
	if m.Type == "text" {
		m.Text, _ = content["content"].(string)
	}
	at := &request{fields: r.object("at")}
	m.Mentions, m.MentionsAll = at.strings("atUserIds"), at.flag("isAtAll")
	return s.post(m, errcode(0, "ok"))
}

// post shows m, unless it says nothing.
func (s *Server) post(m *Message, done reply) reply {
	if m.Text == "" {
		s.violate("an empty message by %s", m.Via)
		return refuse(http.StatusBadRequest, "invalidParameter.msgParam")
	}
	s.serial++
	m.order = s.serial
	s.messages = append(s.messages, m)
	return done
}

func (s *Server) groupSend(r *request) reply {
	conversation := r.str("openConversationId")
	if r.str("robotCode") != s.RobotCode || !s.groups[conversation] {
		return refuse(http.StatusBadRequest, "resource.not.found")
	}
	m, bad := s.openMessage(r, conversation)
	if bad != nil {
		return *bad
	}
	return s.post(m, ok(map[string]any{"processQueryKey": m.Key}))
}

// directSend implements batchSend, which succeeds for people it does not reach.
func (s *Server) directSend(r *request) reply {
	users := r.strings("userIds")
	if r.str("robotCode") != s.RobotCode || len(users) == 0 || len(users) > 20 {
		return refuse(http.StatusBadRequest, "invalidParameter.userIds.invalid")
	}
	lists := map[string][]string{"invalidStaffIdList": {}, "flowControlledStaffIdList": {}, "filteredStaffIdList": {}}
	key := ""
	for _, user := range users {
		if strings.HasPrefix(user, "$:LWCP") {
			return refuse(http.StatusBadRequest, "staffId.notExisted")
		}
		if list := s.refused[user]; list != "" {
			lists[list] = append(lists[list], user)
			continue
		}
		m, bad := s.openMessage(r, user)
		if bad != nil {
			return *bad
		}
		key = m.Key
		if a := s.post(m, ok(nil)); a.status != http.StatusOK {
			return a
		}
	}
	return ok(map[string]any{"processQueryKey": key, "invalidStaffIdList": lists["invalidStaffIdList"],
		"flowControlledStaffIdList": lists["flowControlledStaffIdList"], "filteredStaffIdList": lists["filteredStaffIdList"]})
}

// openMessage reads msgKey and msgParam.
func (s *Server) openMessage(r *request, conversation string) (*Message, *reply) {
	param := r.str("msgParam")
	if len(param) > maxMsgParam {
		s.violate("msgParam of %d bytes", len(param))
		bad := refuse(http.StatusBadRequest, "invalidParameter.msgParam.tooLong")
		return nil, &bad
	}
	var v struct{ Title, Text, Content string }
	if json.Unmarshal([]byte(param), &v) != nil {
		bad := refuse(http.StatusBadRequest, "invalidParameter.msgParam")
		return nil, &bad
	}
	m := &Message{Conversation: conversation, Via: "openapi", Title: v.Title, Text: v.Text, Key: s.next("pqk"), At: s.Now()}
	switch r.str("msgKey") {
	case "sampleMarkdown":
		m.Type = "markdown"
	case "sampleText":
		m.Type, m.Text = "text", v.Content
	default:
		bad := refuse(http.StatusBadRequest, "invalidParameter.msgKey")
		return nil, &bad
	}
	return m, nil
}

// recall implements both recalls: what is not found fails within a success.
func (s *Server) recall(r *request) reply {
	done, failed := []string{}, map[string]string{}
	for _, key := range r.strings("processQueryKeys") {
		if s.recalled(key) {
			done = append(done, key)
		} else {
			failed[key] = "message not found"
		}
	}
	return ok(map[string]any{"successResult": done, "failedResult": failed})
}

func (s *Server) recalled(key string) bool {
	for _, m := range s.messages {
		if m.Key == key && !m.Recalled {
			m.Recalled = true
			return true
		}
	}
	for _, c := range s.cards {
		if c.carrier == key && c.Delivered {
			c.Delivered = false
			return true
		}
	}
	return false
}

func (s *Server) react(r *request) reply {
	emotion := r.object("textEmotion")
	text, _ := emotion["text"].(string)
	if r.str("robotCode") != s.RobotCode || r.str("openMsgId") == "" || r.str("openConversationId") == "" || text == "" {
		return refuse(http.StatusBadRequest, "invalidParameter")
	}
	id := r.str("openMsgId")
	if !slices.Contains(s.reactions[id], text) {
		s.reactions[id] = append(s.reactions[id], text)
	}
	return ok(map[string]any{"success": true})
}

func (s *Server) unreact(r *request) reply {
	emotion := r.object("textEmotion")
	text, _ := emotion["text"].(string)
	id := r.str("openMsgId")
	i := slices.Index(s.reactions[id], text)
	if i < 0 {
		return refuse(http.StatusBadRequest, "system.err")
	}
	s.reactions[id] = slices.Delete(s.reactions[id], i, i+1)
	return ok(map[string]any{"success": true})
}

func (s *Server) fileURL(r *request) reply {
	code := r.str("downloadCode")
	if _, known := s.files[code]; !known || r.str("robotCode") != s.RobotCode {
		return refuse(http.StatusBadRequest, "invalidParameter.downloadCode")
	}
	return ok(map[string]any{"downloadUrl": s.FilesURL + "/files/" + code + "?signature=example"})
}

func (s *Server) blob(r *request) reply {
	data, known := s.files[strings.TrimPrefix(r.http.URL.Path, "/files/")]
	if !known {
		return reply{http.StatusNotFound, []byte("not found")}
	}
	if r.http.Header.Get("x-acs-dingtalk-access-token") != "" {
		s.violate("access token sent to the file host")
	}
	return reply{http.StatusOK, data}
}
