package page

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// tab is the page in a browser of its own. What the page's scripts throw, what its
// content security policy refuses and what the console calls an error fails the test.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	errors   []string
	expected string // part of an error that the test causes itself
}

// patience is for a busy machine; nothing waits for it that does not fail.
const patience = 30 * time.Second

func open(t *testing.T, p *program, language string) *tab {
	t.Helper()
	path, err := chromium()
	if err != nil {
		t.Fatal(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.Flag("lang", language), chromedp.Flag("accept-lang", language), chromedp.WindowSize(1100, 800),
		chromedp.Env("LANGUAGE="+language))
	allocator, release := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(release)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	b := &tab{t: t, ctx: ctx}
	chromedp.ListenTarget(ctx, b.hear)
	b.do("open the page", chromedp.Navigate("http://"+p.address+"/"), chromedp.WaitReady("#text"))
	t.Cleanup(b.check)
	return b
}

// chromium is the browser under one of the names that distributions give it.
func chromium() (string, error) {
	names := []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("no browser on the path (%s): install Chromium, on Debian: apt-get install chromium", strings.Join(names, ", "))
}

func (b *tab) hear(event any) {
	var said string
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		said = e.ExceptionDetails.Error()
	case *log.EventEntryAdded:
		if e.Entry.Level == log.LevelError {
			said = e.Entry.Text + " " + e.Entry.URL
		}
	}
	if said != "" {
		b.mu.Lock()
		b.errors = append(b.errors, said)
		b.mu.Unlock()
	}
}

func (b *tab) check() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.errors {
		if b.expected == "" || !strings.Contains(e, b.expected) {
			b.t.Errorf("the page complained: %s", e)
		}
	}
}

func (b *tab) do(what string, actions ...chromedp.Action) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if first := chromedp.FromContext(b.ctx).Target == nil; first {
		ctx = b.ctx // a browser lives as long as the context that starts it
	}
	if err := chromedp.Run(ctx, actions...); err != nil {
		b.t.Fatalf("%s: %v\nthe page: %s", what, err, b.text("body"))
	}
}

// ask types a message and presses Enter.
func (b *tab) ask(text string) {
	b.t.Helper()
	b.do("ask "+text, chromedp.SendKeys("#text", text+kb.Enter))
}

// until waits for a JavaScript expression to become true.
func (b *tab) until(expression string) {
	b.t.Helper()
	b.do("wait for "+expression, chromedp.Poll(expression, nil, chromedp.WithPollingTimeout(patience)))
}

// text is what a person reads in the elements that match.
func (b *tab) text(selector string) string {
	ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second)
	defer cancel()
	var text string
	_ = chromedp.Run(ctx, chromedp.Evaluate(fmt.Sprintf(`[...document.querySelectorAll(%q)].map(e => e.innerText).join("\n--\n")`, selector), &text))
	return text
}

// last is an expression for the newest turn of the log.
const last = `document.querySelector("#log > .turn:last-child")`

// answered waits until the newest turn is in this state, and returns its answer.
func (b *tab) answered(kind string) string {
	b.t.Helper()
	b.until(fmt.Sprintf(`%s?.dataset.kind === %q`, last, kind))
	return b.text("#log > .turn:last-child .answer .text")
}
