package dingtalk

import (
	"path"
	"strings"

	"parley/pkg/chat"
)

// said is what a message says, whatever its type.
type said struct {
	text  string
	files []chat.File
}

func (s *said) add(text string) { s.text += text }

func (s *said) attach(code scalar, name scalar, mime string) {
	if code == "" || len(s.files) == maxFiles || !bounded(string(code), maxCode) {
		return
	}
	s.files = append(s.files, chat.File{
		ID: string(code), Name: cleanLine(path.Base("/"+string(name)), maxName), MIMEType: mime,
	})
}

// content reads the message by its type. The type decides little, because
// fields tell more reliably than the growing list of its spellings.
func (m *robotMessage) content() said {
	var s said
	if m.Text.Value.Content != "" {
		s.add(string(m.Text.Value.Content))
		return s
	}
	s.read(string(m.MsgType), m.Content.Value.piece)
	return s
}

func (s *said) read(msgType string, p piece) {
	s.add(string(p.Text))
	for _, it := range p.RichText {
		s.item(it)
	}
	s.forwarded(p)
	code := first(p.DownloadCode, p.PictureDownloadCode)
	switch strings.ToLower(msgType) {
	case "audio", "voice":
		s.add(string(p.Recognition))
		if p.Recognition == "" {
			s.attach(code, first(p.FileName, "voice.amr"), "audio/amr")
		}
	case "video":
		kind := first(p.VideoType, "mp4")
		s.attach(code, first(p.FileName, "video."+kind), "video/"+cleanLine(string(kind), maxName))
	case "file":
		s.attach(code, first(p.FileName, "file"), "")
	case "picture", "image":
		s.attach(code, first(p.FileName, "picture"), "image/*")
	default:
		s.attach(code, first(p.FileName, "file"), "")
	}
}

func (s *said) item(it item) {
	switch kind := first(it.Type, it.MsgType); {
	case it.DownloadCode != "" || it.PictureDownloadCode != "":
		s.attach(first(it.DownloadCode, it.PictureDownloadCode), "picture", "image/*")
	case kind == "at":
		s.add("@" + string(it.AtName))
	default:
		s.add(string(first(it.Text, it.Content)))
	}
}

// forwarded reads shared documents, cards and chat histories.
func (s *said) forwarded(p piece) {
	var lines []string
	for _, v := range []scalar{p.Title, p.Summary, p.Link} {
		if v != "" {
			lines = append(lines, string(v))
		}
	}
	for _, r := range p.ChatRecord {
		if what := first(r.Text, r.Content); what != "" {
			lines = append(lines, strings.TrimPrefix(string(first(r.SenderNick, r.SenderName)+": "+what), ": "))
		}
	}
	s.add(strings.Join(lines, "\n"))
}

// quoted returns the message a person replied to, nil if none, and what was
// attached to it: a picture one asks about is often the quoted one.
func (m *robotMessage) quoted() (*chat.Quote, []chat.File) {
	for _, q := range []object[quote]{m.Text.Value.RepliedMsg, m.Content.Value.RepliedMsg, m.RepliedMsg} {
		if !q.Set {
			continue
		}
		var s said
		s.read(string(q.Value.MsgType), q.Value.Content.Value)
		out := &chat.Quote{
			Author: cleanLine(string(q.Value.SenderNick), maxName),
			Text:   clean(s.text, maxQuote),
		}
		if id := string(q.Value.MsgID); id != "" && bounded(id, maxID) {
			out.MessageID = MessageID(string(m.RobotCode), id)
		}
		if out.Text == "" && out.MessageID == "" && len(s.files) == 0 {
			return nil, nil
		}
		return out, s.files
	}
	return nil, nil
}

func first(values ...scalar) scalar {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
