package runtimeapi_test

import (
	"encoding/json"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/test/runtimeapi"
)

type report struct {
	Said, Handler, Home, RequestID string
	Left                           time.Duration
	Calls                          int
}

var build = sync.OnceValues(func() (string, error) {
	bin := filepath.Join(dir, "echo")
	out, err := exec.Command("go", "build", "-o", bin, "./testdata/echo").CombinedOutput()
	if err != nil {
		err = errors.New(string(out))
	}
	return bin, err
})

func function(t *testing.T, c runtimeapi.Config) *runtimeapi.Function {
	t.Helper()
	bin, err := build()
	if err != nil {
		t.Fatal(err)
	}
	c.Binary, c.Name = bin, "echo"
	if c.Timeout == 0 {
		c.Timeout = 20 * time.Second
	}
	f := runtimeapi.New(c)
	t.Cleanup(f.Close)
	return f
}

func invoke(t *testing.T, f *runtimeapi.Function, do string) (report, runtimeapi.Result, error) {
	t.Helper()
	r, err := f.Invoke(t.Context(), []byte(`{"Do":"`+do+`"}`))
	var said report
	if err == nil {
		if err := json.Unmarshal(r.Payload, &said); err != nil {
			t.Fatal(err)
		}
	}
	return said, r, err
}

// A process is kept for the next event, knows its function's environment and
// deadline, and nothing of its caller's.
func TestWarm(t *testing.T) {
	t.Setenv("HOME", "/not/for/functions")
	f := function(t, runtimeapi.Config{Handler: "control", Env: map[string]string{"SAID": "hello"}})
	said, first, err := invoke(t, f, "")
	if err != nil {
		t.Fatal(err)
	}
	if said.Said != "hello" || said.Handler != "control" || said.Home != "" || said.RequestID == "" {
		t.Errorf("the process saw %+v", said)
	}
	if said.Left <= 0 || said.Left > 20*time.Second {
		t.Errorf("%v left of 20 s", said.Left)
	}
	again, second, err := invoke(t, f, "")
	if err != nil {
		t.Fatal(err)
	}
	if !first.Cold || second.Cold || again.Calls != 2 || first.Init <= 0 {
		t.Errorf("cold %v, then %v; %d calls", first.Cold, second.Cold, again.Calls)
	}
	if m, err := f.Environments()[0].PeakMemory(); err != nil || m < 1<<20 {
		t.Errorf("peak memory %d, %v", m, err)
	}
}

// A handler's error is its event's alone.
func TestError(t *testing.T) {
	f := function(t, runtimeapi.Config{})
	_, _, err := invoke(t, f, "fail")
	var fe *runtimeapi.FunctionError
	if !errors.As(err, &fe) || fe.Message != "as told" {
		t.Fatalf("got %v", err)
	}
	if said, _, err := invoke(t, f, ""); err != nil || said.Calls != 2 {
		t.Errorf("the environment is gone: %+v, %v", said, err)
	}
}

// An environment that dies, or must be killed, is replaced.
func TestDeathAndTimeout(t *testing.T) {
	f := function(t, runtimeapi.Config{Timeout: 700 * time.Millisecond})
	for do, want := range map[string]string{"die": runtimeapi.Exited, "hang": runtimeapi.TimedOut} {
		_, _, err := invoke(t, f, do)
		var fe *runtimeapi.FunctionError
		if !errors.As(err, &fe) || fe.Type != want {
			t.Errorf("%s: got %v, want %s", do, err, want)
		}
		said, r, err := invoke(t, f, "")
		if err != nil || !r.Cold || said.Calls != 1 {
			t.Errorf("after %s: %+v, cold %v, %v", do, said, r.Cold, err)
		}
	}
}

func TestStartFails(t *testing.T) {
	f := function(t, runtimeapi.Config{Env: map[string]string{"FAIL": "1"}})
	if _, _, err := invoke(t, f, ""); err == nil || !strings.Contains(err.Error(), "start") {
		t.Errorf("got %v", err)
	}
}

// Events at the same time have environments of their own, up to the limit.
func TestConcurrency(t *testing.T) {
	f := function(t, runtimeapi.Config{Concurrency: 2})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if _, _, err := invoke(t, f, "sleep"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := len(f.Environments()); n != 2 {
		t.Errorf("%d environments, want 2", n)
	}
}
