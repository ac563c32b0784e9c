package slacktest

import (
	"encoding/json"
	"slices"
)

// Task is a step that a stream shows beside its text.
type Task struct {
	ID     string
	Title  string
	Status string // pending, in_progress, complete or error
}

// Done reports whether t is at its end.
func (t Task) Done() bool { return t.Status == "complete" || t.Status == "error" }

// chunk is a part of a stream call
// (docs.slack.dev/reference/methods/chat.appendStream).
type chunk struct {
	Type    string `json:"type"`
	Text    string `json:"text"`
	ID      string `json:"id"`
	Title   string `json:"title"`
	Status  string `json:"status"`
	Details string `json:"details"`
	Output  string `json:"output"`
}

// maxTask is what Slack takes as a string of a task, in characters; Slack's own
// guidance for agents says so.
const maxTask = 256

// fault says what is wrong with a chunk, "" if nothing is.
func (k chunk) fault() string {
	switch k.Type {
	case "markdown_text":
		if k.Text == "" || chars(k.Text) > maxMarkdown {
			return "text is empty or too long"
		}
	case "plan_update":
		if k.Title == "" || chars(k.Title) > maxTask {
			return "title is empty or too long"
		}
	case "task_update":
		if k.ID == "" || k.Title == "" || max(chars(k.Title), chars(k.Details), chars(k.Output)) > maxTask {
			return "id or title is missing, or a string too long"
		}
		if !slices.Contains([]string{"", "pending", "in_progress", "complete", "error"}, k.Status) {
			return "unknown status " + k.Status
		}
	default:
		return "unknown type"
	}
	return ""
}

// readChunks reads the chunks of a stream call: their text, and the tasks they bring
// into a message. s.mu is held.
func (s *Server) readChunks(c *call, raw string, into *Message) (text, code string) {
	var chunks []chunk
	if json.Unmarshal([]byte(raw), &chunks) != nil || len(chunks) == 0 {
		s.breach("%s: chunks are malformed", c.Method)
		return "", "invalid_chunks"
	}
	into.Tasks = slices.Clone(into.Tasks)
	for _, k := range chunks {
		if fault := k.fault(); fault != "" {
			s.breach("%s: %s chunk: %s", c.Method, k.Type, fault)
			return "", "invalid_chunks"
		}
		text += k.Text
		switch k.Type {
		case "plan_update":
			into.Plan = k.Title
		case "task_update":
			into.task(k)
		}
	}
	return text, ""
}

// task takes over what a chunk says of the task of its id.
func (m *Message) task(k chunk) {
	i := slices.IndexFunc(m.Tasks, func(t Task) bool { return t.ID == k.ID })
	if i < 0 {
		i = len(m.Tasks)
		m.Tasks = append(m.Tasks, Task{ID: k.ID, Status: "pending"})
	}
	m.Tasks[i].Title = k.Title
	if k.Status != "" {
		m.Tasks[i].Status = k.Status
	}
}

// Unfinished returns the messages people see that are complete but for a task that
// is shown as going on.
func (s *Server) Unfinished() []Message {
	return s.collect(func(m *Message) bool {
		return !m.Open && !m.Deleted && slices.ContainsFunc(m.Tasks, func(t Task) bool { return !t.Done() })
	})
}
