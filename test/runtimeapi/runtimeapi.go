// Package runtimeapi is the part of AWS Lambda that runs a function: execution
// environments, each a process of the real binary, and the Runtime API that they
// poll. It is for tests and rehearsals of the binaries that are deployed.
//
// As on Lambda, an environment handles one event at a time and is kept for the
// next; a new one is started when all are busy; its process sees the function's
// environment variables and nothing of the caller's; one that outlives the
// function's timeout is killed; one that dies fails its event and is replaced. It
// does not limit memory or CPU, and freezes nothing.
package runtimeapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Config is a function as deployed. Binary, Name and Timeout must be set.
type Config struct {
	Binary  string // path of the bootstrap
	Name    string
	Handler string // what the process finds in _HANDLER
	Timeout time.Duration
	Memory  int // in MB, only told to the process
	Env     map[string]string
	Log     io.Writer // what the processes write; nil: nowhere
	// Concurrency bounds the environments; further events wait. 0 means 10.
	Concurrency int
}

// Function runs a function. It is safe for concurrent use.
type Function struct {
	cfg   Config
	slots chan struct{}

	mu   sync.Mutex
	idle []*Environment
	all  map[*Environment]bool
	ids  int
	logs sync.Mutex
}

// Result is an event handled.
type Result struct {
	Payload []byte
	// Cold is true for the first event of an environment, and Init is how long it
	// took from the start of its process to its first request for an event.
	Cold bool
	Init time.Duration
	// Duration is how long the handler took.
	Duration time.Duration
}

// FunctionError is an event that the function failed, or died of.
type FunctionError struct{ Type, Message string }

func (e *FunctionError) Error() string { return e.Type + ": " + e.Message }

// Kinds of FunctionError that are Lambda's own.
const (
	TimedOut = "Sandbox.Timedout"
	Exited   = "Runtime.ExitError"
)

// New returns a function without environments. Close ends it.
func New(c Config) *Function {
	if c.Concurrency == 0 {
		c.Concurrency = 10
	}
	if c.Log == nil {
		c.Log = io.Discard
	}
	return &Function{cfg: c, slots: make(chan struct{}, c.Concurrency), all: map[*Environment]bool{}}
}

// Invoke has an environment handle event. Ending ctx ends the wait, not the
// handler. A *FunctionError is the function's own failure.
func (f *Function) Invoke(ctx context.Context, event []byte) (Result, error) {
	select {
	case f.slots <- struct{}{}:
	case <-ctx.Done():
		return Result{}, ctx.Err()
	}
	type outcome struct {
		r   Result
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		defer func() { <-f.slots }()
		r, err := f.invoke(event)
		done <- outcome{r, err}
	}()
	select {
	case o := <-done:
		return o.r, o.err
	case <-ctx.Done():
		return Result{}, ctx.Err()
	}
}

func (f *Function) invoke(event []byte) (Result, error) {
	e, cold, err := f.environment()
	if err != nil {
		return Result{}, err
	}
	began := time.Now()
	payload, err := e.handle(event)
	r := Result{Payload: payload, Cold: cold, Init: e.init, Duration: time.Since(began)}
	var fe *FunctionError
	if errors.As(err, &fe) && (fe.Type == TimedOut || fe.Type == Exited) {
		f.remove(e)
		return r, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.all[e] {
		f.idle = append(f.idle, e)
	}
	return r, err
}

// environment returns an idle environment, or a new one.
func (f *Function) environment() (e *Environment, cold bool, err error) {
	f.mu.Lock()
	for len(f.idle) > 0 {
		e = f.idle[len(f.idle)-1]
		f.idle = f.idle[:len(f.idle)-1]
		if !e.dead() {
			f.mu.Unlock()
			return e, false, nil
		}
		delete(f.all, e)
	}
	f.ids++
	id := f.ids
	f.mu.Unlock()
	e, err = start(f, id)
	if err != nil {
		return nil, true, err
	}
	f.mu.Lock()
	f.all[e] = true
	f.mu.Unlock()
	return e, true, nil
}

func (f *Function) remove(e *Environment) {
	f.mu.Lock()
	delete(f.all, e)
	f.mu.Unlock()
	e.stop()
}

// Environments returns those that are alive, busy or not.
func (f *Function) Environments() []*Environment {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Collect(maps.Keys(f.all))
}

// Close kills every environment and waits for them.
func (f *Function) Close() {
	for _, e := range f.Environments() {
		f.remove(e)
	}
}

// Write lets environments share the function's log, a write at a time.
func (f *Function) Write(p []byte) (int, error) {
	f.logs.Lock()
	defer f.logs.Unlock()
	return f.cfg.Log.Write(p)
}

// variables is the environment of a process.
func (f *Function) variables(api string) []string {
	env := map[string]string{
		"AWS_LAMBDA_RUNTIME_API": api, "AWS_LAMBDA_FUNCTION_NAME": f.cfg.Name, "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": strconv.Itoa(max(f.cfg.Memory, 128)), "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/" + f.cfg.Name,
		"AWS_LAMBDA_LOG_STREAM_NAME": "rehearsal", "AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
		"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret",
		"AWS_SESSION_TOKEN": "token", "_HANDLER": f.cfg.Handler, "LAMBDA_TASK_ROOT": "/var/task", "TZ": ":UTC",
	}
	maps.Copy(env, f.cfg.Env)
	out := make([]string, 0, len(env))
	for k, v := range env {
		out = append(out, fmt.Sprintf("%s=%s", k, v))
	}
	slices.Sort(out)
	return out
}
