package bedrocktest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// knowledge is the state of the fake's knowledge bases. All bases share its data
// sources and documents: a test has one.
type knowledge struct {
	mu        sync.Mutex
	kind      string
	sources   []source
	jobs      []*job
	jobTime   time.Duration
	broken    map[string]string // why jobs of a source fail
	indexTime time.Duration
	failure   string                         // why documents cannot be indexed
	documents map[string]map[string]Document // by source and id
	tokens    map[string]bool                // client tokens of ingestion
}

type source struct{ id, name string }

type job struct {
	id, source string
	started    time.Time
}

// Document is one that was ingested.
type Document struct {
	Text       string
	Attributes map[string]any // texts and numbers
	At         time.Time      // of its ingestion
}

// AddSource adds a data source.
func (s *Server) AddSource(id, name string) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	s.store.sources = append(s.store.sources, source{id, name})
}

// SetJobTime makes ingestion jobs last d; at first they are over at once.
func (s *Server) SetJobTime(d time.Duration) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	s.store.jobTime = d
}

// SetJobFailure makes the jobs of a source fail with a reason, or succeed if it is "".
func (s *Server) SetJobFailure(source, reason string) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	if s.store.broken == nil {
		s.store.broken = make(map[string]string)
	}
	s.store.broken[source] = reason
}

// SetIndexing makes documents that are ingested from now on take d to be indexed, and
// fail with a reason unless that is ""; at first they are indexed at once.
func (s *Server) SetIndexing(d time.Duration, failure string) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	s.store.indexTime, s.store.failure = d, failure
}

// SetKnowledgeType is what GetKnowledgeBase reports; VECTOR at first.
func (s *Server) SetKnowledgeType(kind string) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	s.store.kind = kind
}

// Documents returns what a data source holds, by document id.
func (s *Server) Documents(source string) map[string]Document {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	return maps.Clone(s.store.documents[source])
}

func (k *knowledge) respond(c Call) *Response {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch c.Operation {
	case OpRetrieve:
		return k.retrieve(c)
	case OpGetKnowledge:
		return k.describe(c)
	case OpListDataSources:
		return k.listSources(c)
	case OpStartIngestion:
		return k.start(c)
	case OpGetIngestion:
		return k.get(c)
	case OpListIngestion:
		return k.list(c)
	case OpIngestDocuments:
		return k.ingest(c)
	case OpDeleteDocuments, OpGetDocuments:
		return k.documentsOf(c)
	case OpListDocuments:
		return k.listDocuments(c)
	}
	return Fail(404, "ResourceNotFoundException", "no operation "+c.Operation)
}

func (k *knowledge) describe(c Call) *Response {
	kind := k.kind
	if kind == "" {
		kind = "VECTOR"
	}
	return JSON(object{"knowledgeBase": object{
		"knowledgeBaseId": c.Knowledge, "name": "handbook", "status": "ACTIVE",
		"knowledgeBaseArn": "arn:aws:bedrock:us-east-1:123456789012:knowledge-base/" + c.Knowledge,
		"roleArn":          "arn:aws:iam::123456789012:role/kb",
		"createdAt":        stamp(time.Now()), "updatedAt": stamp(time.Now()),
		"knowledgeBaseConfiguration": object{"type": kind},
	}})
}

// listSources answers in pages of one, so that clients which do not follow pages
// are found out.
func (k *knowledge) listSources(c Call) *Response {
	var in struct{ NextToken string }
	c.Decode(&in)
	page := 0
	if in.NextToken != "" {
		if _, err := fmt.Sscan(in.NextToken, &page); err != nil {
			return Fail(400, "ValidationException", "bad token")
		}
	}
	out := object{"dataSourceSummaries": []object{}}
	if page < len(k.sources) {
		s := k.sources[page]
		out["dataSourceSummaries"] = []object{{
			"dataSourceId": s.id, "knowledgeBaseId": c.Knowledge, "name": s.name, "status": "AVAILABLE", "updatedAt": stamp(time.Now()),
		}}
	}
	if page+1 < len(k.sources) {
		out["nextToken"] = fmt.Sprint(page + 1)
	}
	return JSON(out)
}

