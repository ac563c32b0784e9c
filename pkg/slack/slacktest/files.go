package slacktest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// File is a file in the workspace.
type File struct {
	ID   string
	Name string
	MIME string
	Data []byte
	// Claims is the size that events and files.info tell, if it is not that of Data.
	Claims int
	// External files live elsewhere: URL is theirs.
	External bool
	URL      string
	// Hidden files are not readable with the app's token: Slack redirects to its
	// sign-in page.
	Hidden bool
	// Stub makes events carry file_access check_file_info and nothing else, as
	// files from another organisation do.
	Stub bool
	// Of a file the app uploads: how long it said it is, and where it was posted.
	Length int
	Shares map[string]string // channel -> ts
}

// AddFile stores a file, for Say to attach. An empty ID is filled in.
func (s *Server) AddFile(f File) File {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.ID == "" {
		f.ID = s.id("F")
	}
	if !f.External {
		f.URL = s.originLocked("files.slack.com") + "/files-pri/" + s.opt.Team + "-" + f.ID + "/download/" + url.PathEscape(f.Name)
	}
	s.files[f.ID] = &f
	return f
}

// fileObject is a file as messages and files.info show it. s.mu is held.
func (s *Server) fileObject(f *File) answer {
	a := answer{
		"id": f.ID, "name": f.Name, "title": f.Name, "mimetype": f.MIME, "size": cmp.Or(f.Claims, len(f.Data)), "mode": "hosted",
		"is_external": f.External, "file_access": "visible", "url_private": f.URL, "url_private_download": f.URL,
	}
	if len(f.Shares) > 0 {
		shares := answer{}
		for channel, ts := range f.Shares {
			shares[channel] = []answer{{"ts": ts}}
		}
		a["shares"] = answer{"public": shares}
	}
	if f.External {
		a["mode"], a["external_type"] = "external", "gdrive"
	}
	return a
}

// eventFile is a file as an event shows it. s.mu is held.
func (s *Server) eventFile(f *File) answer {
	if f.Stub {
		return answer{"id": f.ID, "mode": "file_access", "file_access": "check_file_info", "created": 0, "timestamp": 0}
	}
	return s.fileObject(f)
}

func (s *Server) fileInfo(c *call) (answer, string) {
	f := s.files[c.arg("file")]
	if f == nil {
		return nil, "file_not_found"
	}
	return answer{"file": s.fileObject(f), "comments": []any{}, "paging": answer{"count": 0, "total": 0, "page": 1, "pages": 0}}, ""
}

func (s *Server) serveFile(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/files-pri/"), "/")
	_, id, _ := strings.Cut(parts[0], "-")
	f, allowed := s.files[id], r.Header.Get("Authorization") == "Bearer "+s.token
	signIn := s.originLocked("acme.slack.com") + "/?redir=" + url.QueryEscape(r.URL.Path)
	s.mu.Unlock()
	switch {
	case f == nil:
		http.NotFound(w, r)
	case !allowed || f.Hidden:
		http.Redirect(w, r, signIn, http.StatusFound)
	default:
		w.Header().Set("Content-Type", f.MIME)
		_, _ = w.Write(f.Data)
	}
}

func (s *Server) uploadURL(c *call) (answer, string) {
	if c.arg("filename") == "" || c.number("length", 0) == 0 {
		s.breach("files.getUploadURLExternal: filename and length are wanted")
		return nil, "invalid_arguments"
	}
	f := &File{ID: s.id("F"), Name: c.arg("filename"), MIME: "application/octet-stream", Length: c.number("length", 0)}
	s.files[f.ID] = f
	return answer{"file_id": f.ID, "upload_url": s.originLocked("files.slack.com") + "/upload/v1/" + f.ID}, ""
}

func (s *Server) serveUpload(w http.ResponseWriter, r *http.Request) {
	data, err := io.ReadAll(io.LimitReader(r.Body, 8<<20))
	if err != nil {
		http.Error(w, "read", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.files[strings.TrimPrefix(r.URL.Path, "/upload/v1/")]
	if f == nil {
		http.NotFound(w, r)
		return
	}
	if len(data) != f.Length {
		s.breach("upload of %d bytes, announced were %d", len(data), f.Length)
	}
	f.Data = data
	fmt.Fprintf(w, "OK - %d", len(data))
}

func (s *Server) completeUpload(c *call) (answer, string) {
	var list []struct{ ID, Title string }
	if json.Unmarshal([]byte(c.arg("files")), &list) != nil || len(list) == 0 {
		s.breach("files.completeUploadExternal: files are wanted")
		return nil, "invalid_arguments"
	}
	var ids []string
	var out []answer
	for _, l := range list {
		f := s.files[l.ID]
		switch {
		case f == nil:
			return nil, "file_not_found"
		case f.Data == nil:
			s.breach("files.completeUploadExternal: %s was not uploaded", l.ID)
			return nil, "file_not_found"
		case len(f.Shares) > 0:
			s.breach("files.completeUploadExternal: %s was completed before", l.ID)
			return nil, "invalid_arguments"
		}
		ids, out = append(ids, l.ID), append(out, s.fileObject(f))
	}
	if c.arg("channel_id") != "" {
		c.Args["channel"] = c.arg("channel_id")
		channel, thread, code := s.place(c)
		if code != "" {
			return nil, code
		}
		m := s.own(channel, thread)
		m.Fallback, m.Files = c.arg("initial_comment"), ids
		s.deliver(m)
		for _, id := range ids {
			s.files[id].Shares = map[string]string{channel: m.TS}
		}
	}
	return answer{"files": out}, ""
}

// deleteFile removes a file of the app's own, and the message that holds it.
func (s *Server) deleteFile(c *call) (answer, string) {
	f := s.files[c.arg("file")]
	if f == nil {
		return nil, "file_not_found"
	}
	if f.Length == 0 {
		s.breach("files.delete on somebody else's file")
		return nil, "cant_delete_file"
	}
	for channel, ts := range f.Shares {
		if m := s.find(channel, ts); m != nil {
			m.Deleted = true
		}
	}
	delete(s.files, c.arg("file"))
	return nil, ""
}

// File returns a stored file.
func (s *Server) File(id string) (File, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.files[id]
	if f == nil {
		return File{}, false
	}
	return *f, true
}
