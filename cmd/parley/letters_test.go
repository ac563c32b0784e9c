package main

import (
	"bufio"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"parley/pkg/slack/slacktest"
)

// served is a running "parley serve" with a Slack of its own.
type served struct {
	t     *testing.T
	dir   string
	slack *slacktest.Server
	base  string
}

func serve(t *testing.T) *served {
	t.Helper()
	s := &served{t: t, dir: t.TempDir(), slack: slacktest.New(slacktest.Options{})}
	s.slack.Check(t)
	api, stop, err := s.slack.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	c := command(s.dir, []string{
		"SLACK_API_URL=" + api + "/api/", "SLACK_SIGNING_SECRET=" + slacktest.DefaultSecret,
		"SLACK_BOT_TOKEN=" + slacktest.DefaultToken, "LOG_LEVEL=ERROR",
	}, "serve", "--model", "demo", "--addr", "127.0.0.1:0", "--data", "team.db")
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGTERM)
		if err := c.Wait(); err != nil {
			t.Errorf("serve ended with %v", err)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	_, base, ready := strings.Cut(strings.TrimSpace(line), "ready on ")
	if err != nil || !ready {
		t.Fatalf("serve said %q: %v", line, err)
	}
	s.base = base
	return s
}

// ask mentions Parley and waits until its answer contains want.
func (s *served) ask(text, want string) slacktest.Message {
	s.t.Helper()
	m := s.slack.Say("C1", "", "U0ANN00001", "<@"+slacktest.DefaultBotUser+"> "+text)
	r, err := s.slack.EventMention(m).Request(s.base)
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		s.t.Fatalf("the event was answered %d", resp.StatusCode)
	}
	s.reads(m, want)
	return m
}

// reads waits until the one answer to m contains want.
func (s *served) reads(m slacktest.Message, want string) {
	s.t.Helper()
	end := time.After(30 * time.Second)
	for {
		shown := s.slack.Answers("C1", m.TS)
		if len(shown) == 1 && !shown[0].Open && strings.Contains(shown[0].Text(), want) {
			return
		}
		select {
		case <-end:
			s.t.Fatalf("the answers to %q are %+v; want one with %q", m.Fallback, shown, want)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// dlq runs a command on the data file beside the server.
func (s *served) dlq(code int, args ...string) string {
	s.t.Helper()
	stdout, stderr, got := run(s.t, s.dir, nil, append(append([]string{"dlq"}, args...), "--data", "team.db")...)
	if got != code {
		s.t.Fatalf("dlq %v: exit code %d, said %q", args, got, stderr)
	}
	return stdout
}

func (s *served) list() (letters []map[string]any) {
	s.t.Helper()
	out := s.dlq(0, "list", "--json")
	if err := json.Unmarshal([]byte(out), &letters); err != nil || letters == nil {
		s.t.Fatalf("list --json printed %q: %v", out, err)
	}
	return letters
}

// letter waits for the one letter there is.
func (s *served) letter() map[string]any {
	s.t.Helper()
	end := time.After(30 * time.Second)
	for {
		if letters := s.list(); len(letters) == 1 {
			return letters[0]
		}
		select {
		case <-end:
			s.t.Fatal("there is no letter")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// An operator lists, reads, replays and drops letters on the data file of a
// server that is running.
func TestDeadLettersBesideAServer(t *testing.T) {
	t.Parallel()
	s := serve(t)
	if letters := s.list(); len(letters) != 0 {
		t.Fatalf("letters before anything failed: %v", letters)
	}
	q := s.ask("tell me a secret demo:fail", "the model failed")
	l := s.letter()
	for _, field := range []string{"id", "queue", "reason", "platform", "conversation", "attempts", "first_seen"} {
		if _, ok := l[field]; !ok {
			t.Errorf("a letter has no %s: %v", field, l)
		}
	}
	if l["queue"] != "requests" || l["reason"] != "model" || l["platform"] != "slack" || l["attempts"] != float64(1) {
		t.Errorf("the letter is %v", l)
	}
	ref := l["ref"].(string)
	if table := s.dlq(0, "list"); !strings.Contains(table, ref) || !strings.Contains(table, "1 waiting") {
		t.Errorf("list printed %q", table)
	}
	if hidden := s.dlq(0, "show", ref); strings.Contains(hidden, "secret") || !strings.Contains(hidden, "buried") {
		t.Errorf("show printed %q", hidden)
	}
	if shown := s.dlq(0, "show", ref, "--reveal"); !strings.Contains(shown, "secret") {
		t.Errorf("show --reveal printed %q", shown)
	}
	s.dlq(exitFailed, "show", "00000000")
	s.dlq(exitFailed, "replay", "00000000")

	s.ask("demo:cure", "Cured")
	if out := s.dlq(0, "replay", "--all", "--dry-run"); !strings.Contains(out, "1 would be replayed, 0 skipped") {
		t.Errorf("replay --dry-run printed %q", out)
	}
	if out := s.dlq(0, "replay", "--all", "--yes"); !strings.Contains(out, "1 replayed, 0 skipped") {
		t.Errorf("replay printed %q", out)
	}
	s.reads(q, "This is attempt 2")
	if letters := s.list(); len(letters) != 0 {
		t.Errorf("letters after the replay: %v", letters)
	}
}

func TestDropBesideAServer(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.ask("demo:deny", "not set up correctly")
	ref := s.letter()["ref"].(string)
	s.dlq(exitUsage, "drop", ref) // nobody is there to be asked
	s.dlq(0, "drop", ref, "--yes", "--audit", "audit.jsonl")
	if letters := s.list(); len(letters) != 0 {
		t.Errorf("letters after the drop: %v", letters)
	}
	audit, err := os.ReadFile(filepath.Join(s.dir, "audit.jsonl"))
	if err != nil || !strings.Contains(string(audit), ref) || strings.Contains(string(audit), "demo:deny") {
		t.Errorf("the audit file holds %q: %v", audit, err)
	}
}
