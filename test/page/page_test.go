package page

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

const anyPort = "127.0.0.1:0"

func fresh(t *testing.T) string { return filepath.Join(t.TempDir(), "parley.db") }

func TestAnswersGrowAndAreRemembered(t *testing.T) {
	b := open(t, start(t, anyPort, fresh(t)), "en")
	b.do("watch", chromedp.Evaluate(`window.lengths = new Set();
		new MutationObserver(() => lengths.add(document.querySelector("#log .answer .text")?.textContent.length ?? 0))
			.observe(document.getElementById("log"), {subtree: true, childList: true, characterData: true}); 0`, nil))
	b.ask("my name is Ada, demo:slow 4")
	b.answered("final")
	b.until(`lengths.size > 3`) // it came in pieces
	b.ask("What is my name?")
	if got := b.answered("final"); !strings.Contains(got, "Ada") {
		t.Errorf("got %q", got)
	}
	b.do("reload", chromedp.Reload(), chromedp.WaitReady("#text"))
	b.until(`document.querySelectorAll("#log > .turn[data-kind=final]").length === 2`)
	b.ask("reset")
	b.until(`document.querySelector("#log > .divider")`)
	b.ask("What is my name?")
	if got := b.answered("final"); strings.Contains(got, "Ada") {
		t.Errorf("after a reset: %q", got)
	}
}

func TestStop(t *testing.T) {
	b := open(t, start(t, anyPort, fresh(t)), "en")
	b.ask("demo:slow 60")
	b.until(last + `?.dataset.kind === "partial"`)
	b.do("stop", chromedp.Click("#stop", chromedp.NodeVisible))
	said := b.answered("stopped")
	if !strings.Contains(said, "word1") {
		t.Errorf("what was said is gone: %q", said)
	}
	b.until(`document.getElementById("stop").hidden`)
}

func TestRetryTurnsTheApologyIntoTheAnswer(t *testing.T) {
	b := open(t, start(t, anyPort, fresh(t)), "en")
	b.ask("demo:fail 1")
	if got := b.answered("failed"); !strings.Contains(got, "Reference") {
		t.Errorf("got %q", got)
	}
	b.do("retry", chromedp.Click("#log .primary", chromedp.NodeVisible))
	b.until(`document.querySelectorAll("#log > .turn").length === 1 && ` + last + `.dataset.kind === "final"`)
}

func TestSourcesOpenBelowTheAnswer(t *testing.T) {
	docs := t.TempDir()
	if err := os.WriteFile(filepath.Join(docs, "leave.md"), []byte("# Leave\n\nEverybody has 30 days of leave.\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := open(t, start(t, anyPort, fresh(t), "--docs", docs), "en")
	b.ask("How many days of leave are there?")
	if got := b.answered("final"); !strings.Contains(got, "30 days") {
		t.Fatalf("got %q", got)
	}
	b.do("open the source", chromedp.Click("#log .cite", chromedp.NodeVisible))
	b.until(`document.querySelector("#log details").open`)
	if got := b.text("#log details"); !strings.Contains(got, "leave.md") || !strings.Contains(got, "Everybody has 30 days") {
		t.Errorf("got %q", got)
	}
}

// While an input method composes, Enter chooses a word and sends nothing.
func TestEnterWhileComposing(t *testing.T) {
	b := open(t, start(t, anyPort, fresh(t)), "zh-CN")
	b.until(`document.getElementById("new").innerText === "新会话"`)
	b.do("compose", chromedp.SetValue("#text", "你好"), chromedp.Evaluate(
		`document.getElementById("text").dispatchEvent(new KeyboardEvent("keydown", {key: "Enter", isComposing: true, bubbles: true, cancelable: true})); 0`, nil))
	if got := b.text("#log"); got != "" {
		t.Fatalf("sent while composing: %q", got)
	}
	b.do("send", chromedp.SendKeys("#text", kb.Enter))
	if got := b.answered("final"); !strings.Contains(got, "你好") {
		t.Errorf("got %q", got)
	}
}

// Neither what people write nor what a model writes becomes markup, or a link that
// hides where it leads.
func TestHostileText(t *testing.T) {
	b := open(t, start(t, anyPort, fresh(t)), "en")
	b.ask(`<img src=x onerror="window.stolen=1"> <script>window.stolen=1</script>`)
	b.answered("final")
	b.ask("demo:ping")
	b.answered("final")
	b.until(`window.stolen === undefined && document.querySelectorAll("#log img, #log script").length === 0`)
	b.until(`[...document.querySelectorAll("#log a")].every(a =>
		a.textContent.startsWith(new URL(a.href).origin) || getComputedStyle(a, "::after").content.includes(new URL(a.href).host))`)
}

// The program is killed while it answers and started again; the page waits, and
// shows the answer once.
func TestKilledMeanwhile(t *testing.T) {
	data := fresh(t)
	p := start(t, anyPort, data)
	b := open(t, p, "en")
	b.expected = "net::ERR_" // the browser reports each connection it loses
	b.ask("demo:slow 6")
	b.until(last + `?.dataset.kind === "partial"`)
	p.end()
	b.until(`!document.getElementById("state").hidden`)
	start(t, p.address, data)
	b.until(`document.getElementById("state").hidden && document.querySelectorAll("#log > .turn").length === 1 && ` + last + `.dataset.kind === "final"`)
}
