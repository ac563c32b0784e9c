package bedrock_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/bedrockagent"
	"github.com/aws/aws-sdk-go-v2/service/bedrockagentruntime"
	"github.com/google/go-cmp/cmp"

	"parley/pkg/bedrock"
	"parley/pkg/bedrock/bedrocktest"
	"parley/pkg/pipeline"
)

// newKnowledge has two synced sources and one for single documents.
func newKnowledge(t *testing.T) (*bedrocktest.Server, *bedrock.Knowledge) {
	t.Helper()
	fake, aws := bedrocktest.StartInMemory(t)
	fake.AddSource("DSDOCS", "docs")
	fake.AddSource("DSCUSTOM", "threads")
	fake.AddSource("DSWIKI", "wiki")
	k, err := bedrock.NewKnowledge(bedrockagent.NewFromConfig(aws), "KB12345678", "DSCUSTOM")
	if err != nil {
		t.Fatal(err)
	}
	return fake, k
}

var thread = bedrock.Document{
	ID: "https://x.slack.com/archives/C1/p1", Request: "slack:A1:C1:1.2", Title: "#help", URL: "https://x.slack.com/archives/C1/p1",
	Text: "Ada: where is the printer?\nBob: floor two.",
}

func TestIngestRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, k := newKnowledge(t)
		if err := k.Ingest(t.Context(), thread); err != nil {
			t.Fatal(err)
		}
		call := fake.Calls(bedrocktest.OpIngestDocuments)[0]
		var got map[string]any
		call.Decode(&got)
		if token, _ := got["clientToken"].(string); len(token) < 33 {
			t.Errorf("client token is %q", token)
		}
		text := func(v string) object { return object{"type": "STRING", "stringValue": v} }
		want := []any{object{
			"content": object{"dataSourceType": "CUSTOM", "custom": object{
				"customDocumentIdentifier": object{"id": thread.ID}, "sourceType": "IN_LINE",
				"inlineContent": object{"type": "TEXT", "textContent": object{"data": thread.Text}},
			}},
			"metadata": object{"type": "IN_LINE_ATTRIBUTE", "inlineAttributes": []any{
				object{"key": "title", "value": text(thread.Title)}, object{"key": "url", "value": text(thread.URL)},
			}},
		}}
		if diff := cmp.Diff(any(want), got["documents"]); diff != "" || call.Source != "DSCUSTOM" || call.Knowledge != "KB12345678" {
			t.Errorf("%s/%s (-want +got):\n%s", call.Knowledge, call.Source, diff)
		}
	})
}

func TestRememberAndForget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, k := newKnowledge(t)
		state := func() string {
			t.Helper()
			s, err := k.DocumentState(t.Context(), thread.ID)
			if err != nil {
				t.Fatal(err)
			}
			return s.Status
		}
		do := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		if s := state(); s != "NOT_FOUND" {
			t.Errorf("at first it is %s", s)
		}
		do(k.Ingest(t.Context(), thread))
		do(k.Ingest(t.Context(), thread))
		if n := len(fake.Documents("DSCUSTOM")); n != 1 || state() != "INDEXED" {
			t.Errorf("%d documents, %s", n, state())
		}
		do(k.Forget(t.Context(), thread.ID))
		do(k.Forget(t.Context(), thread.ID))
		do(k.Ingest(t.Context(), thread)) // the old request, delivered once more
		if s := state(); s != "NOT_FOUND" {
			t.Errorf("a repeated request brought it back: %s", s)
		}
		again := thread
		again.Request = "slack:A1:C1:9.9"
		do(k.Ingest(t.Context(), again))
		if s := state(); s != "INDEXED" {
			t.Errorf("a new request did not bring it back: %s", s)
		}
	})
}

