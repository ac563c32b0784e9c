package slacktest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// View is a home tab or modal as it stands.
type View struct {
	ID         string          `json:"id"`
	Hash       string          `json:"hash"`
	Type       string          `json:"type"`
	CallbackID string          `json:"callback_id"`
	Private    string          `json:"private_metadata"`
	Blocks     json.RawMessage `json:"blocks"`
}

// Limits of views and of what only they hold (docs.slack.dev/reference/views,
// docs.slack.dev/reference/block-kit).
const (
	maxViewBlocks  = 100
	maxViewBytes   = 250_000
	maxPrivate     = 3000
	maxHeader      = 150
	maxOptions     = 100
	maxOptionText  = 75
	maxOptionValue = 150
	maxPlaceholder = 150
)

// Person is somebody who is not simply a member of the workspace.
type Person struct {
	ID   string
	Team string // "" for the workspace's own
}

// SetPerson says who somebody is. People who are not named are members.
func (s *Server) SetPerson(p Person) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.people[p.ID] = p
}

// team is the workspace of a person. s.mu is held.
func (s *Server) team(user string) string {
	if t := s.people[user].Team; t != "" {
		return t
	}
	return s.opt.Team
}

// publishView puts a home tab in the place of the one that stands, which hash must
// name if it is given.
func (s *Server) publishView(c *call) (answer, string) {
	user := c.arg("user_id")
	stands := s.views[user]
	v, code := s.readView(c, "home")
	switch {
	case code != "":
		return nil, code
	case s.opt.NoHome:
		return nil, "not_enabled"
	case user == "" || s.team(user) != s.opt.Team:
		return nil, "user_not_found" // not documented for this method
	case c.arg("hash") != "" && c.arg("hash") != stands.Hash:
		return nil, "hash_conflict"
	}
	v.ID, v.Hash = stands.ID, s.nextTS()
	if v.ID == "" {
		v.ID = s.id("V")
	}
	s.views[user] = v
	return answer{"view": v}, ""
}

// readView takes a view that Slack would take.
func (s *Server) readView(c *call, kind string) (v View, code string) {
	raw := c.arg("view")
	if json.Unmarshal([]byte(raw), &v) != nil || v.Type != kind {
		s.breach("%s: the view is no %s", c.Method, kind)
		return v, "invalid_arguments"
	}
	if len(raw) > maxViewBytes {
		s.breach("%s: the view has %d bytes", c.Method, len(raw))
		return v, "view_too_large"
	}
	if fault := v.fault(); fault != "" {
		s.breach("%s: %s", c.Method, fault)
		return v, "invalid_arguments"
	}
	return v, ""
}

// fault says what is wrong with a view, "" if nothing is.
func (v View) fault() string {
	var blocks []block
	if err := json.Unmarshal(v.Blocks, &blocks); err != nil {
		return "its blocks are not JSON"
	}
	switch {
	case len(blocks) > maxViewBlocks:
		return fmt.Sprintf("%d blocks exceed %d", len(blocks), maxViewBlocks)
	case chars(v.CallbackID) > maxBlockID, chars(v.Private) > maxPrivate:
		return "callback_id or private_metadata is too long"
	}
	seen := map[string]bool{}
	for _, b := range blocks {
		if b.BlockID != "" && seen[b.BlockID] {
			return "block_id " + b.BlockID + " is there twice"
		}
		seen[b.BlockID] = true
		if f := b.viewFault(); f != "" {
			return b.Type + " block: " + f
		}
	}
	return ""
}

// viewFault is fault for a block of a view, where some blocks do not exist.
func (b block) viewFault() string {
	if b.Type == "input" {
		return "" // of modals, whose inputs are not looked into
	}
	if b.Type == "markdown" || b.Type == "context_actions" {
		return "messages alone have it"
	}
	if b.Type == "header" && (b.Text == nil || b.Text.Type != "plain_text" || chars(b.Text.Text) > maxHeader) {
		return "its text is not plain, or too long"
	}
	if f := b.fault(); f != "" {
		return f
	}
	var ids []string
	for _, e := range b.interactive() {
		if e.ActionID == "" || slices.Contains(ids, e.ActionID) {
			return "action_id " + e.ActionID + " is missing or there twice"
		}
		ids = append(ids, e.ActionID)
	}
	return ""
}

