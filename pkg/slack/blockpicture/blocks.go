package blockpicture

import (
	"encoding/json"
	"fmt"
	"strings"
)

// block is what is drawn of a Block Kit block.
type block struct {
	Type     string    `json:"type"`
	Text     text      `json:"text"`
	Elements []element `json:"elements"`
	Label    text      `json:"label"`   // of an input
	Element  element   `json:"element"` // of an input
	Beside   *element  `json:"accessory"`
	Title    string    `json:"title"` // of a plan
	Tasks    []task    `json:"tasks"`
}

type task struct {
	Title  string `json:"title"`
	Status string `json:"status"`
}

type element struct {
	Type        string   `json:"type"`
	Text        text     `json:"text"`
	Style       string   `json:"style"`
	Placeholder text     `json:"placeholder"`
	Options     []option `json:"options"`
	Chosen      *option  `json:"initial_option"`
	Positive    *element `json:"positive_button"`
	Negative    *element `json:"negative_button"`
}

type option struct {
	Text text `json:"text"`
}

// text is a text object, or the bare string of a markdown block.
type text string

func (t *text) UnmarshalJSON(data []byte) error {
	var s string
	if json.Unmarshal(data, &s) == nil {
		*t = text(s)
		return nil
	}
	var object struct {
		Text string `json:"text"`
	}
	err := json.Unmarshal(data, &object)
	*t = text(object.Text)
	return err
}

// block draws b and moves below it.
func (c *canvas) block(b block) error {
	switch b.Type {
	case "markdown":
		c.markdown(string(b.Text))
	case "section":
		c.section(b)
	case "header":
		c.y += 8
		c.rich([]run{{text: string(b.Text), style: "bold"}}, left, right, size+3, ink)
	case "divider":
		c.y += 14
		c.rect(left, c.y, right-left, 1, 0, line, "")
		c.y += 8
	case "context":
		for _, e := range b.Elements {
			for l := range strings.Lines(string(e.Text)) {
				c.y -= 4
				c.rich(mrkdwn(strings.TrimSuffix(l, "\n")), left, right, 13, soft)
			}
		}
		c.y += 4
	case "actions":
		c.buttons(b.Elements)
	case "context_actions":
		c.thumbs()
	case "input":
		c.input(b)
	case "plan":
		c.plan(b)
	default:
		return fmt.Errorf("draw blocks: a block of type %q is not known", b.Type)
	}
	return nil
}

// section draws text, and beside it a button or what is chosen of a menu.
func (c *canvas) section(b block) {
	end := right
	if e := b.Beside; e != nil {
		shown := string(e.Text)
		if e.Type == "static_select" {
			switch {
			case e.Chosen != nil:
				shown = string(e.Chosen.Text)
			case len(e.Options) > 0:
				shown = string(e.Options[0].Text)
			}
			shown += " ▾"
		}
		w := int(measure(shown, 13, true)) + 24
		end -= w + 16
		c.rect(right-w, c.y+2, w, 30, 4, "#ffffff", "#bbbbbb")
		c.text(right-w/2, c.y+22, 13, ink, "bold middle", shown)
		defer func(y int) { c.y = max(c.y, y) }(c.y + 38)
	}
	c.rich(mrkdwn(string(b.Text)), left, end, size, ink)
}

// buttons draws a row of buttons, and another where it is full.
func (c *canvas) buttons(all []element) {
	x := left
	c.y += 6
	for _, e := range all {
		w := int(measure(string(e.Text), 13, true)) + 24
		if x+w > right {
			x = left
			c.y += 40
		}
		fill, stroke, colour := "#ffffff", "#bbbbbb", ink
		switch e.Style {
		case "primary":
			fill, stroke, colour = green, green, "#ffffff"
		case "danger":
			colour = "#e01e5a"
		}
		c.rect(x, c.y, w, 30, 4, fill, stroke)
		c.text(x+w/2, c.y+20, 13, colour, "bold middle", string(e.Text))
		x += w + 8
	}
	c.y += 40
}

const thumb = "M6.5 9v8M3 9h3.5l3-6c1.4 0 2.2 1 1.9 2.4L10.9 8H15.5a1.5 1.5 0 0 1 1.5 1.8l-1.2 5.8A1.8 1.8 0 0 1 14 17H3z"

// thumbs draws the two of a feedback element.
func (c *canvas) thumbs() {
	c.y += 4
	for i, turn := range []int{0, 180} {
		x := left + i*40
		c.rect(x, c.y, 34, 28, 4, "#ffffff", line)
		fmt.Fprintf(&c.b, `<path transform="translate(%d %d) rotate(%d 10 10) scale(0.9)" d="%s" fill="none" stroke="%s" stroke-width="1.5"/>`+"\n", x+8, c.y+5, turn, thumb, soft)
	}
	c.y += 38
}

func (c *canvas) input(b block) {
	c.text(left, c.y+14, 14, ink, "bold", string(b.Label))
	c.y += 22
	c.rect(left, c.y, right-left, 36, 4, "#ffffff", "#bbbbbb")
	c.text(left+12, c.y+23, 14, soft, "", string(b.Element.Placeholder))
	c.y += 54
	c.text(left, c.y, 12, soft, "", "Press enter to send")
	c.y += 12
}

// plan draws the steps: open while one is going on, else folded away.
func (c *canvas) plan(b block) {
	running := false
	for _, t := range b.Tasks {
		running = running || t.Status == "in_progress"
	}
	c.y += 8
	if !running {
		c.rect(left, c.y, int(measure(b.Title, 13, true))+62, 28, 6, ground, line)
		c.text(left+12, c.y+19, 13, green, "bold", "✓")
		c.text(left+30, c.y+19, 13, ink, "bold", b.Title)
		c.text(left+42+int(measure(b.Title, 13, true)), c.y+19, 13, soft, "", "▸")
		c.y += 36
		return
	}
	c.rect(left, c.y, right-left, 34+26*len(b.Tasks), 6, ground, line)
	c.text(left+14, c.y+22, 14, ink, "bold", b.Title)
	for _, t := range b.Tasks {
		c.y += 26
		mark, colour := "✓", green
		if t.Status != "complete" {
			mark, colour = "◌", blue
		}
		c.text(left+16, c.y+22, 14, colour, "bold", mark)
		c.text(left+38, c.y+22, 14, ink, "", t.Title)
	}
	c.y += 46
}
