package slacktest

import (
	"encoding/json"
	"strings"
	"unicode/utf16"
)

// block is what the fake reads of a Block Kit block.
type block struct {
	Type      string     `json:"type"`
	BlockID   string     `json:"block_id"`
	Text      *blockText `json:"text"`
	Elements  []element  `json:"elements"`
	Accessory *element   `json:"accessory"`
	// Of an input block.
	Label    *blockText `json:"label"`
	Element  *element   `json:"element"`
	Dispatch bool       `json:"dispatch_action"`
}

// blockText is a text object, or the bare string of a markdown block.
type blockText struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

func (t *blockText) UnmarshalJSON(data []byte) error {
	if json.Unmarshal(data, &t.Text) == nil {
		return nil
	}
	type plain blockText
	return json.Unmarshal(data, (*plain)(t))
}

type element struct {
	Type        string     `json:"type"`
	ActionID    string     `json:"action_id"`
	Text        *blockText `json:"text"`
	Value       string     `json:"value"`
	Positive    *element   `json:"positive_button"`
	Negative    *element   `json:"negative_button"`
	Placeholder *blockText `json:"placeholder"` // of a static_select, with its options
	Options     []element  `json:"options"`
	Initial     *element   `json:"initial_option"`
	Confirm     *confirm   `json:"confirm"`
}

// confirm is the dialog before a press takes effect.
type confirm struct {
	Title   *blockText `json:"title"`
	Text    *blockText `json:"text"`
	Confirm *blockText `json:"confirm"`
	Deny    *blockText `json:"deny"`
}

// fault says what is wrong with a confirmation: each of its texts has a limit.
func (c *confirm) fault() string {
	if c == nil {
		return ""
	}
	for _, t := range []struct {
		text *blockText
		most int
	}{{c.Title, 100}, {c.Text, 300}, {c.Confirm, 30}, {c.Deny, 30}} {
		if t.text == nil || t.text.Text == "" || chars(t.text.Text) > t.most {
			return "a text of the confirmation is missing or too long"
		}
	}
	return ""
}

// menuFault says what is wrong with a static_select.
func (e element) menuFault() string {
	if n := len(e.Options); n == 0 || n > maxOptions {
		return "wrong number of options"
	}
	if e.Placeholder != nil && chars(e.Placeholder.Text) > maxPlaceholder {
		return "the placeholder is too long"
	}
	initial := e.Initial == nil
	for _, o := range e.Options {
		if o.Text == nil || o.Text.Text == "" || chars(o.Text.Text) > maxOptionText || o.Value == "" || chars(o.Value) > maxOptionValue {
			return "an option's text or value is missing or too long"
		}
		initial = initial || e.Initial.Text != nil && e.Initial.Value == o.Value && e.Initial.Text.Text == o.Text.Text
	}
	if !initial {
		return "the initial option is none of the options"
	}
	return ""
}

func decodeBlocks(raw json.RawMessage) []block {
	var out []block
	if len(raw) > 0 && json.Unmarshal(raw, &out) != nil {
		return nil
	}
	return out
}

// read is the text of a block as a person reads it; buttons are not text.
func (b block) read() string {
	var parts []string
	if b.Text != nil {
		parts = append(parts, b.Text.Text)
	}
	if b.Type == "context" {
		for _, e := range b.Elements {
			if e.Text != nil {
				parts = append(parts, e.Text.Text)
			}
		}
	}
	return strings.Join(parts, "\n")
}

func (e element) buttons() []Button {
	button := func(of *element) Button {
		b := Button{Type: e.Type, ActionID: e.ActionID, Value: of.Value}
		if of.Text != nil {
			b.Text = of.Text.Text
		}
		return b
	}
	switch e.Type {
	case "button", "icon_button", "plain_text_input":
		return []Button{button(&e)}
	case "static_select":
		var out []Button
		for _, o := range e.Options {
			out = append(out, button(&o))
		}
		return out
	case "feedback_buttons":
		if e.Positive != nil && e.Negative != nil {
			return []Button{button(e.Positive), button(e.Negative)}
		}
	}
	return nil
}