// interactive are the elements of a block that can be pressed.
func (b block) interactive() []element {
	var out []element
	if b.Type != "context" {
		out = append(out, b.Elements...)
	}
	if b.Accessory != nil {
		out = append(out, *b.Accessory)
	}
	return out
}

// Text is what a person reads in v; buttons are not text.
func (v View) Text() string {
	var parts []string
	for _, b := range decodeBlocks(v.Blocks) {
		if t := b.read(); t != "" {
			parts = append(parts, t)
		}
	}
	return strings.Join(parts, "\n")
}

// Buttons are what can be pressed or chosen in v, in reading order: of a menu, each
// of its options.
func (v View) Buttons() []Button {
	var out []Button
	for _, b := range decodeBlocks(v.Blocks) {
		for _, e := range b.interactive() {
			out = append(out, e.buttons()...)
		}
	}
	return out
}

// Home is the home tab published for a person.
func (s *Server) Home(user string) (View, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.views[user]
	return v, ok
}

// EventHome is a person's opening of the home tab.
func (s *Server) EventHome(user string) Inbound {
	s.mu.Lock()
	e := answer{"type": "app_home_opened", "user": user, "channel": s.direct(user), "tab": "home", "event_ts": s.nextTS()}
	if v, ok := s.views[user]; ok {
		e["view"] = s.wireView(v, user)
	}
	s.mu.Unlock()
	return s.Event(e)
}

// EventHomeFrom is EventHome for somebody of another workspace.
func (s *Server) EventHomeFrom(user, team string) Inbound {
	s.mu.Lock()
	e := answer{
		"type": "app_home_opened", "user": user, "channel": s.direct(user), "tab": "home", "event_ts": s.nextTS(),
		"view": answer{"id": "V0ELSEWHERE", "type": "home", "team_id": team, "app_installed_team_id": s.opt.Team},
	}
	s.mu.Unlock()
	return s.Event(e)
}

// PublishAsAnother has something else that holds the token publish a home tab.
func (s *Server) PublishAsAnother(user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.views[user]
	v.Hash, v.Blocks = s.nextTS(), json.RawMessage(`[]`)
	s.views[user] = v
}

// wireView is v as Slack sends it. s.mu is held.
func (s *Server) wireView(v View, user string) answer {
	return answer{
		"id": v.ID, "team_id": s.team(user), "type": v.Type, "blocks": v.Blocks, "private_metadata": v.Private,
		"callback_id": v.CallbackID, "hash": v.Hash, "app_id": s.opt.AppID, "app_installed_team_id": s.opt.Team,
		"bot_id": s.opt.BotID, "root_view_id": v.ID, "external_id": "",
	}
}

// EventHomeAction is a person's press of b in their home tab, or their choice of an
// option of a menu. There is no channel, no message and no response url.
func (s *Server) EventHomeAction(user string, b Button) Inbound {
	s.mu.Lock()
	v := s.views[user]
	action := answer{"type": b.Type, "action_id": b.ActionID, "block_id": "b1", "action_ts": s.nextTS()}
	text := answer{"type": "plain_text", "text": b.Text}
	if b.Type == "static_select" {
		action["selected_option"] = answer{"text": text, "value": b.Value}
	} else {
		action["value"], action["text"] = b.Value, text
	}
	payload := answer{
		"type": "block_actions", "token": "unused", "api_app_id": s.opt.AppID, "trigger_id": s.trigger(), "enterprise": nil,
		"is_enterprise_install": false,
		"user":                  answer{"id": user, "username": strings.ToLower(user), "team_id": s.team(user)},
		"team":                  answer{"id": s.opt.Team, "domain": "acme"},
		"container":             answer{"type": "view", "view_id": v.ID},
		"view":                  s.wireView(v, user),
		"actions":               []any{action},
	}
	s.mu.Unlock()
	return s.interaction(payload)
}
