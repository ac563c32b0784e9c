package slack

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

var update = flag.Bool("update", false, "rewrite the golden parts of testdata")

const testSecret = "0123456789abcdef0123456789abcdef"

// received is when every request of these tests arrives.
var received = time.Unix(1780000200, 250_000_000).UTC()

// meaning is the golden form of what a request means.
type meaning struct {
	Error    string         `json:"error,omitempty"`
	Ignored  string         `json:"ignored,omitempty"`
	Retry    int            `json:"retry,omitempty"`
	Response string         `json:"response,omitempty"`
	Messages []chat.Message `json:"messages,omitempty"`
}

// TestGolden reads each case of testdata. A case begins with what it proves. Its
// parts are requests, in order: "event" is a JSON body, "command" a form with one
// name=value a line, "payload" the JSON of an interaction. A part "config" says
// what differs from the usual configuration, "header" adds headers to what
// follows, and "want" holds what the requests mean.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if len(bytes.TrimSpace(a.Comment)) == 0 {
				t.Error("the case does not say what it proves")
			}
			want, got := golden(t, a)
			if *update {
				a.Files = append(a.Files[:len(a.Files):len(a.Files)], txtar.File{Name: "want", Data: got})
				if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("%s(-want +got)\n%s", a.Comment, diff)
			}
		})
	}
}

// golden runs the requests of a and takes the part "want" out of it.
func golden(t *testing.T, a *txtar.Archive) (want, got []byte) {
	cfg := Config{FollowUps: true}
	header := http.Header{}
	var meanings []meaning
	var p, socket *Parser
	var kept []txtar.File
	for _, f := range a.Files {
		switch f.Name {
		case "want":
			want = f.Data
			continue
		case "config":
			if err := json.Unmarshal(f.Data, &cfg); err != nil {
				t.Fatal(err)
			}
		case "header":
			for line := range strings.Lines(string(f.Data)) {
				name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
				header.Set(name, value)
			}
		default:
			if p == nil {
				p, socket = newTestParser(t, cfg), newTestParser(t, cfg)
			}
			path, body := requestOf(t, f)
			r := signed(path, body)
			for name, values := range header {
				r.Header[name] = values
			}
			meanings = append(meanings, meaningOf(t, p, r))
			agree(t, socket, f, meanings[len(meanings)-1])
		}
		kept = append(kept, f)
	}
	a.Files = kept
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(meanings); err != nil {
		t.Fatal(err)
	}
	return want, b.Bytes()
}

// agree checks that the payload of a Socket Mode envelope means what the request
// over HTTP means.
func agree(t *testing.T, p *Parser, f txtar.File, want meaning) {
	t.Helper()
	kind, payload := PayloadEvent, bytes.TrimSpace(f.Data)
	switch f.Name {
	case "payload":
		kind = PayloadInteraction
	case "command":
		kind = PayloadCommand
		fields := map[string]string{}
		for line := range strings.Lines(string(f.Data)) {
			name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
			fields[name] = value
		}
		if fields["ssl_check"] != "" {
			return // a probe of an HTTP endpoint
		}
		payload, _ = json.Marshal(fields)
	}
	parsed, err := p.ParsePayload(kind, payload, received)
	if (err != nil) != (want.Error != "") {
		t.Errorf("over a socket: error %v, over HTTP %q", err, want.Error)
	}
	if diff := cmp.Diff(want.Messages, parsed.Messages); diff != "" || parsed.Ignored != want.Ignored {
		t.Errorf("over a socket it means something else (-HTTP +socket): %s %s", parsed.Ignored, diff)
	}
}

func meaningOf(t *testing.T, p *Parser, r pipeline.Request) meaning {
	t.Helper()
	parsed, err := p.Parse(r, received)
	m := meaning{
		Ignored: parsed.Ignored, Retry: parsed.Retry,
		Response: string(parsed.Response.Body), Messages: parsed.Messages,
	}
	if err != nil {
		m.Error = err.Error()
		if !errors.Is(err, pipeline.ErrMalformed) && !errors.Is(err, pipeline.ErrUnauthorized) {
			t.Errorf("error of no class: %v", err)
		}
	}
	return m
}

func requestOf(t *testing.T, f txtar.File) (path, body string) {
	t.Helper()
	data := strings.TrimSpace(string(f.Data))
	switch f.Name {
	case "event":
		return PathEvents, data
	case "payload":
		return PathInteractions, url.Values{"payload": {data}}.Encode()
	case "command":
		form := url.Values{}
		for line := range strings.Lines(data) {
			name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
			form.Set(name, value)
		}
		return PathCommands, form.Encode()
	}
	t.Fatalf("unknown part %q", f.Name)
	return "", ""
}

func newTestParser(t testing.TB, cfg Config) *Parser {
	t.Helper()
	if cfg.Secrets == nil {
		cfg.Secrets = func() []string { return []string{testSecret} }
	}
	p, err := NewParser(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// signed is a request as Slack sends it at received.
func signed(path, body string) pipeline.Request {
	stamp := strconv.FormatInt(received.Unix(), 10)
	h := http.Header{}
	h.Set(headerTimestamp, stamp)
	h.Set(headerSignature, "v0="+hex.EncodeToString(sign(testSecret, stamp, []byte(body))))
	return pipeline.Request{Method: http.MethodPost, Path: path, Header: h, Body: []byte(body)}
}
