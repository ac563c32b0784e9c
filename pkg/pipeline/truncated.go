package pipeline

import "strings"

// closing ends the code block in which a text was cut off, so that what is added
// does not become code. It is empty where no block is open.
func closing(text string) string {
	open := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		fence := fenceOf(line)
		switch {
		case fence == "":
		case open == "":
			open = fence
		case strings.HasPrefix(fence, open) && fence == line:
			open = ""
		}
	}
	if open == "" {
		return ""
	}
	return "\n" + open
}

// fenceOf is the run of three or more backquotes or tildes that begins a line.
func fenceOf(line string) string {
	for _, mark := range []string{"`", "~"} {
		if fence := line[:len(line)-len(strings.TrimLeft(line, mark))]; len(fence) >= 3 {
			return fence
		}
	}
	return ""
}
