package slackapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode"

	"github.com/slack-go/slack"

	"parley/pkg/chat"
	"parley/pkg/markdown"
	"parley/pkg/pipeline"
)

// fileID begins the id of a post that is a file.
const fileID = "file/"

// attach shows the answer as a file in its thread: uploaded first, which nobody sees
// and may be repeated, then completed, which posts it. Only the latter must not be
// repeated blindly; whether it took effect, the file itself tells. A file of an
// earlier answer goes. Documented at docs.slack.dev/messaging/working-with-files.
func (a *answer) attach(ctx context.Context) error {
	if a.route.ThreadTS == "" {
		return nil // an answer for one person alone is no file for all
	}
	f, _ := markdown.AsFile(a.r.Markdown)
	hash := chat.Hash(f.Ext, f.Text)
	if err := a.landedFile(ctx, hash); err != nil {
		return err
	}
	if len(a.at.Posts) > 0 && (a.at.Posts[0].Hash != hash || a.r.Markdown == "") {
		if err := a.detach(ctx); err != nil {
			return err
		}
	}
	if len(a.at.Posts) > 0 || a.r.Markdown == "" {
		return nil
	}
	err := a.upload(ctx, f)
	if err == nil {
		err = a.complete(ctx, hash)
	}
	if permanent(err) && !refused(err) {
		a.c.cfg.Log.Warn("answer as a file", "err", err)
		return a.privately(ctx, a.plain(a.words.Say("file.refused")), false)
	}
	return err
}

// landedFile finds out whether a file whose completion was interrupted is there.
func (a *answer) landedFile(ctx context.Context, hash string) error {
	i := a.at.Intent
	if i == nil || a.at.Key == "" {
		a.at.Intent, a.at.Key = nil, ""
		return nil
	}
	if wait := landed - a.c.cfg.Now().Sub(i.At); wait > 0 {
		return &pipeline.Error{Reason: pipeline.ReasonUnavailable, After: wait,
			Err: fmt.Errorf("%s: its outcome is not known yet", i.Method)}
	}
	e, err := a.c.call(ctx, methodFile, a.j, false, func(ctx context.Context, api *slack.Client) error {
		_, _, _, err := api.GetFileInfoContext(ctx, a.at.Key, 0, 0)
		return err
	})
	switch {
	case is(err, "file_not_found"):
	case err != nil:
		return fmt.Errorf("look up file: %w", err)
	case e.File != nil && e.File.shared():
		a.at.Posts = []pipeline.Post{{ID: fileID + a.at.Key, Hash: hash}}
	}
	a.at.Intent, a.at.Key = nil, "" // one that nobody sees is left to Slack
	return nil
}

// upload brings the file to Slack and keeps its id in Key.
func (a *answer) upload(ctx context.Context, f markdown.File) error {
	if err := a.ready(methodComplete); err != nil {
		return err
	}
	var to *slack.GetUploadURLExternalResponse
	_, err := a.c.call(ctx, methodUpload, a.j, true, func(ctx context.Context, api *slack.Client) (err error) {
		to, err = api.GetUploadURLExternalContext(ctx, slack.GetUploadURLExternalParameters{
			FileName: fileName(a.r.Title) + f.Ext, FileSize: len(f.Text),
		})
		return err
	})
	if err != nil {
		return fmt.Errorf("ask for an upload: %w", err)
	}
	u, err := url.Parse(to.UploadURL)
	if err != nil || !a.c.trusts(u) {
		return pipeline.Permanent(pipeline.ReasonChat, errors.New("upload: the address is not Slack's"))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), strings.NewReader(f.Text))
	if err != nil {
		return pipeline.Permanent(pipeline.ReasonChat, errors.New("upload: the address is senseless"))
	}
	resp, err := a.c.files.Do(req)
	if err != nil { // the address in it is a secret
		return pipeline.Transient(pipeline.ReasonUnavailable, fmt.Errorf("upload: %w", errors.Unwrap(err)))
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return pipeline.Transient(pipeline.ReasonUnavailable, fmt.Errorf("upload: status %d", resp.StatusCode))
	}
	a.at.Key = to.FileID
	return nil
}

// complete posts the file that was uploaded.
func (a *answer) complete(ctx context.Context, hash string) error {
	id := a.at.Key
	if err := a.intend(ctx, methodComplete, 0); err != nil {
		return err
	}
	_, err := a.c.call(ctx, methodComplete, a.j, true, func(ctx context.Context, api *slack.Client) error {
		_, err := api.CompleteUploadExternalContext(ctx, slack.CompleteUploadExternalParameters{
			Files:   []slack.FileSummary{{ID: id, Title: short(or(a.r.Title, id))}},
			Channel: a.route.Channel, ThreadTimestamp: a.route.ThreadTS,
		})
		return err
	})
	if err := a.done(err); err != nil {
		return fmt.Errorf("post file: %w", err)
	}
	a.at.Posts = []pipeline.Post{{ID: fileID + id, Hash: hash}}
	return a.j.Checkpoint(ctx, a.at)
}

// detach deletes the file.
func (a *answer) detach(ctx context.Context) error {
	_, err := a.c.call(ctx, methodUnfile, a.j, true, func(ctx context.Context, api *slack.Client) error {
		return api.DeleteFileContext(ctx, strings.TrimPrefix(a.at.Posts[0].ID, fileID))
	})
	if err != nil && !is(err, "file_not_found", "file_deleted") {
		return fmt.Errorf("take file away: %w", err)
	}
	a.at.Posts = nil
	return nil
}

// shared reports whether people can see f somewhere.
func (f *file) shared() bool { return len(f.Shares.Public)+len(f.Shares.Private) > 0 }

// fileName is a question as the name of a file.
func fileName(title string) string {
	words := strings.FieldsFunc(strings.ToLower(title), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	name := strings.Join(words, "-")
	if r := []rune(name); len(r) > 40 {
		name = strings.TrimRight(string(r[:40]), "-")
	}
	return or(name, "answer")
}
