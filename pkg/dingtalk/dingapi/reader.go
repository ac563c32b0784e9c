package dingapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"parley/pkg/chat"
	"parley/pkg/dingtalk"
	"parley/pkg/pipeline"
)

// Reader implements pipeline.Reader. It is safe for concurrent use.
type Reader struct{ c *Client }

// NewReader returns a Reader.
func NewReader(c *Client) *Reader { return &Reader{c} }

// Thread returns nothing: DingTalk lets a robot read no messages but those
// addressed to it.
func (r *Reader) Thread(context.Context, chat.Message, int) ([]pipeline.ThreadMessage, error) {
	return nil, nil
}

// downloadTimeout bounds a download, from the first call to the last byte.
const downloadTimeout = time.Minute

// Open implements pipeline.Reader. DingTalk's codes are good for a short while
// only; an old one is a permanent error.
func (r *Reader) Open(ctx context.Context, m chat.Message, f chat.File) (io.ReadCloser, error) {
	route, err := dingtalk.ParseRoute(m.Route)
	if err != nil {
		return nil, pipeline.Permanent(pipeline.ReasonChat, err)
	}
	robot := route.RobotCode
	if robot == "" || robot == outgoingRobot {
		robot = r.c.cfg.RobotCode
	}
	var out struct {
		URL string `json:"downloadUrl"`
	}
	if err := r.c.call(ctx, methodFile, map[string]string{"downloadCode": f.ID, "robotCode": robot}, &out); err != nil {
		return nil, harmless(err)
	}
	address, err := r.c.fileAddress(out.URL)
	if err != nil {
		return nil, pipeline.Permanent(pipeline.ReasonChat, err)
	}
	return r.c.download(ctx, address)
}

// fileHosts are the domains DingTalk hands files out from.
var fileHosts = []string{"dingtalk.com", "aliyuncs.com"}

// fileAddress accepts addresses on DingTalk's own hosts, over https, and on the
// configured ones.
func (c *Client) fileAddress(raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil {
		return "", errors.New("dingtalk file: the address is no URL")
	}
	if slices.Contains(c.trusted, u.Host) {
		return raw, nil
	}
	host := strings.ToLower(u.Hostname())
	own := slices.ContainsFunc(fileHosts, func(d string) bool { return host == d || strings.HasSuffix(host, "."+d) })
	if !own || (u.Scheme != "https" && u.Scheme != "http") || (u.Port() != "" && u.Port() != "443" && u.Port() != "80") {
		return "", errors.New("dingtalk file: the address is on a foreign host")
	}
	u.Scheme, u.Host = "https", host
	return u.String(), nil
}

// download fetches a file. Its address is a credential: it is neither sent a
// token nor named in errors.
func (c *Client) download(ctx context.Context, address string) (io.ReadCloser, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, downloadTimeout, errTimeout)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		cancel()
		return nil, pipeline.Permanent(pipeline.ReasonChat, errors.New("dingtalk file: the address is no URL"))
	}
	resp, err := c.http.Do(req)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("dingtalk file: %w", harmless(network(ctx, err)))
	}
	if resp.StatusCode != http.StatusOK {
		cancel()
		resp.Body.Close()
		status := fmt.Errorf("dingtalk file: status %d", resp.StatusCode)
		if resp.StatusCode >= 500 {
			return nil, pipeline.Transient(pipeline.ReasonUnavailable, status)
		}
		return nil, pipeline.Permanent(pipeline.ReasonChat, status)
	}
	return &body{resp.Body, cancel}, nil
}

// body ends the download's deadline with the download.
type body struct {
	io.ReadCloser
	cancel context.CancelFunc
}

// Close implements io.Closer.
func (b *body) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}
