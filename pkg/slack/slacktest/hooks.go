package slacktest

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"
)

// A response url takes five posts in half an hour
// (docs.slack.dev/interactivity/handling-user-interaction).
const (
	hookUses = 5
	hookLife = 30 * time.Minute
)

type hook struct {
	channel, user, thread string
	issued                time.Time
	uses                  int
	original              *Message // what replace_original replaces
}

// newHook issues a response url. s.mu is held.
func (s *Server) newHook(kind, channel, thread, user string, original *Message) string {
	path := "/" + kind + "/" + s.opt.Team + "/" + s.id("H")
	s.hooks[path] = &hook{channel: channel, user: user, thread: thread, issued: s.opt.Now(), original: original}
	return s.originLocked("hooks.slack.com") + path
}

type hookPost struct {
	Text         string          `json:"text"`
	Blocks       json.RawMessage `json:"blocks"`
	ResponseType string          `json:"response_type"`
	Replace      bool            `json:"replace_original"`
	Delete       bool            `json:"delete_original"`
	ThreadTS     string          `json:"thread_ts"`
}

func (s *Server) serveHook(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	var p hookPost
	if err != nil || json.Unmarshal(body, &p) != nil {
		http.Error(w, "invalid_payload", http.StatusBadRequest)
		return
	}
	c := &call{Call: Call{Method: "response_url", Args: map[string]string{
		"text": p.Text, "blocks": string(p.Blocks), "response_type": p.ResponseType, "url": r.URL.Path,
	}}}
	fault, leave := s.arrive(c)
	defer leave()
	if fault.Delay > 0 {
		time.Sleep(fault.Delay)
	}
	if fault.Before && fault.fail(w) {
		return
	}
	s.mu.Lock()
	status, text := s.respond(c, p)
	s.mu.Unlock()
	if fault.fail(w) {
		return
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}

// respond carries out a post to a response url. s.mu is held.
func (s *Server) respond(c *call, p hookPost) (status int, text string) {
	h := s.hooks[c.arg("url")]
	switch {
	case h == nil:
		return http.StatusNotFound, "no_service"
	case s.opt.Now().Sub(h.issued) > hookLife:
		return http.StatusNotFound, "expired_url"
	case h.uses >= hookUses:
		return http.StatusNotFound, "used_url"
	}
	h.uses++
	if p.Delete {
		if h.original != nil {
			h.original.Deleted = true
		}
		return http.StatusOK, "ok"
	}
	m := s.own(h.channel, p.ThreadTS)
	if p.ResponseType != "in_channel" {
		m.To = h.user
	}
	if strings.TrimSpace(string(p.Blocks)) == "null" {
		c.Args["blocks"] = ""
	}
	if code := s.content(c, m); code != "" {
		return http.StatusBadRequest, code
	}
	if p.Replace && h.original != nil && !h.original.Deleted {
		h.original.Fallback, h.original.Markdown, h.original.Blocks = m.Fallback, m.Markdown, m.Blocks
		h.original.Edits++
		return http.StatusOK, "ok"
	}
	s.deliver(m)
	if h.original == nil {
		h.original = m
	}
	return http.StatusOK, "ok"
}

// Ephemeral returns what a person alone sees in a channel, oldest first.
func (s *Server) Ephemeral(channel, user string) []Message {
	return s.collect(func(m *Message) bool { return m.Channel == channel && m.To == user && !m.Deleted })
}
