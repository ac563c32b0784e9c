// Package dynamotest is a fake of Amazon DynamoDB: tables in memory behind
// DynamoDB's own JSON protocol, for tests and for rehearsals of a deployment on
// one machine.
//
// It knows what Parley uses and refuses the rest loudly: items by key, conditional
// writes, updates with SET, REMOVE and ADD, transactions of writes, queries by
// key. It is as awkward as the service where Parley depends on it: a read that is
// not strongly consistent may miss the last second's writes; expired items stay
// readable for two days and are then gone; a transaction's token makes it happen
// once; sizes, numbers, unused names and reserved words are refused. Nothing is
// durable.
//
// All time is the time package's, so in a testing/synctest bubble with Client
// nothing takes any.
package dynamotest

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// Server is a fake DynamoDB. The zero value is not usable; call New. It is safe
// for concurrent use.
type Server struct {
	mu     sync.Mutex
	tables map[string]*table
	tokens map[string]tokenEntry
	fault  func(action string) Fault
	counts map[string]int // calls by action
}

// Fault is what a call meets besides its own outcome.
type Fault struct {
	// Status and Code refuse the call, before it takes effect, when Status is set.
	Status int
	Code   string
	// Conflict refuses a write because a transaction is on the item.
	Conflict bool
	// Lost lets the call take effect and then drops the answer: the caller sees a
	// broken connection.
	Lost bool
}

// New returns a server without tables.
func New() *Server {
	return &Server{tables: map[string]*table{}, tokens: map[string]tokenEntry{}, counts: map[string]int{}}
}

// Inject makes every later call ask fault what it meets. Nil removes it. fault is
// called under the server's lock.
func (s *Server) Inject(fault func(action string) Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = fault
}

// Calls returns how often action, such as "PutItem", was called.
func (s *Server) Calls(action string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[action]
}

// Client returns an SDK client that reaches s without a network.
func (s *Server) Client() *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region: "us-east-1", BaseEndpoint: aws.String("http://dynamodb.test"),
		HTTPClient:  &http.Client{Transport: transport{s}},
		Credentials: credentials.NewStaticCredentialsProvider("fake", "fake", ""),
	})
}

// Start serves s on a free loopback port until stop is called, and returns its
// endpoint, as for AWS_ENDPOINT_URL_DYNAMODB. Any credentials will do.
func (s *Server) Start() (endpoint string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("start fake DynamoDB: %w", err)
	}
	server := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l) // ends with ErrServerClosed when stopped
	}()
	return "http://" + l.Addr().String(), func() { _ = server.Close(); <-done }, nil
}

// transport carries requests to a server by a call.
type transport struct{ s *Server }

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	if lost := t.s.serve(w, r); lost {
		return nil, errors.New("connection reset by the fake")
	}
	return w.Result(), nil
}

// ServeHTTP implements http.Handler with DynamoDB's JSON protocol.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if lost := s.serve(w, r); lost {
		panic(http.ErrAbortHandler)
	}
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) (lost bool) {
	action, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "DynamoDB_20120810.")
	body, err := io.ReadAll(r.Body)
	if err != nil || !ok || r.Method != http.MethodPost {
		write(w, nil, refuse("UnknownOperationException", "not a request of DynamoDB's JSON protocol"))
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[action]++
	var f Fault
	if s.fault != nil {
		f = s.fault(action)
	}
	if f.Status != 0 {
		write(w, nil, &refusal{status: f.Status, code: f.Code, message: "injected"})
		return false
	}
	out, err := s.do(action, body, f.Conflict)
	if f.Lost {
		return true
	}
	write(w, out, err)
	return false
}

func (s *Server) do(action string, body []byte, conflict bool) (any, error) {
	switch action {
	case "CreateTable":
		return call(body, s.createTable)
	case "DescribeTable":
		return call(body, s.describeTable)
	case "GetItem":
		return call(body, s.getItem)
	case "Query":
		return call(body, s.query)
	case "PutItem", "UpdateItem", "DeleteItem":
		return call(body, func(in single) (any, error) { return s.writeItem(action, in, conflict) })
	case "TransactWriteItems":
		return call(body, func(in transaction) (any, error) { return s.transact(in, conflict) })
	}
	return nil, refuse("UnknownOperationException", "the fake does not know "+action)
}

func call[In any](body []byte, f func(In) (any, error)) (any, error) {
	var in In
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, refuse("SerializationException", err.Error())
	}
	return f(in)
}

// refusal is an error of the service, with what some of them carry.
type refusal struct {
	status        int
	code, message string
	item          item     // of a failed condition
	reasons       []reason // of a cancelled transaction
}

type reason struct {
	Code    string
	Message string `json:",omitempty"`
	Item    item   `json:",omitempty"`
}

func (r *refusal) Error() string { return r.code + ": " + r.message }

func refuse(code, message string) error {
	return &refusal{status: http.StatusBadRequest, code: code, message: message}
}

func invalid(format string, args ...any) error {
	return refuse("ValidationException", fmt.Sprintf(format, args...))
}

func write(w http.ResponseWriter, out any, err error) {
	status := http.StatusOK
	if err != nil {
		r := &refusal{status: http.StatusInternalServerError, code: "InternalServerError", message: err.Error()}
		errors.As(err, &r)
		answer := map[string]any{"__type": "com.amazonaws.dynamodb.v20120810#" + r.code, "message": r.message}
		if r.item != nil {
			answer["Item"] = r.item
		}
		if r.reasons != nil {
			answer["CancellationReasons"] = r.reasons
		}
		status, out = r.status, answer
	}
	body, err := json.Marshal(out)
	if err != nil {
		panic(err) // answers are maps of strings
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.Header().Set("X-Amz-Crc32", strconv.FormatUint(uint64(crc32.ChecksumIEEE(body)), 10))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the caller is gone if it fails
}
