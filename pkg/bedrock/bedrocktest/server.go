// Package bedrocktest is a fake Amazon Bedrock that speaks the real wire: an
// http.Handler for ConverseStream with its binary event frames, Converse, knowledge
// base Retrieve and the ingestion of documents. It answers by a script, or by
// default like a small assistant, and records every request.
//
// It is as strict as the service about what a request may hold (see validate.go),
// so that a test which passes here does not fail there for an empty text block. It
// does not check signatures, and it knows no models: every id is served.
//
// Tests and rehearsals of a deployment use it; nothing that is shipped does.
package bedrocktest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// Operations as recorded in Call.Operation.
const (
	OpConverseStream  = "ConverseStream"
	OpConverse        = "Converse"
	OpRetrieve        = "Retrieve"
	OpStartIngestion  = "StartIngestionJob"
	OpGetIngestion    = "GetIngestionJob"
	OpListIngestion   = "ListIngestionJobs"
	OpIngestDocuments = "IngestKnowledgeBaseDocuments"
	OpDeleteDocuments = "DeleteKnowledgeBaseDocuments"
	OpGetDocuments    = "GetKnowledgeBaseDocuments"
	OpListDocuments   = "ListKnowledgeBaseDocuments"
	OpListDataSources = "ListDataSources"
	OpGetKnowledge    = "GetKnowledgeBase"
)

// Call is one request as it arrived.
type Call struct {
	Operation string
	// Model is the decoded model id of a Converse call, Knowledge the knowledge
	// base, Source the data source and Job the ingestion job of the others.
	Model, Knowledge, Source, Job string
	Header                        http.Header
	Body                          json.RawMessage
}

// Decode reads the body into v and panics if it cannot: the SDK always sends JSON.
func (c Call) Decode(v any) {
	if err := json.Unmarshal(c.Body, v); err != nil {
		panic(fmt.Sprintf("bedrocktest: body of %s: %v", c.Operation, err))
	}
}

// Server is the fake. The zero value serves; it is safe for concurrent use.
type Server struct {
	// Respond answers calls for which no response was queued. If it is nil, or
	// returns nil, the server answers as Default does.
	Respond func(Call) *Response

	once   sync.Once
	mux    *http.ServeMux
	mu     sync.Mutex
	calls  []Call
	queued map[string][]*Response
	store  knowledge
}

// Queue makes r the responses to the next calls of operation, in order.
func (s *Server) Queue(operation string, r ...*Response) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.queued == nil {
		s.queued = make(map[string][]*Response)
	}
	s.queued[operation] = append(s.queued[operation], r...)
}

// Calls returns the requests of operation so far, of all operations if it is "".
func (s *Server) Calls(operation string) []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	var calls []Call
	for _, c := range s.calls {
		if operation == "" || c.Operation == operation {
			calls = append(calls, c)
		}
	}
	return calls
}

// routes are the paths of the three services, which do not collide. The SDK
// escapes ids, so that an ARN is one segment.
var routes = map[string]string{
	"POST /model/{model}/converse-stream":                                             OpConverseStream,
	"POST /model/{model}/converse":                                                    OpConverse,
	"POST /knowledgebases/{knowledge}/retrieve":                                       OpRetrieve,
	"GET /knowledgebases/{knowledge}":                                                 OpGetKnowledge,
	"POST /knowledgebases/{knowledge}/datasources/{$}":                                OpListDataSources,
	"PUT /knowledgebases/{knowledge}/datasources/{source}/ingestionjobs/{$}":          OpStartIngestion,
	"POST /knowledgebases/{knowledge}/datasources/{source}/ingestionjobs/{$}":         OpListIngestion,
	"GET /knowledgebases/{knowledge}/datasources/{source}/ingestionjobs/{job}":        OpGetIngestion,
	"PUT /knowledgebases/{knowledge}/datasources/{source}/documents":                  OpIngestDocuments,
	"POST /knowledgebases/{knowledge}/datasources/{source}/documents":                 OpListDocuments,
	"POST /knowledgebases/{knowledge}/datasources/{source}/documents/deleteDocuments": OpDeleteDocuments,
	"POST /knowledgebases/{knowledge}/datasources/{source}/documents/getDocuments":    OpGetDocuments,
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.once.Do(func() {
		s.mux = http.NewServeMux()
		for pattern, operation := range routes {
			s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { s.serve(operation, w, r) })
		}
	})
	s.mux.ServeHTTP(w, r)
}

func (s *Server) serve(operation string, w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client has left
	}
	call := Call{
		Operation: operation,
		Model:     r.PathValue("model"), Knowledge: r.PathValue("knowledge"),
		Source: r.PathValue("source"), Job: r.PathValue("job"),
		Header: r.Header.Clone(), Body: body,
	}
	settle(r)
	s.respond(call).write(w, r)
}

// settle lets the client finish sending before it is answered. After the last byte
// of a request net/http looks for more of it through WriteTo, and smithy-go closes
// the body as soon as a response is there; its wrapper then returns io.EOF from
// WriteTo, where that is an error and not an end (transport/http/internal/io/safe.go),
// and net/http drops the connection in the middle of the answer. The service is too
// far away to meet this; a server on the same machine is not.
func settle(r *http.Request) {
	timer := time.NewTimer(time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	}
}

func (s *Server) respond(call Call) *Response {
	s.mu.Lock()
	s.calls = append(s.calls, call)
	var next *Response
	if queue := s.queued[call.Operation]; len(queue) > 0 {
		next, s.queued[call.Operation] = queue[0], queue[1:]
	}
	s.mu.Unlock()
	if invalid := validate(call); invalid != nil {
		return invalid
	}
	if next == nil && s.Respond != nil {
		next = s.Respond(call)
	}
	if next == nil {
		next = s.Default(call)
	}
	return next
}
