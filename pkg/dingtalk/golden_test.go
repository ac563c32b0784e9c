package dingtalk

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

var update = flag.Bool("update", false, "rewrite the golden parts of testdata")

// received is when every golden case arrives.
var received = time.UnixMilli(1767225601000).UTC()

// outcome is the golden form of what a case means.
type outcome struct {
	Error    string         `json:"error,omitempty"`
	Ignored  string         `json:"ignored,omitempty"`
	Response string         `json:"response,omitempty"`
	Messages []chat.Message `json:"messages,omitempty"`
}

type decode func(p *Parser, data []byte, now time.Time) (pipeline.Parsed, error)

func TestMessages(t *testing.T) { golden(t, "testdata/messages", (*Parser).Message) }
func TestCards(t *testing.T)    { golden(t, "testdata/cards", (*Parser).Card) }

func golden(t *testing.T, dir string, decode decode) {
	files, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases in %s: %v", dir, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := run(t, a, decode)
			if *update {
				put(a, "want.json", got)
				if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(part(a, "want.json")), string(got)); diff != "" {
				t.Errorf("%s-want +got:\n%s", a.Comment, diff)
			}
		})
	}
}

func run(t *testing.T, a *txtar.Archive, decode decode) []byte {
	t.Helper()
	var cfg Config
	if raw := part(a, "config.json"); raw != nil {
		if err := json.Unmarshal(raw, &cfg); err != nil {
			t.Fatal(err)
		}
	}
	parsed, err := decode(NewParser(cfg), part(a, "body.json"), received)
	out := outcome{Ignored: parsed.Ignored, Messages: parsed.Messages, Response: string(parsed.Response.Body)}
	if err != nil {
		out.Error = err.Error()
		if !errors.Is(err, pipeline.ErrMalformed) && !errors.Is(err, pipeline.ErrUnauthorized) {
			t.Errorf("error of no class: %v", err)
		}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(out); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func part(a *txtar.Archive, name string) []byte {
	for _, f := range a.Files {
		if f.Name == name {
			return f.Data
		}
	}
	return nil
}

func put(a *txtar.Archive, name string, data []byte) {
	for i := range a.Files {
		if a.Files[i].Name == name {
			a.Files[i].Data = data
			return
		}
	}
	a.Files = append(a.Files, txtar.File{Name: name, Data: data})
}
