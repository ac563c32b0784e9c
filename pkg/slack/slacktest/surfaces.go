package slacktest

import (
	"encoding/json"
	"slices"
	"time"
)

// Prompt is a suggested prompt.
type Prompt struct {
	Title   string `json:"title"`
	Message string `json:"message"`
}

// statusLife is how long Slack shows a working sign without news.
const statusLife = 2 * time.Minute

type status struct {
	text string
	at   time.Time
}

// refusesAgents is the answer to an app that is not an agent. Slack does not
// document the code.
func (s *Server) refusesAgents() string {
	if s.opt.PlainApp {
		return "not_allowed_token_type"
	}
	return ""
}

// threadKey finds the thread an agent call is about. s.mu is held.
func (s *Server) threadKey(c *call) (key, code string) {
	if code := s.refusesAgents(); code != "" {
		return "", code
	}
	channel, thread := c.arg("channel_id"), c.arg("thread_ts")
	if s.channels[channel] == nil {
		return "", "channel_not_found"
	}
	if thread == "" || s.findAny(channel, thread) == nil {
		return "", "invalid_thread_ts"
	}
	return channel + "/" + thread, ""
}

func (s *Server) threadStatus(c *call) (answer, string) {
	key, code := s.threadKey(c)
	if code != "" {
		return nil, code
	}
	if text := c.arg("status"); text != "" {
		s.statuses[key], s.sessions[key] = status{text, s.opt.Now()}, "processing"
	} else {
		delete(s.statuses, key)
		s.sessions[key] = "active"
	}
	return nil, ""
}

func (s *Server) sessionStatus(c *call) (answer, string) {
	key, code := s.threadKey(c)
	if code != "" {
		return nil, code
	}
	if !slices.Contains([]string{"processing", "active", "suspended", "closed"}, c.arg("status")) {
		s.breach("agents.sessions.setStatus: status %q", c.arg("status"))
		return nil, "invalid_arguments"
	}
	s.sessions[key] = c.arg("status")
	return nil, ""
}

func (s *Server) renameSession(c *call) (answer, string) { return s.setTitle(c) }
func (s *Server) threadTitle(c *call) (answer, string)   { return s.setTitle(c) }

func (s *Server) setTitle(c *call) (answer, string) {
	key, code := s.threadKey(c)
	if code != "" {
		return nil, code
	}
	if chars(c.arg("title")) > 200 {
		s.breach("%s: title is too long", c.Method)
		return nil, "invalid_arguments"
	}
	s.titles[key] = c.arg("title")
	return nil, ""
}

func (s *Server) suggestPrompts(c *call) (answer, string) {
	if code := s.refusesAgents(); code != "" {
		return nil, code
	}
	var prompts []Prompt
	if json.Unmarshal([]byte(c.arg("prompts")), &prompts) != nil || len(prompts) == 0 || len(prompts) > 4 {
		s.breach("assistant.threads.setSuggestedPrompts: 1 to 4 prompts are wanted")
		return nil, "invalid_arguments"
	}
	s.prompts[c.arg("channel_id")] = prompts
	return nil, ""
}

func (s *Server) addReaction(c *call) (answer, string) {
	key := c.arg("channel") + "/" + c.arg("timestamp")
	switch {
	case s.find(c.arg("channel"), c.arg("timestamp")) == nil:
		return nil, "message_not_found"
	case slices.Contains(s.reactions[key], c.arg("name")):
		return nil, "already_reacted"
	}
	s.reactions[key] = append(s.reactions[key], c.arg("name"))
	return nil, ""
}

func (s *Server) removeReaction(c *call) (answer, string) {
	key := c.arg("channel") + "/" + c.arg("timestamp")
	i := slices.Index(s.reactions[key], c.arg("name"))
	if i < 0 {
		return nil, "no_reaction"
	}
	s.reactions[key] = slices.Delete(s.reactions[key], i, i+1)
	return nil, ""
}

// openView wants a trigger that Slack issued within the last three seconds.
func (s *Server) openView(c *call) (answer, string) {
	issued, ok := s.triggers[c.arg("trigger_id")]
	switch {
	case !ok:
		return nil, "exchanged_trigger_id"
	case s.opt.Now().Sub(issued) > 3*time.Second:
		return nil, "expired_trigger_id"
	}
	delete(s.triggers, c.arg("trigger_id"))
	v, code := s.readView(c, "modal")
	if code == "" {
		s.modals = append(s.modals, v)
	}
	return answer{"view": v}, code
}

// Status is the working sign shown in a thread, "" if there is none.
func (s *Server) Status(channel, root string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	sign := s.statuses[channel+"/"+root]
	if s.opt.Now().Sub(sign.at) >= statusLife {
		return ""
	}
	return sign.text
}

// Session is the state of a thread's agent session, "" if there is none.
func (s *Server) Session(channel, root string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[channel+"/"+root]
}

// Title is the title of a thread's session.
func (s *Server) Title(channel, root string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.titles[channel+"/"+root]
}

// Prompts are the prompts suggested in a channel.
func (s *Server) Prompts(channel string) []Prompt {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.prompts[channel]
}

// Reactions are the app's reactions to a message.
func (s *Server) Reactions(channel, ts string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.reactions[channel+"/"+ts])
}