// start begins a job. A knowledge base runs one at a time.
func (k *knowledge) start(c Call) *Response {
	for _, j := range k.jobs {
		if k.running(j) {
			return Fail(409, "ConflictException", "Knowledge base "+c.Knowledge+" already has an ongoing ingestion job "+j.id)
		}
	}
	j := &job{id: fmt.Sprintf("JOB%07d", len(k.jobs)+1), source: c.Source, started: time.Now()}
	k.jobs = append(k.jobs, j)
	shape := k.shape(c, j)
	shape["status"] = "STARTING"
	return JSON(object{"ingestionJob": shape})
}

func (k *knowledge) get(c Call) *Response {
	for _, j := range k.jobs {
		if j.id == c.Job && j.source == c.Source {
			return JSON(object{"ingestionJob": k.shape(c, j)})
		}
	}
	return Fail(404, "ResourceNotFoundException", "no job "+c.Job)
}

// list returns a source's jobs, newest first.
func (k *knowledge) list(c Call) *Response {
	var in struct{ MaxResults int }
	c.Decode(&in)
	jobs := []object{}
	for _, j := range slices.Backward(k.jobs) {
		if j.source == c.Source && (in.MaxResults == 0 || len(jobs) < in.MaxResults) {
			jobs = append(jobs, k.shape(c, j))
		}
	}
	return JSON(object{"ingestionJobSummaries": jobs})
}

func (k *knowledge) running(j *job) bool { return time.Since(j.started) < k.jobTime }

func (k *knowledge) shape(c Call, j *job) object {
	status := "COMPLETE"
	switch {
	case k.running(j):
		status = "IN_PROGRESS"
	case k.broken[j.source] != "":
		status = "FAILED"
	}
	shape := object{
		"ingestionJobId": j.id, "dataSourceId": j.source, "knowledgeBaseId": c.Knowledge, "status": status,
		"startedAt": stamp(j.started), "updatedAt": stamp(time.Now()),
		"statistics": object{"numberOfDocumentsScanned": 3, "numberOfNewDocumentsIndexed": 2, "numberOfDocumentsFailed": 1},
	}
	if status == "FAILED" && c.Operation == OpGetIngestion { // lists give no reasons
		shape["failureReasons"] = []string{k.broken[j.source]}
	}
	return shape
}

// ingest puts documents. A client token that was seen before changes nothing.
func (k *knowledge) ingest(c Call) *Response {
	var in struct {
		ClientToken string
		Documents   []struct {
			Content struct {
				Custom struct {
					CustomDocumentIdentifier struct{ ID string }
					InlineContent            struct{ TextContent struct{ Data string } }
				}
			}
			Metadata struct {
				InlineAttributes []struct {
					Key   string
					Value struct {
						StringValue string
						NumberValue *float64
					}
				}
			}
		}
	}
	c.Decode(&in)
	if n := len(in.Documents); n < 1 || n > 10 {
		return Fail(400, "ValidationException", "1 to 10 documents")
	}
	if n := len(in.ClientToken); n < 33 || n > 256 {
		return Fail(400, "ValidationException", "clientToken must have 33 to 256 characters")
	}
	var details []object
	for _, d := range in.Documents {
		id := d.Content.Custom.CustomDocumentIdentifier.ID
		if !k.tokens[in.ClientToken] {
			attributes := make(map[string]any)
			for _, a := range d.Metadata.InlineAttributes {
				attributes[a.Key] = a.Value.StringValue
				if a.Value.NumberValue != nil {
					attributes[a.Key] = *a.Value.NumberValue
				}
			}
			k.put(c.Source, id, Document{d.Content.Custom.InlineContent.TextContent.Data, attributes, time.Now()})
		}
		details = append(details, detail(c, id, "STARTING"))
	}
	if k.tokens == nil {
		k.tokens = make(map[string]bool)
	}
	k.tokens[in.ClientToken] = true
	return &Response{Status: 202, Body: object{"documentDetails": details}}
}

