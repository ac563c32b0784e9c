package dingtalk

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

// MessageID is the identity of a robot message. The robot is part of it because
// a message that mentions two robots reaches both under one msgId.
func MessageID(robotCode, msgID string) string {
	return string(chat.DingTalk) + ":" + robotCode + ":" + msgID
}

// Message decodes an authenticated robot message: the body of an HTTP callback
// or the data of a Stream frame. now stands in for a send time that is missing
// or lies in the future.
func (p *Parser) Message(data []byte, now time.Time) (pipeline.Parsed, error) {
	var m robotMessage
	if err := json.Unmarshal(data, &m); err != nil {
		return pipeline.Parsed{}, malformed(errors.New("not a JSON object"))
	}
	if m.Encrypt != "" && m.MsgID == "" {
		return pipeline.Parsed{}, malformed(errEncrypted)
	}
	if err := p.ours(string(m.RobotCode), string(m.ChatbotCorpID)); err != nil {
		return pipeline.Parsed{}, err
	}
	m.RobotCode = first(m.RobotCode, scalar(p.cfg.RobotCode))
	if err := m.check(); err != nil {
		return pipeline.Parsed{}, malformed(err)
	}
	if m.ConversationType == Group && m.InAtList == "false" {
		return pipeline.Parsed{Ignored: IgnoredUnmentioned, Response: empty}, nil
	}
	parsed := pipeline.Parsed{Response: empty}
	route := m.route()
	if !p.keepWebhook(&m, &route) {
		parsed.Ignored = IgnoredWebhook
	}
	parsed.Messages = []chat.Message{p.message(&m, route, now)}
	return parsed, nil
}

// check refuses what cannot be identified or answered. Identities are never cut
// to size: two that differ must stay different.
func (m *robotMessage) check() error {
	for _, id := range []scalar{m.MsgID, m.ConversationID, m.RobotCode, m.SenderID, m.SenderStaffID, m.SenderCorpID} {
		if !bounded(string(id), maxID) {
			return errors.New("an id is too long or has control characters")
		}
	}
	switch {
	case m.MsgID == "":
		return errors.New("no msgId")
	case m.ConversationID == "":
		return errors.New("no conversationId")
	case m.SenderID == "" && m.SenderStaffID == "":
		return errors.New("no sender")
	}
	return nil
}

func (p *Parser) message(m *robotMessage, route Route, now time.Time) chat.Message {
	s := m.content()
	out := chat.Message{
		ID:        MessageID(string(m.RobotCode), string(m.MsgID)),
		Author:    m.author(),
		Text:      clean(s.text, maxText),
		Workspace: cleanLine(string(m.ChatbotCorpID), maxName),
		Files:     s.files,
		SentAt:    m.CreateAt.time(),
		Route:     route.JSON(),
	}
	if out.SentAt.IsZero() || out.SentAt.After(now.Add(MaxSkew)) {
		out.SentAt = now.UTC()
	}
	out.Conversation = chat.Conversation{
		Platform: chat.DingTalk, Tenant: string(m.RobotCode), Channel: string(m.ConversationID),
	}
	if p.cfg.PersonalGroups && m.ConversationType == Group {
		out.Conversation.Thread = out.Author.ID
	}
	var files []chat.File
	out.Quote, files = m.quoted()
	out.Files = append(out.Files, files[:min(len(files), maxFiles-len(out.Files))]...)
	out.Kind = kindOf(out)
	return out
}

// kindOf says what a person did. A message without anything to answer, such as
// a type this build does not know, gets the help.
func kindOf(m chat.Message) chat.Kind {
	if len(m.Files) > 0 {
		return chat.KindAsk
	}
	if kind, ok := chat.ParseCommand(m.Text); ok {
		return kind
	}
	if m.Quote == nil && (onlyMentions(m.Text) || modes[m.Text]) {
		return chat.KindHelp
	}
	return chat.KindAsk
}

// modes are the words by which other DingTalk bots switch a person's memory off
// and on. Parley has no such switch, only reset; the help says so, and a model
// would not know what is meant.
var modes = map[string]bool{"单聊": true, "串聊": true}

// onlyMentions reports whether text names people and says nothing to them.
func onlyMentions(text string) bool {
	for f := range strings.FieldsSeq(text) {
		if !strings.HasPrefix(f, "@") {
			return false
		}
	}
	return true
}

// author names the person. Staff ids are unique within one organisation only, so
// people from another are known by their encrypted id.
func (m *robotMessage) author() chat.Author {
	a := chat.Author{
		ID:   string(m.SenderStaffID),
		Name: cleanLine(string(m.SenderNick), maxName),
		Team: string(m.SenderCorpID),
	}
	foreign := m.SenderCorpID != "" && m.ChatbotCorpID != "" && m.SenderCorpID != m.ChatbotCorpID
	a.External = foreign || m.SenderStaffID == ""
	if a.ID == "" || (foreign && m.SenderID != "") {
		a.ID = string(first(m.SenderID, m.SenderStaffID))
	}
	return a
}

func (m *robotMessage) route() Route {
	r := Route{
		RobotCode:        string(m.RobotCode),
		ConversationType: string(m.ConversationType),
		ConversationID:   string(m.ConversationID),
		SenderStaffID:    string(m.SenderStaffID),
		SenderID:         string(m.SenderID),
		SenderNick:       cleanLine(string(m.SenderNick), maxName),
		MsgID:            string(m.MsgID),
	}
	if r.ConversationType != Group {
		r.ConversationType = Direct
	}
	return r
}

// keepWebhook puts the message's session webhook into r if it may be called, and
// reports whether nothing was dropped.
func (p *Parser) keepWebhook(m *robotMessage, r *Route) bool {
	hook := string(m.SessionWebhook)
	if hook == "" {
		return true
	}
	if !bounded(hook, maxWebhook) || !WebhookAllowed(hook, p.cfg.TrustedHosts) {
		return false
	}
	r.SessionWebhook, r.Expires = hook, m.WebhookExpires.time()
	return true
}
