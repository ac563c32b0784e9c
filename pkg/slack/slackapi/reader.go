package slackapi

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
	slackin "parley/pkg/slack"
)

// Reader implements pipeline.Reader. It is safe for concurrent use.
type Reader struct{ c *Client }

var _ pipeline.Reader = (*Reader)(nil)

// file is what is read of a file object.
type file struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	MIMEType string `json:"mimetype"`
	Size     int64  `json:"size"`
	Mode     string `json:"mode"`
	External bool   `json:"is_external"`
	Private  string `json:"url_private"`
	Download string `json:"url_private_download"`
	Shares   struct {
		Public  map[string]json.RawMessage `json:"public"`
		Private map[string]json.RawMessage `json:"private"`
	} `json:"shares"`
}

// spoken are the subtypes of messages that people or apps said; others report
// joins, topics and the like.
var spoken = []string{"", "file_share", "thread_broadcast", "me_message", "bot_message"}

// Thread implements pipeline.Reader with the newest max messages of the thread
// that came before m.
func (r *Reader) Thread(ctx context.Context, m chat.Message, max int) ([]pipeline.ThreadMessage, error) {
	route, err := slackin.ParseRoute(m.Route)
	if err != nil {
		return nil, pipeline.Permanent(pipeline.ReasonUnreadable, err)
	}
	end := route.TS
	if m.Kind == chat.KindRemember {
		// The gesture may have been made at any message of the thread, its root too.
		end = slackin.TSOf(m.SentAt)
	}
	var all []message
	switch {
	case max <= 0:
		return nil, nil
	case m.Viewing && route.Viewing != "":
		all, err = r.c.viewing(ctx, route, max)
	case route.ThreadTS == "" || route.ThreadTS == end:
		return nil, nil
	default:
		all, err = r.c.thread(ctx, nil, route, "", end)
	}
	if err != nil {
		return nil, fmt.Errorf("read thread: %w", err)
	}
	all = slices.DeleteFunc(all, func(m message) bool {
		at := slackin.TimeOf(m.TS)
		return !slices.Contains(spoken, m.Subtype) || at.IsZero() || !at.Before(slackin.TimeOf(end))
	})
	slices.SortStableFunc(all, func(a, b message) int {
		return cmp.Compare(slackin.TimeOf(a.TS).UnixMicro(), slackin.TimeOf(b.TS).UnixMicro())
	})
	self := identity{user: route.BotUser}
	if self.user == "" {
		if self, err = r.c.whoami(ctx); err != nil {
			return nil, err
		}
	}
	where := route
	if m.Viewing && route.Viewing != "" {
		where.Channel = route.Viewing
	}
	var said []pipeline.ThreadMessage
	for _, m := range all[len(all)-min(max, len(all)):] {
		said = append(said, threadMessage(where, m, self))
	}
	return said, nil
}

func threadMessage(route slackin.Route, m message, self identity) pipeline.ThreadMessage {
	t := pipeline.ThreadMessage{
		ID:     slackin.MessageID(route.AppID, route.Channel, m.TS),
		Author: chat.Author{ID: or(m.User, m.BotID), Team: m.Team},
		Text:   slackin.Readable(m.Text, m.Blocks),
		SentAt: slackin.TimeOf(m.TS),
		Own:    m.User == self.user || self.bot != "" && m.BotID == self.bot,
	}
	var files []file
	if len(m.Files) > 0 && json.Unmarshal(m.Files, &files) == nil {
		for _, f := range files {
			t.Files = append(t.Files, chat.File{ID: f.ID, Name: f.Name, MIMEType: f.MIMEType, Size: f.Size, URL: f.url()})
		}
	}
	return t
}

// url is where f can be fetched with the token, "" if it lives elsewhere.
func (f file) url() string {
	if f.External || f.Mode == "external" {
		return ""
	}
	return or(f.Download, f.Private)
}

// Open implements pipeline.Reader. The token goes to Slack alone; a file that
// Slack does not host is refused.
func (r *Reader) Open(ctx context.Context, _ chat.Message, f chat.File) (io.ReadCloser, error) {
	address := f.URL
	if address == "" {
		var err error
		if address, err = r.lookUp(ctx, f.ID); err != nil {
			return nil, err
		}
	}
	u, err := url.Parse(address)
	if err != nil || address == "" || !r.c.trusts(u) {
		return nil, pipeline.Permanent(pipeline.ReasonChat, fmt.Errorf("open file: it is not kept by Slack"))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, pipeline.Permanent(pipeline.ReasonChat, fmt.Errorf("open file: %w", err))
	}
	req.Header.Set("Authorization", "Bearer "+r.c.cfg.Token())
	resp, err := r.c.files.Do(req)
	if err != nil {
		return nil, fileError(err)
	}
	if err := checkFile(resp, f); err != nil {
		resp.Body.Close()
		return nil, err
	}
	return resp.Body, nil
}

// lookUp asks where a file is of which an event told the id alone, as of files
// from another organisation.
func (r *Reader) lookUp(ctx context.Context, id string) (string, error) {
	e, err := r.c.call(ctx, methodFile, nil, false, func(ctx context.Context, api *slack.Client) error {
		_, _, _, err := api.GetFileInfoContext(ctx, id, 0, 0)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("look up file: %w", err)
	}
	if e.File == nil {
		return "", nil
	}
	return e.File.url(), nil
}

// errSignIn: without the right to a file, Slack leads to its sign-in page in
// place of an error.
var errSignIn = fmt.Errorf("open file: the app may not read it; it needs the scope files:read and to be where the file was shared")

// checkRedirect follows redirects among trusted hosts only.
func (c *Client) checkRedirect(req *http.Request, via []*http.Request) error {
	switch {
	case req.URL.Query().Has("redir"):
		return errSignIn
	case !c.trusts(req.URL) || len(via) > 5:
		return fmt.Errorf("open file: redirected to %s", req.URL.Host)
	}
	return nil
}

func fileError(err error) error {
	err = withoutURL(err)
	if err == errSignIn {
		return pipeline.Permanent(pipeline.ReasonConfig, err)
	}
	return pipeline.Transient(pipeline.ReasonUnavailable, fmt.Errorf("open file: %w", err))
}

func checkFile(resp *http.Response, f chat.File) error {
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	switch {
	case resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= 500:
		return pipeline.Transient(pipeline.ReasonUnavailable, fmt.Errorf("open file: status %d", resp.StatusCode))
	case resp.StatusCode != http.StatusOK:
		return pipeline.Permanent(pipeline.ReasonChat, fmt.Errorf("open file: status %d", resp.StatusCode))
	case kind == "text/html" && !strings.Contains(f.MIMEType, "html"):
		return pipeline.Permanent(pipeline.ReasonConfig, errSignIn)
	}
	return nil
}

// Permalink implements pipeline.Permalinks.
func (r *Reader) Permalink(ctx context.Context, raw []byte) (string, error) {
	route, err := slackin.ParseRoute(raw)
	if err != nil {
		return "", pipeline.Permanent(pipeline.ReasonUnreadable, err)
	}
	if route.ThreadTS == "" {
		return "", nil
	}
	var link string
	_, err = r.c.call(ctx, methodPermalink, nil, false, func(ctx context.Context, api *slack.Client) (err error) {
		link, err = api.GetPermalinkContext(ctx, &slack.PermalinkParameters{Channel: route.Channel, Ts: route.ThreadTS})
		return err
	})
	if err != nil {
		return "", fmt.Errorf("look up permalink: %w", err)
	}
	return link, nil
}