func (k *knowledge) put(source, id string, d Document) {
	if k.documents == nil {
		k.documents = make(map[string]map[string]Document)
	}
	if k.documents[source] == nil {
		k.documents[source] = make(map[string]Document)
	}
	k.documents[source][id] = d
}

// documentsOf reports documents by id, or deletes them.
func (k *knowledge) documentsOf(c Call) *Response {
	var in struct {
		DocumentIdentifiers []struct{ Custom struct{ ID string } }
	}
	c.Decode(&in)
	var details []object
	for _, d := range in.DocumentIdentifiers {
		status := "NOT_FOUND"
		if there, ok := k.documents[c.Source][d.Custom.ID]; ok {
			status = k.status(there)
			if c.Operation == OpDeleteDocuments {
				status = "DELETING"
				delete(k.documents[c.Source], d.Custom.ID)
			}
		}
		one := detail(c, d.Custom.ID, status)
		if status == "FAILED" {
			one["statusReason"] = k.failure
		}
		details = append(details, one)
	}
	if c.Operation == OpDeleteDocuments {
		return &Response{Status: 202, Body: object{"documentDetails": details}}
	}
	return JSON(object{"documentDetails": details})
}

// status is how far a document has got.
func (k *knowledge) status(d Document) string {
	switch {
	case time.Since(d.At) < k.indexTime:
		return "IN_PROGRESS"
	case k.failure != "":
		return "FAILED"
	}
	return "INDEXED"
}

// listDocuments answers in pages of one, like listSources.
func (k *knowledge) listDocuments(c Call) *Response {
	var in struct{ NextToken string }
	c.Decode(&in)
	out := object{"documentDetails": []object{}}
	for _, id := range slices.Sorted(maps.Keys(k.documents[c.Source])) {
		if id <= in.NextToken {
			continue
		}
		if len(out["documentDetails"].([]object)) > 0 {
			out["nextToken"] = out["documentDetails"].([]object)[0]["identifier"].(object)["custom"].(object)["id"]
			break
		}
		d := k.documents[c.Source][id]
		one := detail(c, id, k.status(d))
		one["updatedAt"] = stamp(d.At)
		out["documentDetails"] = []object{one}
	}
	return JSON(out)
}

func detail(c Call, id, status string) object {
	return object{
		"dataSourceId": c.Source, "knowledgeBaseId": c.Knowledge, "status": status, "updatedAt": stamp(time.Now()),
		"identifier": object{"dataSourceType": "CUSTOM", "custom": object{"id": id}},
	}
}

// retrieve finds ingested documents that share a word of four letters or more with
// the query.
func (k *knowledge) retrieve(c Call) *Response {
	var in struct {
		RetrievalQuery struct{ Text string }
	}
	c.Decode(&in)
	words := strings.Fields(strings.ToLower(in.RetrievalQuery.Text))
	found := []object{}
	for _, id := range slices.Sorted(maps.Keys(k.documents)) {
		for _, name := range slices.Sorted(maps.Keys(k.documents[id])) {
			d := k.documents[id][name]
			matches := func(w string) bool { return len(w) > 3 && strings.Contains(strings.ToLower(d.Text), w) }
			if slices.ContainsFunc(words, matches) && k.status(d) == "INDEXED" {
				found = append(found, object{
					"content": object{"type": "TEXT", "text": d.Text}, "score": 0.8, "metadata": d.Attributes,
					"location": object{"type": "CUSTOM", "customDocumentLocation": object{"id": name}},
				})
			}
		}
	}
	return JSON(object{"retrievalResults": found})
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
