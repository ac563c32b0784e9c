package sqstest

import (
	"time"
)

// moveTask is a redrive of a dead-letter queue, which in the fake is done before
// its start is answered.
type moveTask struct {
	handle, source, destination string
	status, reason              string
	moved, total                int
	started                     time.Time
}

// startMoveTask moves what is visible in a dead-letter queue, to the destination
// or back to where each message came from. Moved messages are new ones: new id,
// new deduplication id, new time. A message that was sent to the dead-letter queue
// directly has no source: without a destination the task fails at it.
func (s *Server) startMoveTask(in struct{ SourceArn, DestinationArn string }) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	from, err := s.queue(in.SourceArn)
	if err != nil {
		return nil, refuse("ResourceNotFoundException", "The resource that you specified for the SourceArn parameter doesn't exist.")
	}
	isDLQ := false
	for _, q := range s.queues {
		isDLQ = isDLQ || q.DeadLetters == from.Name
	}
	if !isDLQ {
		return nil, refuse("InvalidParameterValue", "Source queue must be configured as a Dead Letter Queue.")
	}
	var to *queue
	if in.DestinationArn != "" {
		if to, err = s.queue(in.DestinationArn); err != nil {
			return nil, refuse("ResourceNotFoundException", "The destination doesn't exist.")
		}
	}
	task := &moveTask{handle: s.newID("task"), source: in.SourceArn, destination: in.DestinationArn, status: "COMPLETED", started: time.Now()}
	s.tasks = append(s.tasks, task)
	s.move(task, from, to)
	return map[string]string{"TaskHandle": task.handle}, nil
}

func (s *Server) move(task *moveTask, from, to *queue) {
	now := time.Now()
	visible := make([]*message, 0, len(from.messages))
	for _, m := range from.messages {
		if !m.hidden(now) {
			visible = append(visible, m)
		}
	}
	task.total = len(visible)
	for _, m := range visible {
		target := to
		if target == nil {
			target = m.source
		}
		if target == nil {
			task.status, task.reason = "FAILED", "CouldNotDetermineMessageSource"
			break
		}
		from.remove(m)
		id := s.newID("message")
		target.append(&message{id: id, group: m.group, dedup: id, body: m.body, attributes: m.attributes}, now)
		task.moved++
	}
	s.wake()
}

func (s *Server) listMoveTasks(in struct{ SourceArn string }) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	results := []map[string]any{}
	for i := len(s.tasks) - 1; i >= 0; i-- {
		t := s.tasks[i]
		if t.source != in.SourceArn {
			continue
		}
		r := map[string]any{
			"SourceArn": t.source, "Status": t.status, "StartedTimestamp": t.started.UnixMilli(),
			"ApproximateNumberOfMessagesMoved": t.moved, "ApproximateNumberOfMessagesToMove": t.total,
		}
		if t.destination != "" {
			r["DestinationArn"] = t.destination
		}
		if t.reason != "" {
			r["FailureReason"] = t.reason
		}
		results = append(results, r)
	}
	return map[string]any{"Results": results}, nil
}
