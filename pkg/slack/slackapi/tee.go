package slackapi

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
)

// maxAnswer bounds what is read of an answer, in bytes. A page of 200 messages
// with blocks stays well below it.
const maxAnswer = 16 << 20

// reply is a copy of the answer to the last request made with a context.
type reply struct {
	status int
	body   []byte
}

type replyKey struct{}

func withReply(ctx context.Context) (context.Context, *reply) {
	r := &reply{}
	return context.WithValue(ctx, replyKey{}, r), r
}

// tee keeps a copy of each answer for whoever asked for it by withReply.
type tee struct{ next http.RoundTripper }

func (t tee) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(req)
	got, ok := req.Context().Value(replyKey{}).(*reply)
	if err != nil || !ok {
		return resp, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	resp.Body.Close()
	if err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	got.status, got.body = resp.StatusCode, body
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}
