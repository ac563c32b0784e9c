package bedrock_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/bedrockagentruntime"
	"github.com/google/go-cmp/cmp"

	"parley/pkg/bedrock"
	"parley/pkg/bedrock/bedrocktest"
	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

func newRetriever(t *testing.T, c bedrock.RetrieverConfig) (*bedrocktest.Server, *bedrock.Retriever) {
	t.Helper()
	fake, aws := bedrocktest.StartInMemory(t)
	c.KnowledgeBaseID = "KB12345678"
	r, err := bedrock.NewRetriever(bedrockagentruntime.NewFromConfig(aws), c)
	if err != nil {
		t.Fatal(err)
	}
	return fake, r
}

type object = map[string]any

// result is one retrieval result as the service sends it.
func result(text string, location, metadata object) object {
	kind := map[bool]string{true: "TEXT", false: ""}[text != ""]
	return object{"content": object{"type": kind, "text": text}, "location": location, "score": 0.75, "metadata": metadata}
}

func results(r ...object) *bedrocktest.Response {
	return bedrocktest.JSON(object{"retrievalResults": r})
}

func TestLocations(t *testing.T) {
	s3 := object{"type": "S3", "s3Location": object{"uri": "s3://docs-bucket/hr/leave policy.pdf"}}
	for _, test := range []struct {
		name   string
		base   string
		result object
		want   chat.Citation
	}{
		{"s3 without a base", "", result("x", s3, object{"x-amz-bedrock-kb-document-page-number": 3.0}), chat.Citation{Title: "leave policy.pdf", Page: 3}},
		{"s3", "https://docs.example.com/files/", result("x", s3, nil), chat.Citation{Title: "leave policy.pdf", URL: "https://docs.example.com/files/hr/leave%20policy.pdf"}},
		{"s3 with places", "https://console.example.com/?b={bucket}&k={key}", result("x", s3, nil), chat.Citation{Title: "leave policy.pdf", URL: "https://console.example.com/?b=docs-bucket&k=hr/leave%20policy.pdf"}},
		{"s3 with attributes", "https://docs.example.com", result("x", s3, object{"title": "Leave", "url": "https://wiki.example.com/leave", "heading": "Sick leave"}), chat.Citation{Title: "Leave", URL: "https://wiki.example.com/leave", Heading: "Sick leave"}},
		{"s3 with a bad url", "", result("x", s3, object{"url": "javascript:alert(1)"}), chat.Citation{Title: "leave policy.pdf"}},
		{"web", "", result("x", object{"type": "WEB", "webLocation": object{"url": "https://example.com/a/b.html"}}, nil), chat.Citation{Title: "b.html", URL: "https://example.com/a/b.html"}},
		{"web root", "", result("x", object{"type": "WEB", "webLocation": object{"url": "https://example.com/"}}, nil), chat.Citation{Title: "example.com", URL: "https://example.com/"}},
		{"confluence", "", result("x", object{"type": "CONFLUENCE", "confluenceLocation": object{"url": "https://x.atlassian.net/wiki/spaces/A/pages/1/Leave"}}, nil), chat.Citation{Title: "Leave", URL: "https://x.atlassian.net/wiki/spaces/A/pages/1/Leave"}},
		{"salesforce", "", result("x", object{"type": "SALESFORCE", "salesforceLocation": object{"url": "https://x.salesforce.com/ka0"}}, nil), chat.Citation{Title: "ka0", URL: "https://x.salesforce.com/ka0"}},
		{"sharepoint", "", result("x", object{"type": "SHAREPOINT", "sharePointLocation": object{"url": "https://x.sharepoint.com/leave.docx"}}, nil), chat.Citation{Title: "leave.docx", URL: "https://x.sharepoint.com/leave.docx"}},
		{"kendra", "", result("x", object{"type": "KENDRA", "kendraDocumentLocation": object{"uri": "https://k.example.com/leave"}}, nil), chat.Citation{Title: "leave", URL: "https://k.example.com/leave"}},
		{"custom", "", result("x", object{"type": "CUSTOM", "customDocumentLocation": object{"id": "thread-17"}}, object{"title": "#help, 3 May"}), chat.Citation{Title: "#help, 3 May"}},
		{"custom link", "", result("x", object{"type": "CUSTOM", "customDocumentLocation": object{"id": "https://x.slack.com/archives/C1/p1"}}, nil), chat.Citation{Title: "p1", URL: "https://x.slack.com/archives/C1/p1"}},
		{"sql", "", result("x", object{"type": "SQL", "sqlLocation": object{"query": "SELECT *\nFROM t"}}, nil), chat.Citation{Title: "SELECT * FROM t"}},
		{"of the future", "", result("x", object{"type": "MOON"}, object{"x-amz-bedrock-kb-source-uri": "https://moon.example.com/base"}), chat.Citation{Title: "base", URL: "https://moon.example.com/base"}},
		{"page as text", "", result("x", s3, object{"x-amz-bedrock-kb-document-page-number": "12"}), chat.Citation{Title: "leave policy.pdf", Page: 12}},
		{"nowhere", "", object{"content": object{"text": "x"}, "score": 0.75}, chat.Citation{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake, r := newRetriever(t, bedrock.RetrieverConfig{CitationBaseURL: test.base})
				fake.Queue(bedrocktest.OpRetrieve, results(test.result))
				got, err := r.Retrieve(t.Context(), "leave?", 5)
				if err != nil || len(got) != 1 {
					t.Fatalf("got %v, %v", got, err)
				}
				test.want.Number, test.want.Score, test.want.Quote = 1, 0.75, "x"
				if diff := cmp.Diff(test.want, got[0].Citation); diff != "" {
					t.Errorf("citation (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestPassagesAreChosen(t *testing.T) {
	scored := func(text string, score float64) object {
		r := result(text, nil, nil)
		r["score"] = score
		return r
	}
	synctest.Test(t, func(t *testing.T) {
		fake, r := newRetriever(t, bedrock.RetrieverConfig{MinScore: 0.4})
		fake.Queue(bedrocktest.OpRetrieve, results(
			scored("one", 0.9), scored("poor", 0.39), scored("one", 0.8), scored("  ", 0.8),
			object{"content": object{"type": "ROW", "row": []object{{"columnName": "city", "columnValue": "Lisbon"}, {"columnName": "staff", "columnValue": "9"}}}},
			object{"content": object{"type": "VIDEO", "video": object{"s3Uri": "s3://b/v", "summary": "a film"}}},
			object{"content": object{"type": "AUDIO", "audio": object{"s3Uri": "s3://b/a", "transcription": "a song"}}},
			object{"content": object{"type": "IMAGE", "byteContent": "data:image/png;base64,AA=="}},
			scored(strings.Repeat("长", 300), 0.4), scored("beyond", 0.9),
		))
		got, err := r.Retrieve(t.Context(), "x", 5)
		if err != nil {
			t.Fatal(err)
		}
		var texts []string
		for i, p := range got {
			texts = append(texts, p.Text)
			if p.Citation.Number != i+1 {
				t.Errorf("passage %d is numbered %d", i+1, p.Citation.Number)
			}
		}
		want := []string{"one", "city: Lisbon; staff: 9", "a film", "a song", strings.Repeat("长", 300)}
		if diff := cmp.Diff(want, texts); diff != "" {
			t.Errorf("texts (-want +got):\n%s", diff)
		}
		if quote := got[4].Citation.Quote; quote != strings.Repeat("长", 200)+"…" {
			t.Errorf("quote is %q", quote)
		}
	})
}

func TestRetrieveRequests(t *testing.T) {
	for _, test := range []struct {
		name   string
		config bedrock.RetrieverConfig
		query  string
		max    int
		want   string
	}{
		{"plain", bedrock.RetrieverConfig{}, " leave? ", 5,
			`{"retrievalQuery":{"text":"leave?"},"retrievalConfiguration":{"vectorSearchConfiguration":{"numberOfResults":5}}}`},
		{"bounded", bedrock.RetrieverConfig{SearchType: "HYBRID"}, strings.Repeat("长", 9000), 500,
			`{"retrievalQuery":{"text":"` + strings.Repeat("长", 8000) + `"},"retrievalConfiguration":{"vectorSearchConfiguration":{"numberOfResults":100,"overrideSearchType":"HYBRID"}}}`},
		{"reranked", bedrock.RetrieverConfig{RerankModelARN: "arn:aws:bedrock:us-east-1::foundation-model/amazon.rerank-v1:0"}, "q", 4,
			`{"retrievalQuery":{"text":"q"},"retrievalConfiguration":{"vectorSearchConfiguration":{"numberOfResults":20,"rerankingConfiguration":{"type":"BEDROCK_RERANKING_MODEL","bedrockRerankingConfiguration":{"modelConfiguration":{"modelArn":"arn:aws:bedrock:us-east-1::foundation-model/amazon.rerank-v1:0"},"numberOfRerankedResults":4}}}}}`},
		{"guarded", bedrock.RetrieverConfig{GuardrailID: "g", GuardrailVersion: "2"}, "q", 1,
			`{"retrievalQuery":{"text":"q"},"guardrailConfiguration":{"guardrailId":"g","guardrailVersion":"2"},"retrievalConfiguration":{"vectorSearchConfiguration":{"numberOfResults":1}}}`},
		{"filtered", bedrock.RetrieverConfig{Filter: json.RawMessage(allOperators)}, "q", 1,
			`{"retrievalQuery":{"text":"q"},"retrievalConfiguration":{"vectorSearchConfiguration":{"numberOfResults":1,"filter":` + allOperators + `}}}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake, r := newRetriever(t, test.config)
				if _, err := r.Retrieve(t.Context(), test.query, test.max); err != nil {
					t.Fatal(err)
				}
				call := fake.Calls(bedrocktest.OpRetrieve)[0]
				var got, want any
				call.Decode(&got)
				if err := json.Unmarshal([]byte(test.want), &want); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, got); diff != "" || call.Knowledge != "KB12345678" {
					t.Errorf("request to %s (-want +got):\n%s", call.Knowledge, diff)
				}
			})
		})
	}
}

// allOperators is a filter with every operator.
const allOperators = `{"andAll":[
	{"equals":{"key":"team","value":"support"}}, {"notEquals":{"key":"draft","value":true}},
	{"orAll":[{"greaterThan":{"key":"year","value":2019}}, {"greaterThanOrEquals":{"key":"year","value":2020.5}}]},
	{"lessThan":{"key":"rank","value":-3}}, {"lessThanOrEquals":{"key":"rank","value":0}},
	{"in":{"key":"lang","value":["en","zh"]}}, {"notIn":{"key":"n","value":[1,2]}},
	{"startsWith":{"key":"path","value":"/hr"}}, {"stringContains":{"key":"path","value":"leave"}},
	{"listContains":{"key":"tags","value":"public"}}]}`

func TestRetrieveErrors(t *testing.T) {
	for _, test := range []struct {
		name      string
		response  *bedrocktest.Response
		reason    pipeline.Reason
		permanent bool
		throttled bool
		says      string
		calls     int
	}{
		{"validation", bedrocktest.Fail(400, "ValidationException", "no"), pipeline.ReasonConfig, true, false, "", 1},
		{"managed", bedrocktest.Fail(400, "ValidationException", "Use managedSearchConfiguration for this knowledge base"), pipeline.ReasonConfig, true, false, "type MANAGED", 1},
		{"aurora", bedrocktest.Fail(400, "ValidationException", "The Aurora DB instance is resuming after being auto-paused."), pipeline.ReasonUnavailable, false, false, "", 1},
		{"denied", bedrocktest.Fail(403, "AccessDeniedException", "no"), pipeline.ReasonConfig, true, false, "", 1},
		{"not found", bedrocktest.Fail(404, "ResourceNotFoundException", "no"), pipeline.ReasonConfig, true, false, "KB12345678", 1},
		{"dependency", bedrocktest.Fail(424, "DependencyFailedException", "no"), pipeline.ReasonUnavailable, false, false, "", 2},
		{"throttled", bedrocktest.Fail(429, "ThrottlingException", "no"), pipeline.ReasonThrottled, false, true, "", 2},
		{"internal", bedrocktest.Fail(500, "InternalServerException", "no"), pipeline.ReasonUnavailable, false, false, "", 2},
		{"gateway", bedrocktest.Fail(502, "BadGatewayException", "no"), pipeline.ReasonUnavailable, false, false, "", 2},
		{"guardrail", bedrocktest.JSON(object{"guardrailAction": "INTERVENED", "retrievalResults": []object{result("blocked", nil, nil)}}), pipeline.ReasonRefused, true, false, "guardrail", 1},
		{"silent", &bedrocktest.Response{Delay: time.Hour}, pipeline.ReasonUnavailable, false, false, "15s", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake, r := newRetriever(t, bedrock.RetrieverConfig{})
				fake.Queue(bedrocktest.OpRetrieve, test.response, test.response)
				passages, err := r.Retrieve(t.Context(), "q", 5)
				var e *pipeline.Error
				if !errors.As(err, &e) || passages != nil {
					t.Fatalf("got %v, %v", passages, err)
				}
				if e.Reason != test.reason || e.Permanent != test.permanent || e.Throttled != test.throttled || !strings.Contains(err.Error(), test.says) {
					t.Errorf("got %+v: %v", *e, err)
				}
				if calls := len(fake.Calls("")); calls != test.calls {
					t.Errorf("made %d calls, want %d", calls, test.calls)
				}
			})
		})
	}
}

func TestRetrieveEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, r := newRetriever(t, bedrock.RetrieverConfig{})
		fake.Queue(bedrocktest.OpRetrieve, &bedrocktest.Response{Delay: time.Hour})
		why := errors.New("stop")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, why)
		defer cancel()
		if _, err := r.Retrieve(ctx, "q", 5); !errors.Is(err, why) {
			t.Errorf("got %v", err)
		}
	})
}

func TestBlankQueryCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, r := newRetriever(t, bedrock.RetrieverConfig{})
		if got, err := r.Retrieve(t.Context(), " \n", 5); got != nil || err != nil || len(fake.Calls("")) != 0 {
			t.Errorf("got %v, %v after %d calls", got, err, len(fake.Calls("")))
		}
	})
}

func TestNewRetrieverRefusesNonsense(t *testing.T) {
	for want, c := range map[string]bedrock.RetrieverConfig{
		"knowledge base id": {},
		"guardrail":         {KnowledgeBaseID: "k", GuardrailVersion: "1"},
		"search type":       {KnowledgeBaseID: "k", SearchType: "hybrid"},
		"citation base URL": {KnowledgeBaseID: "k", CitationBaseURL: "ftp://x"},
		"filter":            {KnowledgeBaseID: "k", Filter: json.RawMessage(`{}`)},
	} {
		if _, err := bedrock.NewRetriever(nil, c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestParseFilterRefuses(t *testing.T) {
	for _, bad := range []string{
		``, `[]`, `null`, `{"equals":1}`, `{"equals":{"key":"a","value":1}} x`,
		`{"equals":{"key":"","value":1}}`, `{"equals":{"key":"a","value":null}}`, `{"equals":{"key":"a","values":1}}`,
		`{"equals":{"key":"a","value":1},"in":{"key":"a","value":[1]}}`,
		`{"like":{"key":"a","value":"b"}}`, `{"in":{"key":"a","value":"b"}}`, `{"in":{"key":"a","value":[]}}`, `{"in":{"key":"a","value":[[1]]}}`,
		`{"greaterThan":{"key":"a","value":"1"}}`, `{"startsWith":{"key":"a","value":1}}`,
		`{"andAll":[{"equals":{"key":"a","value":1}}]}`, `{"orAll":{"equals":{"key":"a","value":1}}}`,
		`{"andAll":[{"equals":{"key":"a","value":1}},{"x":1}]}`,
		strings.Repeat(`{"andAll":[{"equals":{"key":"a","value":1}},`, 12) + `{"equals":{"key":"a","value":1}}` + strings.Repeat(`]}`, 12),
	} {
		if f, err := bedrock.ParseFilter([]byte(bad)); err == nil {
			t.Errorf("%s gave %v", bad, f)
		}
	}
}

func FuzzParseFilter(f *testing.F) {
	f.Add([]byte(allOperators))
	f.Add([]byte(`{"equals":{"key":"a","value":1}}`))
	f.Add([]byte(`{"orAll":[{"in":{"key":"a","value":[true]}},{"in":{"key":"a","value":[""]}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		filter, err := bedrock.ParseFilter(data)
		if (filter == nil) != (err != nil) {
			t.Errorf("%s gave %v, %v", data, filter, err)
		}
	})
}