// TestWhatIsIngestedIsFound goes around: what a thread taught is retrieved and cited.
func TestWhatIsIngestedIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, aws := bedrocktest.StartInMemory(t)
		k, err := bedrock.NewKnowledge(bedrockagent.NewFromConfig(aws), "KB1", "DSCUSTOM")
		if err != nil {
			t.Fatal(err)
		}
		r, err := bedrock.NewRetriever(bedrockagentruntime.NewFromConfig(aws), bedrock.RetrieverConfig{KnowledgeBaseID: "KB1"})
		if err != nil {
			t.Fatal(err)
		}
		if err := k.Ingest(t.Context(), thread); err != nil {
			t.Fatal(err)
		}
		got, err := r.Retrieve(t.Context(), "where is the printer", 3)
		if err != nil || len(got) != 1 || got[0].Citation.Title != "#help" || got[0].Citation.URL != thread.URL {
			t.Errorf("got %+v, %v", got, err)
		}
	})
}

func TestIngestRefuses(t *testing.T) {
	failed := bedrocktest.JSON(object{"documentDetails": []object{{
		"dataSourceId": "DSCUSTOM", "knowledgeBaseId": "KB12345678", "status": "FAILED", "statusReason": "bad",
		"identifier": object{"dataSourceType": "CUSTOM", "custom": object{"id": "x"}}}}})
	for _, test := range []struct {
		name     string
		document bedrock.Document
		response *bedrocktest.Response
		reason   pipeline.Reason
		calls    int
	}{
		{"no id", bedrock.Document{Text: "x"}, nil, pipeline.ReasonUnreadable, 0},
		{"no text", bedrock.Document{ID: "x"}, nil, pipeline.ReasonUnreadable, 0},
		{"too long", bedrock.Document{ID: "x", Text: strings.Repeat("x", 5<<20+1)}, nil, pipeline.ReasonTooLong, 0},
		{"failed", thread, failed, pipeline.ReasonUnavailable, 1},
		{"denied", thread, bedrocktest.Fail(403, "AccessDeniedException", ""), pipeline.ReasonConfig, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			fake, k := newKnowledge(t)
			if test.response != nil {
				fake.Queue(bedrocktest.OpIngestDocuments, test.response)
			}
			err := k.Ingest(t.Context(), test.document)
			if e := pipeline.Classify(err); err == nil || e.Reason != test.reason || !e.Permanent || len(fake.Calls("")) != test.calls {
				t.Errorf("%s: %v after %d calls", test.name, err, len(fake.Calls("")))
			}
		})
	}
}

// A document that the service takes may still fail a little later: whoever approved
// it must not be told that it is remembered.
func TestIngestWatchesTheDocument(t *testing.T) {
	for _, test := range []struct {
		name    string
		takes   time.Duration
		failure string
		fails   bool
	}{
		{"indexed", 5 * time.Second, "", false},
		{"failed", 5 * time.Second, "Invalid metadata attributes", true},
		{"slow", time.Hour, "", false}, // not known to fail
	} {
		synctest.Test(t, func(t *testing.T) {
			fake, k := newKnowledge(t)
			fake.SetIndexing(test.takes, test.failure)
			began := time.Now()
			err := k.Ingest(t.Context(), thread)
			if test.fails != (err != nil && pipeline.Classify(err).Permanent && strings.Contains(err.Error(), test.failure)) {
				t.Errorf("%s: %v", test.name, err)
			}
			if took := time.Since(began); took < min(test.takes, 20*time.Second) || took > 30*time.Second {
				t.Errorf("%s took %v", test.name, took)
			}
		})
	}
}

// What a thread brings with it stays below what S3 Vectors takes with a vector.
func TestAttributesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, k := newKnowledge(t)
		long := thread
		long.Title, long.URL = strings.Repeat("长", 500), "https://example.com/"+strings.Repeat("x", 500)
		if err := k.Ingest(t.Context(), long); err != nil {
			t.Fatal(err)
		}
		kept := fake.Documents("DSCUSTOM")[thread.ID].Attributes
		if title, _ := kept["title"].(string); len(title) == 0 || len(title) > 400 || kept["url"] != nil {
			t.Errorf("kept %v", kept)
		}
	})
}

