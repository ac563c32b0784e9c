package profiles

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

var update = flag.Bool("update", false, "rewrite the golden parts of testdata")

// deployed is the profile of places that a file does not map, and what a file is
// checked against.
var deployed = pipeline.Profile{
	System: "You are Parley.", Models: []pipeline.Choice{{Name: "Other", ID: "vendor.other"}}, Language: "en",
	FollowUps: pipeline.FollowAsker, Approvers: []string{"U0BOSS"}, AskWhom: "the help desk", Retriever: looksIn("as deployed"),
	Budget: pipeline.Budget{User: 1000},
}

func deployment(money bool) Deployment {
	return Deployment{
		Open: func(k Knowledge) (pipeline.Retriever, error) {
			if k.Docs == "missing" {
				return nil, errors.New("there is no folder missing")
			}
			data, err := json.Marshal(k)
			return looksIn(data), err
		},
		Money: money, Price: func(model string, _ chat.Usage) (float64, bool) { return 0, strings.HasPrefix(model, "vendor.") },
	}
}

// looksIn is a retriever that is known by what it was opened with.
type looksIn string

func (looksIn) Retrieve(_ context.Context, query string, max int) ([]pipeline.Passage, error) {
	return nil, nil
}

// TestGolden reads each case of testdata. A case begins with what it proves, and
// "money" in its first line puts budgets in money. "profiles.yaml" is the file,
// "ask" names places, one a line: platform, channel, workspace. "want" is what is
// wrong with the file, or the profile of each place.
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
			parts := map[string][]byte{}
			var kept []txtar.File
			for _, f := range a.Files {
				if parts[f.Name] = f.Data; f.Name != "want" {
					kept = append(kept, f)
				}
			}
			money, _, _ := strings.Cut(string(a.Comment), "\n")
			got := outcome(parts["profiles.yaml"], parts["ask"], strings.Contains(money, "money"))
			if *update {
				a.Files = append(kept, txtar.File{Name: "want", Data: got})
				if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(parts["want"]), string(got)); diff != "" {
				t.Errorf("%s(-want +got)\n%s", a.Comment, diff)
			}
		})
	}
}

// outcome is the golden form of what a file means.
func outcome(data, ask []byte, money bool) []byte {
	var b bytes.Buffer
	s, err := Load("profiles.yaml", data, deployment(money))
	if err != nil {
		fmt.Fprintln(&b, err)
		return b.Bytes()
	}
	base := deployed
	base.Budget.Money = money
	for line := range strings.Lines(string(ask)) {
		at := append(strings.Fields(line), "", "")
		m := chat.Message{Workspace: at[2], Conversation: chat.Conversation{Platform: chat.Platform(at[0]), Tenant: "A", Channel: at[1]}}
		p, err := json.MarshalIndent(s.Profile(base, m), "", "  ")
		if err != nil {
			panic(err)
		}
		fmt.Fprintf(&b, "%s: %s\n", strings.TrimSpace(line), p)
	}
	return b.Bytes()
}

// The example that people copy is right.
func TestGuide(t *testing.T) {
	guide, err := os.ReadFile("../../docs/profiles.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(guide), "```yaml\n")
	example, _, _ = strings.Cut(example, "```")
	s, err := Load("docs/profiles.md", []byte(example), Deployment{})
	if err != nil || len(s.Names()) < 3 {
		t.Errorf("%v", err)
	}
}
