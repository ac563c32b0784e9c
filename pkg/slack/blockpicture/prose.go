package blockpicture

import (
	"strings"
)

// markdown draws the Markdown of a block: paragraphs, headings, lists, code and
// tables.
func (c *canvas) markdown(md string) {
	lines := strings.Split(strings.TrimRight(md, "\n"), "\n")
	for i := 0; i < len(lines); {
		n := 1
		switch l := lines[i]; {
		case strings.TrimSpace(l) == "":
			c.y += 6
		case strings.HasPrefix(l, "```"):
			for i+n < len(lines) && !strings.HasPrefix(lines[i+n], "```") {
				n++
			}
			c.code(lines[i+1 : i+n])
			n = min(n+1, len(lines)-i)
		case strings.HasPrefix(l, "|"):
			for i+n < len(lines) && strings.HasPrefix(lines[i+n], "|") {
				n++
			}
			c.table(lines[i : i+n])
		case strings.HasPrefix(l, "#"):
			c.rich([]run{{text: strings.TrimLeft(l, "# "), style: "bold"}}, left, right, size+1, ink)
		case strings.HasPrefix(l, "- "):
			c.text(left+8, c.y+leader-4, size, ink, "", "•")
			c.rich(markdown(l[2:]), left+26, right, size, ink)
		default:
			c.rich(markdown(l), left, right, size, ink)
		}
		i += n
	}
}

func (c *canvas) code(lines []string) {
	c.y += 6
	c.rect(left, c.y, right-left, 18*len(lines)+16, 4, ground, line)
	for i, l := range lines {
		c.text(left+10, c.y+20+18*i, 12, ink, "mono", l)
	}
	c.y += 18*len(lines) + 24
}

// table draws rows of cells, the second being the rule below the head.
func (c *canvas) table(rows []string) {
	var cells [][]string
	for i, r := range rows {
		if i != 1 {
			cells = append(cells, strings.Split(strings.Trim(strings.TrimSpace(r), "|"), "|"))
		}
	}
	columns := len(cells[0])
	w := (right - left) / columns
	c.y += 6
	for i, row := range cells {
		style, fill := "", "#ffffff"
		if i == 0 {
			style, fill = "bold", ground
		}
		for j := range columns {
			c.rect(left+j*w, c.y, w, 28, 0, fill, line)
			if j < len(row) {
				c.text(left+j*w+10, c.y+19, 14, ink, style, strings.TrimSpace(row[j]))
			}
		}
		c.y += 28
	}
	c.y += 10
}
