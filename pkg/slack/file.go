package slack

import (
	"net/url"
	"strings"

	"parley/pkg/chat"
)

// Bounds that keep an envelope of ten files and a full text in its limit. Slack
// lets a person attach ten.
const (
	maxFiles    = 10
	maxFileName = 300  // bytes as JSON
	maxFileURL  = 500  // bytes as JSON
	maxURL      = 1500 // response_url
)

// files keeps references to what is attached. URL is kept only for what Slack
// itself hosts: what is external must not be fetched with a token, and a stub of
// another organisation's file has to be looked up by its id first.
func (p *Parser) files(attached []file) []chat.File {
	var kept []chat.File
	for _, f := range attached {
		if !isID(f.ID) || f.Mode == "tombstone" || f.Mode == "hidden_by_limit" || len(kept) == maxFiles {
			continue
		}
		c := chat.File{ID: f.ID, Name: bounded(f.Name, maxFileName), MIMEType: bounded(f.MIMEType, 100), Size: max(f.Size, 0)}
		if !f.External && f.Mode != "external" {
			c.URL = p.trustedURL(f.Download, maxFileURL)
			if c.URL == "" {
				c.URL = p.trustedURL(f.URL, maxFileURL)
			}
		}
		kept = append(kept, c)
	}
	return kept
}

// trustedURL returns raw if it is Slack's own or the configured API's and no
// longer than max bytes as JSON, else "".
func (p *Parser) trustedURL(raw string, max int) string {
	if raw == "" || jsonLen(raw) > max {
		return ""
	}
	u, err := url.Parse(raw)
	if err != nil || u.User != nil || u.Host == "" {
		return ""
	}
	if p.trusted != nil && u.Scheme == p.trusted.Scheme && u.Host == p.trusted.Host {
		return raw
	}
	if u.Scheme != "https" || u.Port() != "" {
		return ""
	}
	host := strings.ToLower(u.Hostname())
	for _, own := range [...]string{"slack.com", "slack-gov.com"} {
		if host == own || strings.HasSuffix(host, "."+own) {
			return raw
		}
	}
	return ""
}
