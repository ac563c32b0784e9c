// Package blockpicture draws messages made of Slack's Block Kit as SVG, for
// documentation that shows what people see.
//
// It draws the blocks Parley sends, about as Slack's client does, and fails for any
// other. It is deterministic: the same blocks give the same bytes on every machine,
// because widths of letters are estimated, not measured. It is no client: what a
// picture shows is the blocks' content, not Slack's exact look.
package blockpicture

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Scene is what a picture shows: a question and what came of it.
type Scene struct {
	Asked  string `json:"asked,omitempty"`  // what a person said, in mrkdwn
	Status string `json:"status,omitempty"` // Slack's own line under the thread
	// OnlyYou marks a message that one person alone sees; Writing one that a stream
	// is still adding to.
	OnlyYou bool            `json:"only_you,omitempty"`
	Writing bool            `json:"writing,omitempty"`
	Home    bool            `json:"home,omitempty"`   // a Home tab: nobody says it
	Blocks  json.RawMessage `json:"blocks,omitempty"` // Block Kit, as sent
}

// Measures of the picture, in pixels.
const (
	width  = 720
	left   = 68 // where text begins, beside the picture of who says it
	right  = width - 24
	size   = 15 // of letters
	leader = 22 // from line to line
)

// Colours.
const (
	ink    = "#1d1c1d"
	soft   = "#616061"
	line   = "#dddddd"
	ground = "#f8f8f8"
	blue   = "#1264a3"
	green  = "#007a5a"
	accent = "#1F3A5F"
)

// SVG draws s. It fails for blocks it does not know.
func SVG(s Scene) ([]byte, error) {
	c := &canvas{y: 24}
	if s.Asked != "" {
		c.who("Ann", "#e8912d", "", false)
		c.rich(mrkdwn(s.Asked), left, right, size, ink)
		c.y += 14
	}
	if len(s.Blocks) > 0 {
		if s.OnlyYou {
			c.text(left, c.y+4, 12, soft, "", "Only visible to you")
			c.y += 20
		}
		if !s.Home {
			c.who("Parley", accent, "APP", true)
		}
		var blocks []block
		if err := json.Unmarshal(s.Blocks, &blocks); err != nil {
			return nil, fmt.Errorf("draw blocks: %w", err)
		}
		for i, b := range blocks {
			if s.Writing && i == len(blocks)-1 {
				b.Text += "▍"
			}
			if err := c.block(b); err != nil {
				return nil, err
			}
		}
	}
	if s.Status != "" {
		c.y += 6
		c.text(left, c.y+8, 13, soft, "italic", "Parley "+s.Status)
		c.y += 18
	}
	return c.bytes(), nil
}

// canvas is a picture in the making; y is where the next thing goes.
type canvas struct {
	b strings.Builder
	y int
}

func (c *canvas) bytes() []byte {
	height := c.y + 14
	return fmt.Appendf(nil, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="Lato, 'Noto Sans', 'Noto Sans SC', 'Helvetica Neue', Arial, sans-serif">
<rect x="0.5" y="0.5" width="%d" height="%d" rx="8" fill="#ffffff" stroke="%s"/>
%s</svg>
`, width, height, width, height, width-1, height-1, line, c.b.String())
}

// who begins a message with its author.
func (c *canvas) who(name, colour, tag string, app bool) {
	c.rect(20, c.y-4, 36, 36, 6, colour, "")
	c.text(38, c.y+20, 18, "#ffffff", "bold middle", name[:1])
	c.text(left, c.y+8, size, ink, "bold", name)
	x := left + int(measure(name, size, true)) + 14
	if app {
		c.rect(x, c.y-4, 30, 15, 3, line, "")
		c.text(x+15, c.y+7, 10, soft, "bold middle", tag)
		x += 38
	}
	c.text(x, c.y+8, 12, soft, "", "10:24")
	c.y += 16
}

func (c *canvas) rect(x, y, w, h, radius int, fill, stroke string) {
	if stroke != "" {
		stroke = ` stroke="` + stroke + `"`
	}
	fmt.Fprintf(&c.b, `<rect x="%d" y="%d" width="%d" height="%d" rx="%d" fill="%s"%s/>`+"\n", x, y, w, h, radius, fill, stroke)
}

// text draws one line; style holds any of bold, italic, mono and middle.
func (c *canvas) text(x, y, size int, colour, style, s string) {
	fmt.Fprintf(&c.b, `<text x="%d" y="%d" font-size="%d" fill="%s"%s xml:space="preserve">%s</text>`+"\n", x, y, size, colour, styled(style), escape(s))
}

// styled is a style as attributes.
func styled(style string) string {
	attributes := ""
	if strings.Contains(style, "bold") {
		attributes += ` font-weight="700"`
	}
	if strings.Contains(style, "italic") {
		attributes += ` font-style="italic"`
	}
	if strings.Contains(style, "mono") {
		attributes += ` font-family="Menlo, Consolas, 'DejaVu Sans Mono', monospace"`
	}
	if strings.Contains(style, "middle") {
		attributes += ` text-anchor="middle"`
	}
	return attributes
}

func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}
