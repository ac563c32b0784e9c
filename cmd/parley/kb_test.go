package main

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/bedrockagent"

	"parley/pkg/bedrock"
	"parley/pkg/bedrock/bedrocktest"
)

// What is being read already is followed, then every source is read, and the table
// says how it went. A source that fails keeps no other from being read.
func TestKnowledgeBaseSync(t *testing.T) {
	for _, tt := range []struct {
		name, running, broken string
		progress, table       []string
		fails                 string
	}{
		{name: "quiet", progress: []string{"docs: reading, 3 documents so far", "wiki: COMPLETE, 3 documents"}, table: []string{"docs COMPLETE 3 2 0 1", "wiki COMPLETE 3 2 0 1"}},
		{name: "overlap", running: "DSDOCS", progress: []string{"docs: is being read already; following that first"}, table: []string{"docs COMPLETE", "wiki COMPLETE"}},
		{name: "another", running: "DSWIKI", progress: []string{"docs: another source is being read; waiting for it"}, table: []string{"docs COMPLETE", "wiki COMPLETE"}},
		{name: "failure", broken: "DSDOCS", progress: []string{"docs: FAILED"}, table: []string{"docs FAILED", "wiki COMPLETE"}, fails: "no such bucket"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake, aws := bedrocktest.StartInMemory(t)
				fake.AddSource("DSDOCS", "docs")
				fake.AddSource("DSWIKI", "wiki")
				fake.SetJobTime(90 * time.Second)
				k, err := bedrock.NewKnowledge(bedrockagent.NewFromConfig(aws), "KB12345678", "")
				if err != nil {
					t.Fatal(err)
				}
				if tt.running != "" {
					if _, err := k.Sync(t.Context(), tt.running); err != nil {
						t.Fatal(err)
					}
				}
				if tt.broken != "" {
					fake.SetJobFailure(tt.broken, "no such bucket")
				}
				var out, progress strings.Builder
				err = syncSources(t.Context(), &out, &progress, k)
				if tt.fails == "" && err != nil || tt.fails != "" && (err == nil || !strings.Contains(err.Error(), tt.fails) || errors.As(err, new(usageError))) {
					t.Errorf("ended with %v", err)
				}
				for _, line := range tt.progress {
					if !strings.Contains(progress.String(), line) {
						t.Errorf("progress without %q:\n%s", line, progress.String())
					}
				}
				for _, row := range tt.table {
					found := false
					for line := range strings.Lines(out.String()) {
						found = found || strings.HasPrefix(strings.Join(strings.Fields(line), " "), row)
					}
					if !found {
						t.Errorf("no row %q in\n%s", row, out.String())
					}
				}
			})
		})
	}
}

func TestKnowledgeBaseIsNamedOnce(t *testing.T) {
	t.Setenv("KNOWLEDGE_BASE_ID", "")
	for _, args := range [][]string{{"kb", "sync"}, {"kb", "sync", "--stack", "s", "--knowledge-base", "k"}, {"kb", "status", "now"}, {"kb", "sink"}} {
		c := root()
		c.SetArgs(args)
		if err := c.Execute(); !errors.As(err, new(usageError)) {
			t.Errorf("%v: %v is no usage error", args, err)
		}
	}
}
