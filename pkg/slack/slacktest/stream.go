package slacktest

// startStream follows docs.slack.dev/reference/methods/chat.startStream.
// Recipients are demanded everywhere: the documentation exempts direct messages,
// reports of its users do not.
func (s *Server) startStream(c *call) (answer, string) {
	if s.opt.NoStreams {
		return nil, "channel_type_not_supported"
	}
	switch {
	case c.arg("thread_ts") == "":
		s.breach("chat.startStream: no thread_ts")
		return nil, "invalid_thread_ts"
	case c.arg("recipient_user_id") == "":
		s.breach("chat.startStream: no recipient_user_id")
		return nil, "missing_recipient_user_id"
	case c.arg("recipient_team_id") == "":
		s.breach("chat.startStream: no recipient_team_id")
		return nil, "missing_recipient_team_id"
	}
	channel, thread, code := s.place(c)
	if code != "" {
		return nil, code
	}
	if thread == "" {
		return nil, "thread_not_found" // the root was deleted
	}
	m := s.own(channel, thread)
	text, code := s.streamed(c, m)
	if code != "" {
		return nil, code
	}
	m.Markdown, m.Streamed, m.Open, m.Opened = text, true, true, s.opt.Now()
	s.deliver(m)
	s.sessions[channel+"/"+thread] = "processing"
	return answer{"channel": channel, "ts": m.TS}, ""
}

// streamed reads the text a stream call carries, and brings the tasks of into, a
// copy of the stream's message, to what it says. s.mu is held.
func (s *Server) streamed(c *call, into *Message) (text, code string) {
	text = c.arg("markdown_text")
	if chars(text) > maxMarkdown {
		s.breach("%s: markdown_text of %d characters", c.Method, chars(text))
		return "", "msg_too_long"
	}
	if raw := c.arg("chunks"); raw != "" {
		if c.arg("markdown_text") != "" {
			s.breach("%s: markdown_text beside chunks", c.Method)
			return "", "invalid_arguments"
		}
		return s.readChunks(c, raw, into)
	}
	return text, ""
}

// streaming finds an open stream of the app. s.mu is held.
func (s *Server) streaming(c *call) (*Message, string) {
	s.settle()
	m := s.find(c.arg("channel"), c.arg("ts"))
	switch {
	case m == nil:
		return nil, "message_not_found"
	case m.Halted:
		return nil, "stopped_by_user"
	case !m.Open:
		return nil, "message_not_in_streaming_state"
	}
	return m, ""
}

func (s *Server) appendStream(c *call) (answer, string) {
	m, code := s.streaming(c)
	if code != "" {
		return nil, code
	}
	next := *m
	text, code := s.streamed(c, &next)
	if code != "" {
		return nil, code
	}
	if text == "" && c.arg("chunks") == "" {
		s.breach("chat.appendStream: nothing to append")
		return nil, "no_text"
	}
	next.Markdown += text
	*m = next
	return answer{"channel": m.Channel, "ts": m.TS}, ""
}

func (s *Server) stopStream(c *call) (answer, string) {
	m, code := s.streaming(c)
	if code != "" {
		return nil, code
	}
	next := *m
	text, code := s.streamed(c, &next)
	if code != "" {
		return nil, code
	}
	blocks, code := s.checkBlocks(c.arg("blocks"))
	if code != "" {
		return nil, code
	}
	if code := s.metadata(c, &next); code != "" {
		return nil, code
	}
	next.Markdown += text
	next.Blocks, next.Open = blocks, false
	*m = next
	status := c.arg("session_status")
	if status == "" {
		status = "active"
	}
	s.sessions[m.Channel+"/"+m.ThreadTS] = status
	return answer{"channel": m.Channel, "ts": m.TS, "message": s.wire(m, true)}, ""
}

// PressStop ends the streams of a thread as a person's Stop button does and
// returns their timestamps.
func (s *Server) PressStop(channel, root string) (stopped []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
	for _, m := range s.messages {
		if m.Open && m.Channel == channel && m.ThreadTS == root {
			m.Open, m.Halted = false, true
			stopped = append(stopped, m.TS)
		}
	}
	return stopped
}
