package sqlitestore_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"parley/pkg/sqlitestore"
)

// childVariable makes the test binary one of the processes below instead.
const childVariable = "SQLITESTORE_TEST_CHILD"

// children are processes that tests start on a file. What they print is what they
// have been promised.
var children = map[string]func(ctx context.Context, path string) error{
	"serve": childServe,
	"send":  childSend,
	"work":  childWork,
}

// child runs as a child process if this is one.
func child() bool {
	name, path, ok := strings.Cut(os.Getenv(childVariable), ":")
	if !ok {
		return false
	}
	if err := children[name](context.Background(), path); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return true
}

// process is a running child.
type process struct {
	*exec.Cmd
	out *bufio.Scanner
}

func startChild(t *testing.T, name, path string) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+name+":"+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{Cmd: cmd, out: bufio.NewScanner(out)}
	t.Cleanup(p.kill)
	return p
}

// line returns the next line the child prints.
func (p *process) line(t *testing.T) string {
	t.Helper()
	if !p.out.Scan() {
		t.Fatalf("the child ended early: %v", p.out.Err())
	}
	return p.out.Text()
}

// kill ends the child as a crash would: nothing of it runs any more.
func (p *process) kill() {
	if p.ProcessState == nil {
		_ = p.Process.Kill()
		_, _ = io.Copy(io.Discard, pipe{p.out})
		_ = p.Wait()
	}
}

// pipe reads what is left of a scanner's input.
type pipe struct{ s *bufio.Scanner }

func (r pipe) Read([]byte) (int, error) {
	if r.s.Scan() {
		return 0, nil
	}
	return 0, io.EOF
}

// childServe receives and never lets go.
func childServe(ctx context.Context, path string) error {
	s, err := sqlitestore.Open(ctx, path, sqlitestore.Options{Serve: true})
	if err != nil {
		return err
	}
	fmt.Println("ready")
	for {
		ds, err := s.Queue(sqlitestore.Requests).Receive(ctx, 1, time.Minute, time.Hour)
		if err != nil {
			return err
		}
		for _, d := range ds {
			fmt.Println(string(d.Body), d.Receives)
		}
	}
}

// childSend sends beside whoever serves.
func childSend(ctx context.Context, path string) error {
	s, err := sqlitestore.Open(ctx, path, sqlitestore.Options{})
	if err != nil {
		return err
	}
	for i := range 40 {
		if err := s.Queue(sqlitestore.Requests).Send(ctx, envelope("g", fmt.Sprintf("%02d", i))); err != nil {
			return err
		}
	}
	return s.Close()
}

// TestServingProcess: another process serves until it dies, however it dies, and
// then at once another may; what it held comes again.
func TestServingProcess(t *testing.T) {
	path := fresh(t)
	p := startChild(t, "serve", path)
	if got := p.line(t); got != "ready" {
		t.Fatal(got)
	}
	if _, err := sqlitestore.Open(t.Context(), path, sqlitestore.Options{Serve: true}); !errors.Is(err, sqlitestore.ErrServed) {
		t.Fatalf("Open while another process serves: %v, want ErrServed", err)
	}
	beside := open(t, path, sqlitestore.Options{})
	send(t, beside, "g", "1")
	if got := p.line(t); got != "1 1" {
		t.Fatalf("the serving process received %s", got)
	}
	p.kill()
	s := open(t, path, sqlitestore.Options{Serve: true})
	if d := next(t, s, 0); string(d.Body) != "1" || d.Receives != 2 {
		t.Errorf("received %s for the %d. time, want 1 for the second", d.Body, d.Receives)
	}
}

// TestSendingProcess: a process sends while this one serves and sends.
func TestSendingProcess(t *testing.T) {
	path := fresh(t)
	s := open(t, path, sqlitestore.Options{Serve: true})
	p := startChild(t, "send", path)
	for i := range 40 {
		send(t, s, "h", fmt.Sprintf("%02d", i))
	}
	got := map[string]int{}
	for got["g"]+got["h"] < 80 {
		d := next(t, s, time.Minute)
		if want := fmt.Sprintf("%02d", got[d.Group]); string(d.Body) != want {
			t.Fatalf("group %s: received %s, want %s", d.Group, d.Body, want)
		}
		got[d.Group]++
		if err := s.Queue(sqlitestore.Requests).Delete(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Wait(); err != nil {
		t.Errorf("the sending process: %v", err)
	}
}
