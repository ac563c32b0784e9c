package page

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
)

var browse = flag.Bool("chromium", false, "use the page with the Chromium found on this machine")

var binary string

func TestMain(m *testing.M) {
	flag.Parse()
	if !*browse {
		fmt.Println("the page is tested with -chromium, which needs a browser: make test-page")
		os.Exit(0)
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "parley-page-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "parley")
	if out, err := exec.Command("go", "build", "-o", binary, "parley/cmd/parley").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// program is one life of parley dev.
type program struct {
	command *exec.Cmd
	address string // as the page sees it: http://host:port
	stderr  bytes.Buffer
	end     func()
}

var readyLine = regexp.MustCompile(`ready on http://(\S+)`)

// start runs parley dev on a data file until it accepts requests.
func start(t *testing.T, addr, data string, flags ...string) *program {
	t.Helper()
	p := &program{command: exec.Command(binary, append([]string{"dev", "--addr", addr, "--data", data}, flags...)...)}
	p.command.Stderr = &p.stderr
	out, err := p.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for p.address == "" && lines.Scan() {
		if m := readyLine.FindStringSubmatch(lines.Text()); m != nil {
			p.address = m[1]
		}
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		for lines.Scan() { // it must not wait for a reader
		}
	}()
	p.end = sync.OnceFunc(func() {
		_ = p.command.Process.Kill() // it fails if the program has ended
		<-drained
		_ = p.command.Wait()
	})
	t.Cleanup(p.end)
	if p.address == "" {
		p.end()
		t.Fatalf("parley dev did not become ready:\n%s", &p.stderr)
	}
	return p
}
