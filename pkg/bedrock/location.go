package bedrock

import (
	"cmp"
	"fmt"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrockagentruntime/types"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

// Metadata that the service adds to results by itself.
const (
	metaSource = "x-amz-bedrock-kb-source-uri"
	metaPage   = "x-amz-bedrock-kb-document-page-number"
)

// quoteLength bounds the quotation in a citation, in characters.
const quoteLength = 200

// passages turns results into at most max passages, numbered in their order. Those
// without text, below the least score, seen before, or of a document whose time has
// come are left out. The time is looked at here and not by a filter of the search:
// stores differ in whether one finds documents that lack the attribute, and most do.
func (r *Retriever) passages(results []types.KnowledgeBaseRetrievalResult, max int, now time.Time) []pipeline.Passage {
	var found []pipeline.Passage
	seen := make(map[string]bool)
	for _, result := range results {
		text := strings.TrimSpace(contentText(result.Content))
		score := aws.ToFloat64(result.Score)
		until := metadata(result).number("expires")
		if text == "" || seen[text] || (result.Score != nil && score < r.config.MinScore) || until > 0 && float64(now.Unix()) >= until {
			continue
		}
		seen[text] = true
		citation := r.citation(result)
		citation.Number = len(found) + 1
		citation.Score = score
		citation.Quote = clip(text, quoteLength)
		found = append(found, pipeline.Passage{Text: text, Citation: citation})
		if len(found) == max {
			break
		}
	}
	return found
}

// contentText is what a result says, whatever it was made of.
func contentText(c *types.RetrievalResultContent) string {
	switch {
	case c == nil:
		return ""
	case len(c.Row) > 0:
		var cells []string
		for _, column := range c.Row {
			cells = append(cells, aws.ToString(column.ColumnName)+": "+aws.ToString(column.ColumnValue))
		}
		return strings.Join(cells, "; ")
	case c.Audio != nil && c.Text == nil:
		return aws.ToString(c.Audio.Transcription)
	case c.Video != nil && c.Text == nil:
		return aws.ToString(c.Video.Summary)
	}
	return aws.ToString(c.Text)
}

// citation says where a result is from. Attributes that an author gave a document
// ("title", "url", "heading") go before what can be guessed from its location.
func (r *Retriever) citation(result types.KnowledgeBaseRetrievalResult) chat.Citation {
	meta := metadata(result)
	location := cmp.Or(locationOf(result.Location), meta.text(metaSource))
	return chat.Citation{
		Title:   cmp.Or(meta.text("title"), name(location)),
		URL:     cmp.Or(webURL(meta.text("url")), r.link(location)),
		Page:    int(meta.number(metaPage)),
		Heading: cmp.Or(meta.text("heading"), meta.text("section")),
	}
}

// locationOf is the one address in l: a URL, a document's own id, or a query.
func locationOf(l *types.RetrievalResultLocation) string {
	switch {
	case l == nil:
		return ""
	case l.S3Location != nil:
		return aws.ToString(l.S3Location.Uri)
	case l.WebLocation != nil:
		return aws.ToString(l.WebLocation.Url)
	case l.ConfluenceLocation != nil:
		return aws.ToString(l.ConfluenceLocation.Url)
	case l.SalesforceLocation != nil:
		return aws.ToString(l.SalesforceLocation.Url)
	case l.SharePointLocation != nil:
		return aws.ToString(l.SharePointLocation.Url)
	case l.KendraDocumentLocation != nil:
		return aws.ToString(l.KendraDocumentLocation.Uri)
	case l.CustomDocumentLocation != nil:
		return aws.ToString(l.CustomDocumentLocation.Id)
	case l.SqlLocation != nil:
		return aws.ToString(l.SqlLocation.Query)
	}
	return ""
}

// name is what to call a location that has no title.
func name(location string) string {
	u, err := url.Parse(location)
	if err != nil || u.Host == "" {
		return clip(strings.Join(strings.Fields(location), " "), 120)
	}
	if base := path.Base(u.Path); base != "/" && base != "." {
		return base
	}
	return u.Host
}

// link is where people can open a location, "" if they cannot.
func (r *Retriever) link(location string) string {
	rest, inS3 := strings.CutPrefix(location, "s3://")
	if !inS3 {
		return webURL(location)
	}
	bucket, key, _ := strings.Cut(rest, "/")
	base := r.config.CitationBaseURL
	if base == "" || key == "" {
		return ""
	}
	escaped := (&url.URL{Path: key}).EscapedPath()
	if strings.Contains(base, "{key}") {
		return strings.NewReplacer("{bucket}", url.PathEscape(bucket), "{key}", escaped).Replace(base)
	}
	base = strings.ReplaceAll(base, "{bucket}", url.PathEscape(bucket))
	return strings.TrimRight(base, "/") + "/" + escaped
}

// webURL is s if a browser may follow it, otherwise "".
func webURL(s string) string {
	if u, err := url.Parse(s); err != nil || !isWeb(u) {
		return ""
	}
	return s
}

func isWeb(u *url.URL) bool { return (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" }

// attributes is the metadata of a result.
type attributes map[string]any

func metadata(result types.KnowledgeBaseRetrievalResult) attributes {
	all := make(attributes, len(result.Metadata))
	for key, value := range result.Metadata {
		var v any
		// A value that cannot be read is one that is not there.
		if value != nil && value.UnmarshalSmithyDocument(&v) == nil {
			all[key] = v
		}
	}
	return all
}

func (a attributes) text(key string) string {
	s, _ := a[key].(string)
	return strings.TrimSpace(s)
}

// number reads what stores give back as a number or as its digits.
func (a attributes) number(key string) float64 {
	switch v := a[key].(type) {
	case float64:
		return v
	case string:
		var f float64
		if _, err := fmt.Sscan(v, &f); err == nil {
			return f
		}
	case interface{ Float64() (float64, error) }:
		f, _ := v.Float64() // 0 is no page
		return f
	}
	return 0
}

func clip(text string, n int) string {
	runes := []rune(text)
	if len(runes) <= n {
		return text
	}
	return string(runes[:n]) + "…"
}