// Sizes Slack refuses to exceed, in characters. The size of a whole payload of
// blocks is not documented; slackapi/bolt-js#2509 reports about 13,200.
const (
	maxBlocks        = 50
	maxMarkdown      = 12000
	maxPayload       = 13200
	maxSection       = 3000
	maxUpdateText    = 4000
	maxPostText      = 40000
	maxButtonText    = 75
	maxButtonValue   = 2000
	maxBlockID       = 255
	maxLabel         = 2000
	maxContext       = 10
	maxActions       = 25
	maxContextAction = 5
	maxMetadata      = 4096
)

// chars counts as the more cautious reading of Slack's "characters" does.
func chars(s string) int { return len(utf16.Encode([]rune(s))) }

// checkBlocks returns Slack's error for blocks it would refuse, "" if it takes
// them. s.mu is held.
func (s *Server) checkBlocks(raw string) (json.RawMessage, string) {
	if raw == "" {
		return nil, ""
	}
	var blocks []block
	if err := json.Unmarshal([]byte(raw), &blocks); err != nil {
		s.breach("blocks are not JSON")
		return nil, "invalid_blocks"
	}
	var compact any
	_ = json.Unmarshal([]byte(raw), &compact)
	var sized strings.Builder
	enc := json.NewEncoder(&sized)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(compact)
	markdown := 0
	for _, b := range blocks {
		if fault := b.fault(); fault != "" {
			s.breach("%s block: %s", b.Type, fault)
			return nil, "invalid_blocks"
		}
		if b.Type == "markdown" {
			markdown += chars(b.Text.Text)
		}
	}
	switch {
	case len(blocks) > maxBlocks:
		s.breach("%d blocks exceed %d", len(blocks), maxBlocks)
		return nil, "invalid_blocks"
	case markdown > maxMarkdown, chars(sized.String()) > maxPayload:
		s.breach("blocks of %d characters of Markdown, %d in all, are too long", markdown, chars(sized.String()))
		return nil, "msg_blocks_too_long"
	}
	return json.RawMessage(raw), ""
}

// fault says what is wrong with a block, "" if nothing is.
func (b block) fault() string {
	most := map[string]int{"context": maxContext, "actions": maxActions, "context_actions": maxContextAction}
	switch b.Type {
	case "markdown", "section", "header":
		if b.Text == nil || b.Text.Text == "" {
			return "no text"
		}
	case "context", "actions", "context_actions":
		if len(b.Elements) == 0 || len(b.Elements) > most[b.Type] {
			return "wrong number of elements"
		}
	case "input":
		return b.inputFault()
	case "divider":
	default:
		return "unknown type"
	}
	if b.Type != "markdown" && b.Text != nil && chars(b.Text.Text) > maxSection {
		return "text is too long"
	}
	if chars(b.BlockID) > maxBlockID {
		return "block_id is too long"
	}
	elements := b.Elements
	if b.Accessory != nil {
		elements = append(elements, *b.Accessory)
	}
	for _, e := range elements {
		if f := e.fault(b.Type); f != "" {
			return f
		}
	}
	return ""
}

// inputFault says what is wrong with a field in a message: without a dispatched
// action nobody would hear what is written into it.
func (b block) inputFault() string {
	switch {
	case b.Label == nil || b.Label.Text == "" || chars(b.Label.Text) > maxLabel:
		return "label is missing or too long"
	case b.Element == nil || b.Element.Type != "plain_text_input":
		return "unknown element"
	case !b.Dispatch:
		return "a field in a message has to dispatch an action"
	case chars(b.BlockID) > maxBlockID || chars(b.Element.ActionID) > maxBlockID:
		return "block_id or action_id is too long"
	}
	return ""
}

func (e element) fault(in string) string {
	if in == "context" {
		if e.Text == nil || e.Text.Text == "" || chars(e.Text.Text) > maxSection {
			return "context text is empty or too long"
		}
		return ""
	}
	if chars(e.ActionID) > maxBlockID {
		return "action_id is too long"
	}
	if (e.Type == "feedback_buttons" || e.Type == "icon_button") != (in == "context_actions") {
		return e.Type + " does not belong here"
	}
	if f := e.Confirm.fault(); f != "" {
		return f
	}
	if e.Type == "static_select" {
		return e.menuFault()
	}
	buttons := e.buttons()
	if len(buttons) == 0 || e.Type == "plain_text_input" {
		return "unknown element " + e.Type
	}
	for _, b := range buttons {
		if b.Text == "" || chars(b.Text) > maxButtonText || chars(b.Value) > maxButtonValue {
			return "a button's text is missing, or its text or value too long"
		}
	}
	return ""
}
