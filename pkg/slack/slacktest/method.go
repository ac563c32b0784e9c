package slacktest

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Call is one Web API call as it arrived, whatever became of it.
type Call struct {
	Method string
	Args   map[string]string // as sent, without the token; JSON values as text
	At     time.Time
}

// Calls returns the calls of the given methods in the order they arrived, all
// calls if none is named.
func (s *Server) Calls(methods ...string) []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Call
	for _, c := range s.calls {
		for _, m := range methods {
			if c.Method == m {
				out = append(out, c)
			}
		}
		if len(methods) == 0 {
			out = append(out, c)
		}
	}
	return out
}

// answer is the JSON object a method answers with.
type answer map[string]any

// call is a method call being served.
type call struct {
	Call
	token string
}

func (c *call) arg(name string) string { return c.Args[name] }

func (c *call) flag(name string) bool {
	v := c.Args[name]
	return v == "true" || v == "1"
}

func (c *call) number(name string, otherwise int) int {
	if n, err := strconv.Atoi(c.Args[name]); err == nil && n > 0 {
		return n
	}
	return otherwise
}

// method carries out one call under s.mu. A non-empty code is Slack's error.
type method func(s *Server, c *call) (a answer, code string)

var methods = map[string]method{
	"apps.connections.open":                 (*Server).openConnection,
	"auth.test":                             (*Server).authTest,
	"chat.postMessage":                      (*Server).postMessage,
	"chat.postEphemeral":                    (*Server).postEphemeral,
	"chat.update":                           (*Server).update,
	"chat.delete":                           (*Server).deleteMessage,
	"chat.startStream":                      (*Server).startStream,
	"chat.appendStream":                     (*Server).appendStream,
	"chat.stopStream":                       (*Server).stopStream,
	"conversations.replies":                 (*Server).replies,
	"conversations.history":                 (*Server).history,
	"conversations.info":                    (*Server).info,
	"conversations.open":                    (*Server).open,
	"users.info":                            (*Server).userInfo,
	"reactions.add":                         (*Server).addReaction,
	"reactions.remove":                      (*Server).removeReaction,
	"chat.getPermalink":                     (*Server).permalink,
	"files.info":                            (*Server).fileInfo,
	"files.getUploadURLExternal":            (*Server).uploadURL,
	"files.completeUploadExternal":          (*Server).completeUpload,
	"files.delete":                          (*Server).deleteFile,
	"views.publish":                         (*Server).publishView,
	"views.open":                            (*Server).openView,
	"agents.sessions.setStatus":             (*Server).sessionStatus,
	"agents.sessions.rename":                (*Server).renameSession,
	"assistant.threads.setStatus":           (*Server).threadStatus,
	"assistant.threads.setTitle":            (*Server).threadTitle,
	"assistant.threads.setSuggestedPrompts": (*Server).suggestPrompts,
}

func (s *Server) serveMethod(w http.ResponseWriter, r *http.Request, name string) {
	m, ok := methods[name]
	if !ok {
		writeJSON(w, answer{"ok": false, "error": "unknown_method"})
		return
	}
	c, err := readCall(r, name)
	if err != nil {
		writeJSON(w, answer{"ok": false, "error": "invalid_form_data"})
		return
	}
	fault, leave := s.arrive(c)
	defer leave()
	if fault.Delay > 0 {
		time.Sleep(fault.Delay)
	}
	if fault.Before && fault.fail(w) {
		return
	}
	a, wait := s.apply(m, c)
	if wait > 0 {
		tooMany(w, wait)
		return
	}
	if fault.fail(w) {
		return
	}
	if fault.Undecodable && a["ok"] == true {
		a["message"] = undecodable
	}
	writeJSON(w, a)
}

// undecodable holds a block element of a type that client libraries reject.
var undecodable = answer{"type": "message", "blocks": []any{
	answer{"type": "actions", "elements": []any{answer{"type": "hologram", "action_id": "h"}}},
}}

// arrive logs a call and finds its fault. leave ends the call.
func (s *Server) arrive(c *call) (f Fault, leave func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.At = s.opt.Now()
	s.calls = append(s.calls, c.Call)
	f = s.strike(c.Method)
	if c.At.Before(s.storm.until) {
		f = RateLimited(s.storm.wait)
	}
	if f.RetryAfter > 0 {
		s.early(c.Method, c.Method, c.At)
		s.block(c.Method, c.At, f.RetryAfter)
	}
	if c.Method != "chat.appendStream" && c.Method != "chat.stopStream" {
		return f, func() {}
	}
	key := c.arg("channel") + "/" + c.arg("ts")
	if s.busy[key]++; s.busy[key] > 1 {
		s.breach("%s on a stream with another call under way: Slack may reorder them", c.Method)
	}
	return f, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.busy[key]--
	}
}

// apply carries out a call unless the token or the rate forbids it.
func (s *Server) apply(m method, c *call) (a answer, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	want := s.token
	if c.Method == "apps.connections.open" {
		want = DefaultApp
	}
	if c.token != want {
		code := "invalid_auth"
		if c.token == "" {
			code = "not_authed"
		}
		return answer{"ok": false, "error": code}, 0
	}
	if wait := s.limited(c.Method, c.arg("channel"), s.opt.Now()); wait > 0 {
		return nil, wait
	}
	a, code := m(s, c)
	if code != "" {
		return answer{"ok": false, "error": code}, 0
	}
	out := answer{"ok": true}
	maps.Copy(out, a)
	return out, 0
}

// readCall reads arguments from a form or, as views.publish wants it, JSON.
func readCall(r *http.Request, name string) (*call, error) {
	c := &call{Call: Call{Method: name, Args: map[string]string{}}}
	if t, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		c.token = t
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 4<<20))
	if err != nil {
		return nil, fmt.Errorf("read body: %w", err)
	}
	if len(body) > 0 && strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		return c, c.readJSON(body)
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, fmt.Errorf("read form: %w", err)
	}
	maps.Copy(form, r.URL.Query())
	for k, v := range form {
		c.Args[k] = v[0]
	}
	if t := c.Args["token"]; t != "" {
		c.token = t
	}
	delete(c.Args, "token")
	return c, nil
}

func (c *call) readJSON(body []byte) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil {
		return fmt.Errorf("read JSON: %w", err)
	}
	for k, v := range fields {
		var text string
		if json.Unmarshal(v, &text) != nil {
			text = string(v)
		}
		c.Args[k] = text
	}
	return nil
}

func writeJSON(w http.ResponseWriter, a answer) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_ = json.NewEncoder(w).Encode(a)
}
