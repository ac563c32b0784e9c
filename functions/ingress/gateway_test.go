package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"parley/pkg/pipeline"
)

// recorder is a parser that keeps the request it was given.
type recorder struct{ got pipeline.Request }

func (r *recorder) Parse(q pipeline.Request, _ time.Time) (pipeline.Parsed, error) {
	r.got = q
	return pipeline.Parsed{Response: pipeline.Response{Status: http.StatusOK, ContentType: "application/json", Body: []byte(`{"ok":true}`)}}, nil
}

func invoke(t *testing.T, parser pipeline.Parser, event string) (response, error) {
	t.Helper()
	g := gateway{&pipeline.Ingress{Parsers: map[string]pipeline.Parser{"/slack/commands": parser}, Log: slog.New(slog.DiscardHandler)}}
	payload, err := g.Invoke(context.Background(), []byte(event))
	if err != nil {
		return response{}, err
	}
	var out response
	if err := json.Unmarshal(payload, &out); err != nil {
		t.Fatal(err)
	}
	return out, nil
}

// A form comes in base64, and the parser sees the bytes that were signed.
func TestForm(t *testing.T) {
	const form = "command=%2Fparley&text=hello+there"
	r := &recorder{}
	out, err := invoke(t, r, `{"version":"2.0","rawPath":"/slack/commands","headers":{"x-slack-signature":"v0=1","content-type":"application/x-www-form-urlencoded"},
		"requestContext":{"http":{"method":"POST","path":"/slack/commands"}},"body":"`+base64.StdEncoding.EncodeToString([]byte(form))+`","isBase64Encoded":true}`)
	if err != nil {
		t.Fatal(err)
	}
	if string(r.got.Body) != form || r.got.Method != http.MethodPost || r.got.Header.Get("X-Slack-Signature") != "v0=1" {
		t.Errorf("the parser saw %+v", r.got)
	}
	if out.StatusCode != http.StatusOK || out.Body != `{"ok":true}` || out.Headers["Content-Type"] != "application/json" {
		t.Errorf("answered %+v", out)
	}
}

// Text comes as it is, also where it looks like base64.
func TestText(t *testing.T) {
	r := &recorder{}
	if _, err := invoke(t, r, `{"rawPath":"/slack/commands","requestContext":{"http":{"method":"POST"}},"body":"aGVsbG8=","isBase64Encoded":false}`); err != nil {
		t.Fatal(err)
	}
	if string(r.got.Body) != "aGVsbG8=" {
		t.Errorf("the parser saw %q", r.got.Body)
	}
}

func TestWhatIsNoRequest(t *testing.T) {
	r := &recorder{}
	out, err := invoke(t, r, `{"rawPath":"/slack/commands","requestContext":{"http":{"method":"POST"}},"body":"%%%","isBase64Encoded":true}`)
	if err != nil || out.StatusCode != http.StatusBadRequest || r.got.Path != "" {
		t.Errorf("a body that is not base64: %+v, %v; parsed %q", out, err, r.got.Path)
	}
	if _, err := invoke(t, r, `[]`); err == nil {
		t.Error("an event that is not an object was answered")
	}
	if out, err := invoke(t, r, `{"rawPath":"/elsewhere","requestContext":{"http":{"method":"POST"}}}`); err != nil || out.StatusCode != http.StatusNotFound {
		t.Errorf("an unknown path: %+v, %v", out, err)
	}
}
