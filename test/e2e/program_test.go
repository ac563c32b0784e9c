package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"parley/pkg/slack/slacktest"
	"parley/pkg/sqlitestore"
)

// building is the program, built once for all tests that run it.
var building = sync.OnceValues(func() (path string, err error) {
	dir, err := os.MkdirTemp("", "parley-e2e-")
	if err != nil {
		return "", err
	}
	path = filepath.Join(dir, "parley")
	if out, err := exec.Command("go", "build", "-o", path, "parley/cmd/parley").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// TestMain removes the program again.
func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := building(); err == nil && code >= 0 {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// site is one workspace and one data file for lives of the program itself. It
// shares a world's questions about what is shown and kept.
type site struct {
	*world
	api string // address of the Web API
}

// unlimited is a Slack without limits of rate: a program that starts anew learns
// them from its own first refusal, which takes a minute of real time.
var unlimited = slacktest.Options{PostBurst: 1000, PerMinute: map[string]int{
	"chat.startStream": 1000, "chat.appendStream": 1000, "chat.stopStream": 1000, "chat.update": 1000, "chat.delete": 1000,
	"conversations.replies": 1000,
}}

// newSite starts a Slack on a loopback port. Its Web API is reached through a
// network that takes delay() before each call and after it, and that carries on
// with a call whose caller has died.
func newSite(t *testing.T, delay func() time.Duration) *site {
	t.Helper()
	w := &world{t: t, path: filepath.Join(t.TempDir(), "parley.db"), slack: slacktest.New(unlimited)}
	w.slack.Check(t)
	base, stop, err := w.slack.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	target, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite:  func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ErrorLog: log.New(&w.log, "", 0), // that a caller died is no news
	}
	network := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		<-time.After(delay())
		proxy.ServeHTTP(rw, r.WithContext(context.WithoutCancel(r.Context())))
		<-time.After(delay())
	}))
	t.Cleanup(network.Close)
	store, err := sqlitestore.Open(t.Context(), w.path, sqlitestore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w.store = store
	t.Cleanup(func() { _ = store.Close() })
	t.Cleanup(w.show)
	return &site{world: w, api: network.URL + "/api/"}
}

// program is one life of parley serve.
type program struct {
	site    *site
	command *exec.Cmd
	address string
	ended   chan struct{}
	err     error // of its end, once ended is closed
}

var readyLine = regexp.MustCompile(`ready on (http://\S+)`)

// start runs parley serve on the site's data file until it accepts requests.
func (s *site) start() *program {
	s.t.Helper()
	path, err := building()
	if err != nil {
		s.t.Fatal(err)
	}
	c := exec.Command(path, "serve", "--addr", "127.0.0.1:0", "--model", "demo", "--data", s.path)
	c.Env = append(os.Environ(), "SLACK_API_URL="+s.api, "SLACK_SIGNING_SECRET="+slacktest.DefaultSecret,
		"SLACK_BOT_TOKEN="+slacktest.DefaultToken, "SLACK_APP_TOKEN=", "DINGTALK_CLIENT_ID=", "DINGTALK_CLIENT_SECRET=", "LOG_LEVEL=DEBUG")
	c.Stderr = &s.log
	out, err := c.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		s.t.Fatal(err)
	}
	p := &program{site: s, command: c, ended: make(chan struct{})}
	s.t.Cleanup(p.kill)
	lines := bufio.NewScanner(out)
	for p.address == "" && lines.Scan() {
		if m := readyLine.FindStringSubmatch(lines.Text()); m != nil {
			p.address = m[1]
		}
	}
	go func() {
		for lines.Scan() { // it must not wait for a reader
		}
		p.err = c.Wait()
		close(p.ended)
	}()
	if p.address == "" {
		s.t.Fatalf("parley serve did not become ready:\n%s", s.log.text())
	}
	return p
}

// kill ends the program with SIGKILL.
func (p *program) kill() {
	_ = p.command.Process.Kill() // it fails if the program has ended
	<-p.ended
}

// terminate asks the program to end and returns how long it took and its error.
func (p *program) terminate() (took time.Duration, err error) {
	p.site.t.Helper()
	asked := time.Now()
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		p.site.t.Fatal(err)
	}
	<-p.ended
	return time.Since(asked), p.err
}

// client gives up on a program that was killed.
var client = &http.Client{Timeout: 5 * time.Second}

// deliver sends an event to the program and reports whether it was acknowledged.
func (p *program) deliver(in slacktest.Inbound) bool {
	r, err := in.Request(p.address)
	if err != nil {
		p.site.t.Error(err)
		return false
	}
	resp, err := client.Do(r)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// text is what was logged so far.
func (j *journal) text() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.ToValidUTF8(string(bytes.Clone(j.buf.Bytes())), "")
}
