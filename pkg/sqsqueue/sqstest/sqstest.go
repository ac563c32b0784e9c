// Package sqstest is a fake of Amazon SQS: FIFO queues in memory behind SQS's own
// JSON protocol, for tests and for rehearsals of a deployment on one machine.
//
// It is as awkward as the service where Parley depends on it: a group is hidden
// while one of its messages is; a receipt is worth nothing after its visibility;
// a deduplication id is remembered for five minutes from the first send, also
// after deletion; messages received too often move to the dead-letter queue under
// a new deduplication id and time; move tasks give them new ids again; counts are
// refused, sizes and characters checked as the service does. What it does not know
// it refuses loudly. It is not a server to keep data in: nothing is durable.
//
// All time is the time package's, so in a testing/synctest bubble with Client
// nothing takes any.
package sqstest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

const (
	account = "000000000000"
	region  = "us-east-1"
)

// Server is a fake SQS. The zero value is not usable; call New. It is safe for
// concurrent use.
type Server struct {
	mu      sync.Mutex
	queues  map[string]*queue // by name
	tasks   []*moveTask
	changed chan struct{} // closed and replaced whenever a message may have become visible
	fault   func(action string) Fault
	counts  map[string]int // calls by action
	ids     int
}

// Fault is what a call meets besides its own outcome.
type Fault struct {
	// Status and Code refuse the call, before it takes effect, when Status is set.
	Status int
	Code   string
	// Lost lets the call take effect and then drops the answer: the caller sees a
	// broken connection.
	Lost bool
}

// New returns a server without queues.
func New() *Server {
	return &Server{queues: map[string]*queue{}, changed: make(chan struct{}), counts: map[string]int{}}
}

// Inject makes every later call ask fault what it meets. Nil removes it. fault is
// called under the server's lock.
func (s *Server) Inject(fault func(action string) Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = fault
}

// Calls returns how often action, such as "SendMessage", was called.
func (s *Server) Calls(action string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[action]
}

// Config returns what clients need to reach s without a network.
func (s *Server) Config() aws.Config {
	return aws.Config{
		Region: region, BaseEndpoint: aws.String("http://sqs.test"),
		HTTPClient:  &http.Client{Transport: transport{s}},
		Credentials: aws.CredentialsProviderFunc(credentials),
	}
}

// Client returns an SDK client that reaches s without a network.
func (s *Server) Client() *sqs.Client { return sqs.NewFromConfig(s.Config()) }

// Start serves s on a free loopback port until stop is called, and returns its
// endpoint, as for AWS_ENDPOINT_URL_SQS. Any credentials will do.
func (s *Server) Start() (endpoint string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("start fake SQS: %w", err)
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
	w := httptest.NewRecorder()
	if lost := t.s.serve(w, r); lost {
		return nil, errors.New("connection reset by the fake")
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return w.Result(), nil
}

// ServeHTTP implements http.Handler with SQS's JSON protocol.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if lost := s.serve(w, r); lost {
		panic(http.ErrAbortHandler)
	}
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) (lost bool) {
	action, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "AmazonSQS.")
	body, err := io.ReadAll(r.Body)
	if err != nil || !ok || r.Method != http.MethodPost {
		write(w, nil, refuse("InvalidAction", "not a request of SQS's JSON protocol"))
		return false
	}
	f := s.count(action)
	if f.Status != 0 {
		write(w, nil, &refusal{f.Status, f.Code, "injected"})
		return false
	}
	out, err := s.do(r, action, body)
	if f.Lost {
		return true
	}
	write(w, out, err)
	return false
}

func (s *Server) count(action string) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[action]++
	if s.fault == nil {
		return Fault{}
	}
	return s.fault(action)
}

func (s *Server) do(r *http.Request, action string, body []byte) (any, error) {
	switch action {
	case "CreateQueue":
		return call(body, s.createQueue)
	case "GetQueueUrl":
		return call(body, s.getQueueURL)
	case "GetQueueAttributes":
		return call(body, s.getQueueAttributes)
	case "PurgeQueue":
		return call(body, s.purgeQueue)
	case "SendMessage":
		return call(body, s.sendMessage)
	case "SendMessageBatch":
		return call(body, s.sendMessageBatch)
	case "ReceiveMessage":
		return call(body, func(in receiveInput) (any, error) { return s.receiveMessage(r.Context(), in) })
	case "ChangeMessageVisibility":
		return call(body, s.changeVisibility)
	case "ChangeMessageVisibilityBatch":
		return call(body, s.changeVisibilityBatch)
	case "DeleteMessage":
		return call(body, s.deleteMessage)
	case "DeleteMessageBatch":
		return call(body, s.deleteMessageBatch)
	case "StartMessageMoveTask":
		return call(body, s.startMoveTask)
	case "ListMessageMoveTasks":
		return call(body, s.listMoveTasks)
	}
	return nil, refuse("UnsupportedOperation", "the fake does not know "+action)
}

func call[In any](body []byte, f func(In) (any, error)) (any, error) {
	var in In
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, refuse("InvalidParameterValue", err.Error())
	}
	return f(in)
}

// refusal is an error of the service.
type refusal struct {
	status        int
	code, message string
}

func (r *refusal) Error() string { return r.code + ": " + r.message }

func refuse(code, message string) error { return &refusal{http.StatusBadRequest, code, message} }

func write(w http.ResponseWriter, out any, err error) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	if err == nil {
		_ = json.NewEncoder(w).Encode(out) // the caller is gone if it fails
		return
	}
	r := &refusal{http.StatusInternalServerError, "InternalError", err.Error()}
	errors.As(err, &r)
	w.Header().Set("X-Amzn-Query-Error", r.code+";Sender")
	w.WriteHeader(r.status)
	_ = json.NewEncoder(w).Encode(map[string]string{"__type": "com.amazonaws.sqs#" + r.code, "message": r.message})
}