// A document whose time has come is passed over, also where it is still stored.
func TestExpiredIsNotFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, aws := bedrocktest.StartInMemory(t)
		k, err := bedrock.NewKnowledge(bedrockagent.NewFromConfig(aws), "KB1", "DSCUSTOM")
		if err != nil {
			t.Fatal(err)
		}
		r, err := bedrock.NewRetriever(bedrockagentruntime.NewFromConfig(aws), bedrock.RetrieverConfig{KnowledgeBaseID: "KB1"})
		if err != nil {
			t.Fatal(err)
		}
		brief := thread
		brief.Expires = time.Now().Add(time.Hour)
		if err := k.Ingest(t.Context(), brief); err != nil {
			t.Fatal(err)
		}
		for _, found := range []int{1, 0} {
			if got, err := r.Retrieve(t.Context(), "where is the printer", 3); err != nil || len(got) != found {
				t.Errorf("found %d passages, want %d: %v", len(got), found, err)
			}
			time.Sleep(time.Hour)
		}
		if len(fake.Documents("DSCUSTOM")) != 1 {
			t.Error("the document is gone, so this shows nothing")
		}
	})
}

func TestIngestDuringAChangeComesBackLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, k := newKnowledge(t)
		fake.Queue(bedrocktest.OpIngestDocuments, bedrocktest.Fail(409, "ConflictException", "busy"))
		err := k.Ingest(t.Context(), thread)
		if e := pipeline.Classify(err); err == nil || !e.Throttled || e.After != time.Minute {
			t.Errorf("got %v", err)
		}
	})
}

func TestDocumentsNeedACustomSource(t *testing.T) {
	k, err := bedrock.NewKnowledge(nil, "KB1", "")
	if err != nil {
		t.Fatal(err)
	}
	_, stateErr := k.DocumentState(t.Context(), "x")
	for _, err := range []error{k.Ingest(t.Context(), thread), k.Forget(t.Context(), "x"), stateErr} {
		if err == nil || pipeline.Classify(err).Reason != pipeline.ReasonConfig || !strings.Contains(err.Error(), "CUSTOM") {
			t.Errorf("got %v", err)
		}
	}
	if _, err := bedrock.NewKnowledge(nil, "", ""); err == nil {
		t.Error("an empty id was accepted")
	}
}

// starts returns the sources whose sync was accepted, in order.
func starts(fake *bedrocktest.Server) string {
	var sources []string
	for _, c := range fake.Calls(bedrocktest.OpStartIngestion) {
		sources = append(sources, c.Source)
	}
	return strings.Join(sources, " ")
}

func unwatched(bedrock.Job) {}

func TestSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, k := newKnowledge(t)
		fake.SetJobTime(5 * time.Minute)
		first, err := k.Sync(t.Context(), "DSDOCS")
		if err != nil || first.Joined || !first.Running() {
			t.Fatalf("got %+v, %v", first, err)
		}
		second, err := k.Sync(t.Context(), "DSDOCS")
		if err != nil || !second.Joined || second.ID != first.ID {
			t.Errorf("overlapping sync: %+v, %v", second, err)
		}
		_, err = k.Sync(t.Context(), "DSWIKI")
		if e := pipeline.Classify(err); err == nil || !e.Throttled || e.After != time.Minute {
			t.Errorf("sync beside another source's: %v", err)
		}
		_, err = k.Sync(t.Context(), "DSDOCS")
		if err != nil {
			t.Error(err)
		}
	})
}

func TestSyncAndWaitOutlastsTheRunningOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, k := newKnowledge(t)
		fake.SetJobTime(95 * time.Second)
		first, err := k.Sync(t.Context(), "DSDOCS")
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		job, err := k.SyncAndWait(t.Context(), "DSDOCS", unwatched)
		if err != nil || job.ID == first.ID || job.Status != "COMPLETE" || job.Scanned != 3 || job.Indexed != 2 || job.Failed != 1 {
			t.Errorf("got %+v, %v", job, err)
		}
		if took := time.Since(start); took < 190*time.Second || took > 220*time.Second {
			t.Errorf("took %v for two syncs of 95 s", took)
		}
	})
}

func TestSyncAllTakesTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, k := newKnowledge(t)
		fake.SetJobTime(time.Minute)
		jobs, err := k.SyncAll(t.Context(), func(bedrock.SourceStatus) {})
		if err != nil || len(jobs) != 2 || starts(fake) != "DSDOCS DSWIKI" {
			t.Errorf("got %+v from %s, %v", jobs, starts(fake), err)
		}
	})
}

func TestSyncAllGoesOnAfterAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, k := newKnowledge(t)
		fake.Queue(bedrocktest.OpStartIngestion, bedrocktest.Fail(403, "AccessDeniedException", "no"))
		jobs, err := k.SyncAll(t.Context(), func(bedrock.SourceStatus) {})
		if err == nil || len(jobs) != 2 || jobs[0].Last.ID != "" || jobs[1].ID != "DSWIKI" {
			t.Errorf("got %+v, %v", jobs, err)
		}
	})
}

func TestFailedSyncSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, k := newKnowledge(t)
		fake.SetJobTime(time.Minute)
		fake.Queue(bedrocktest.OpGetIngestion, bedrocktest.JSON(object{"ingestionJob": object{
			"ingestionJobId": "JOB1", "dataSourceId": "DSDOCS", "knowledgeBaseId": "KB12345678", "status": "FAILED",
			"startedAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-01T00:00:00Z", "failureReasons": []string{"no such bucket"}}}))
		job, err := k.SyncAndWait(t.Context(), "DSDOCS", unwatched)
		if err == nil || !strings.Contains(err.Error(), "no such bucket") || job.Status != "FAILED" {
			t.Errorf("got %+v, %v", job, err)
		}
	})
}

func TestSyncEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, k := newKnowledge(t)
		fake.SetJobTime(time.Hour)
		why := errors.New("stop")
		for _, sync := range []func(ctx context.Context) error{
			func(ctx context.Context) error { _, err := k.SyncAndWait(ctx, "DSDOCS", unwatched); return err },
			func(ctx context.Context) error { _, err := k.SyncAndWait(ctx, "DSWIKI", unwatched); return err },
			func(ctx context.Context) error { _, err := k.SyncAll(ctx, func(bedrock.SourceStatus) {}); return err },
		} {
			ctx, cancel := context.WithTimeoutCause(t.Context(), 3*time.Minute, why)
			if err := sync(ctx); !errors.Is(err, why) {
				t.Errorf("got %v", err)
			}
			cancel()
		}
	})
}

func TestStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, k := newKnowledge(t)
		if _, err := k.SyncAndWait(t.Context(), "DSWIKI", unwatched); err != nil {
			t.Fatal(err)
		}
		s, err := k.Status(t.Context())
		var sources []string
		for _, source := range s.Sources {
			sources = append(sources, fmt.Sprintf("%s %s %s %q", source.ID, source.Name, source.Status, source.Last.Status))
		}
		want := []string{`DSDOCS docs AVAILABLE ""`, `DSCUSTOM threads AVAILABLE ""`, `DSWIKI wiki AVAILABLE "COMPLETE"`}
		if diff := cmp.Diff(want, sources); diff != "" || err != nil || s.Name != "handbook" || s.Type != "VECTOR" || s.Status != "ACTIVE" {
			t.Errorf("got %+v, %v\n%s", s, err, diff)
		}
		fake.SetKnowledgeType("MANAGED")
		s, err = k.Status(t.Context())
		if err == nil || !strings.Contains(err.Error(), "type MANAGED") || s.Name != "handbook" {
			t.Errorf("managed: %+v, %v", s, err)
		}
	})
}
