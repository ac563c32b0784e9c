package profiles

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

const (
	first  = "profiles: [{ name: one, match: { slack: { channels: [C1] } }, model: vendor.one }]\n"
	second = "profiles: [{ name: two, match: { slack: { channels: [C1] } }, model: vendor.two }]\n"
	broken = "profiles: [{ name: bad, match: { slack: { channels: [C1] } }, modell: vendor.bad }]\n"
)

// A change comes into force; one with mistakes is told once, in full, and leaves
// what was; so does a file that is gone for a moment.
func TestWatch(t *testing.T) {
	path := filepath.Join(t.TempDir(), "profiles.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(first)
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		live, err := Open(path, Deployment{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			live.Watch(ctx, time.Second, slog.New(slog.NewTextHandler(&log, nil)))
		}()
		model := func() string {
			time.Sleep(3 * time.Second)
			synctest.Wait()
			at := chat.Conversation{Platform: chat.Slack, Channel: "C1"}
			return live.Profile(pipeline.Profile{}, chat.Message{Conversation: at}).Model
		}
		for _, step := range []struct{ text, want string }{
			{first, "vendor.one"}, {second, "vendor.two"}, {broken, "vendor.two"}, {"", "vendor.two"}, {first, "vendor.one"},
		} {
			if write(step.text); step.text == "" {
				os.Remove(path)
			}
			if got := model(); got != step.want {
				t.Errorf("after %q the model is %q, want %q", step.text, got, step.want)
			}
		}
		cancel()
		<-done
		if n := strings.Count(log.String(), "modell"); n != 1 {
			t.Errorf("the mistake was told %d times:\n%s", n, log.String())
		}
	})
}

// A file that is wrong from the start is an error: there is no last good one.
func TestOpenRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "profiles.yaml")
	if _, err := Open(path, Deployment{}); err == nil {
		t.Error("a missing file was opened")
	}
	if err := os.WriteFile(path, []byte(broken), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, Deployment{}); err == nil || !strings.Contains(err.Error(), path+":1: ") {
		t.Errorf("a broken file was opened: %v", err)
	}
}

// What a file names is known with who names it.
func TestNamed(t *testing.T) {
	s, err := Load("p", []byte(`
default: { model: vendor.a }
profiles:
  - { name: x, match: { slack: { channels: [C1] } }, model: vendor.b, models: [{ name: N, id: vendor.a }], knowledge: { base: ABCDE12345 } }
  - { name: y, match: { slack: { channels: [C2] } }, model: vendor.b, knowledge: { filter: { a: b } } }
`), Deployment{})
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, n := range append(s.Models(), s.Bases()...) {
		got.WriteString(n.ID + ":" + strings.Join(n.By, "+") + " ")
	}
	if want := "vendor.a:default+x vendor.b:x+y ABCDE12345:x "; got.String() != want {
		t.Errorf("named are %q, want %q", got.String(), want)
	}
}
