package runtimeapi

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// initTime is what Lambda gives a process to ask for its first event.
const initTime = 10 * time.Second

// Environment is one process of a function with its own Runtime API.
type Environment struct {
	f      *Function
	cmd    *exec.Cmd
	server *http.Server
	init   time.Duration
	events chan event
	ended  chan struct{} // closed when the process has exited
	ready  chan struct{} // closed at its first request for an event
	once   sync.Once

	mu      sync.Mutex
	current *event // what the process is handling
	count   int
}

// event is one event on its way through the process.
type event struct {
	id       string
	payload  []byte
	deadline time.Time
	answer   chan answer
}

type answer struct {
	payload []byte
	err     error
}

// start starts a process and waits for its first request for an event.
func start(f *Function, id int) (*Environment, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start environment: %w", err)
	}
	e := &Environment{f: f, events: make(chan event), ended: make(chan struct{}), ready: make(chan struct{}), count: id * 10000}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", e.next)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", e.response)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error", e.failure)
	mux.HandleFunc("POST /2018-06-01/runtime/init/error", e.failure)
	e.server = &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() { _ = e.server.Serve(listener) }() // ends when it is closed

	e.cmd = exec.Command(f.cfg.Binary)
	e.cmd.Env = f.variables(listener.Addr().String())
	e.cmd.Stdout, e.cmd.Stderr = f, f
	// In a group of its own: stopping an environment stops nothing else.
	e.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	began := time.Now()
	if err := e.cmd.Start(); err != nil {
		_ = e.server.Close()
		return nil, fmt.Errorf("start environment: %w", err)
	}
	go func() {
		_ = e.cmd.Wait() // how it ended is in ProcessState
		close(e.ended)
	}()
	select {
	case <-e.ready:
		e.init = time.Since(began)
		return e, nil
	case <-e.ended:
		e.stop()
		return nil, &FunctionError{Exited, "the process ended during its start: " + e.cmd.ProcessState.String()}
	case <-time.After(initTime):
		e.stop()
		return nil, &FunctionError{TimedOut, "the process did not ask for an event in time"}
	}
}

// handle has the process handle one event.
func (e *Environment) handle(payload []byte) ([]byte, error) {
	e.mu.Lock()
	e.count++
	ev := event{
		id: fmt.Sprintf("00000000-0000-4000-8000-%012d", e.count), payload: payload,
		deadline: time.Now().Add(e.f.cfg.Timeout), answer: make(chan answer, 1),
	}
	e.mu.Unlock()
	select {
	case e.events <- ev:
	case <-e.ended:
		return nil, &FunctionError{Exited, "the process is gone"}
	}
	timeout := time.NewTimer(time.Until(ev.deadline))
	defer timeout.Stop()
	select {
	case a := <-ev.answer:
		return a.payload, a.err
	case <-e.ended:
		return nil, &FunctionError{Exited, "the process ended: " + e.cmd.ProcessState.String()}
	case <-timeout.C:
		return nil, &FunctionError{TimedOut, fmt.Sprintf("no answer within %v", e.f.cfg.Timeout)}
	}
}

func (e *Environment) next(w http.ResponseWriter, r *http.Request) {
	e.once.Do(func() { close(e.ready) })
	select {
	case <-r.Context().Done():
	case ev := <-e.events:
		e.mu.Lock()
		e.current = &ev
		e.mu.Unlock()
		h := w.Header()
		h.Set("Lambda-Runtime-Aws-Request-Id", ev.id)
		h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(ev.deadline.UnixMilli(), 10))
		h.Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:000000000000:function:"+e.f.cfg.Name)
		h.Set("Lambda-Runtime-Trace-Id", "Root=1-00000000-000000000000000000000000;Sampled=0")
		h.Set("Content-Type", "application/json")
		_, _ = w.Write(ev.payload) // the process is gone if it fails, and that is noticed
	}
}

func (e *Environment) response(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err == nil {
		e.settle(r.PathValue("id"), answer{payload: body})
	}
	w.WriteHeader(http.StatusAccepted)
}

func (e *Environment) failure(w http.ResponseWriter, r *http.Request) {
	var told struct {
		Type    string `json:"errorType"`
		Message string `json:"errorMessage"`
	}
	_ = json.NewDecoder(r.Body).Decode(&told) // a process may fail without a word
	e.settle(r.PathValue("id"), answer{err: &FunctionError{told.Type, told.Message}})
	w.WriteHeader(http.StatusAccepted)
}

func (e *Environment) settle(id string, a answer) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.current != nil && e.current.id == id {
		e.current.answer <- a
		e.current = nil
	}
}

// Busy reports whether the process is handling an event.
func (e *Environment) Busy() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.current != nil
}

// Kill ends the process as Lambda does when it must: without a word.
func (e *Environment) Kill() { _ = e.cmd.Process.Kill() }

// PeakMemory is the most memory the process held, in bytes, as Linux's high-water
// mark tells it while the process lives.
func (e *Environment) PeakMemory() (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", e.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	return highWater(string(status))
}

func (e *Environment) dead() bool {
	select {
	case <-e.ended:
		return true
	default:
		return false
	}
}

// stop kills the process and waits until it is gone.
func (e *Environment) stop() {
	e.Kill()
	<-e.ended
	_ = e.server.Close() // nobody is left to notice
}
