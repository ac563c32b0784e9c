package docindex

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"
)

// folder writes files and returns an index of them that is up to date.
func folder(t *testing.T, files map[string]string, change ...func(*Config)) (*Index, string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		put(t, dir, name, text)
	}
	c := Config{Dir: dir, File: filepath.Join(t.TempDir(), "index.db")}
	for _, f := range change {
		f(&c)
	}
	x, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
	refresh(t, x)
	return x, dir
}

func put(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func refresh(t *testing.T, x *Index) Report {
	t.Helper()
	r, err := x.Refresh(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// first is the file and heading that a question leads to.
func first(t *testing.T, x *Index, question string) string {
	t.Helper()
	found, err := x.Retrieve(t.Context(), question, 5)
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		return "-"
	}
	return found[0].Citation.URL + "#" + found[0].Citation.Heading
}

func TestBilingual(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/bilingual.txtar")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, f := range archive.Files[1:] {
		files[f.Name] = string(f.Data)
	}
	x, _ := folder(t, files)
	for line := range strings.Lines(string(archive.Files[0].Data)) {
		want, question, _ := strings.Cut(strings.TrimSpace(line), "\t")
		if got := first(t, x, question); got != want {
			t.Errorf("%s: %s, want %s", question, got, want)
		}
	}
}

// TestTrigramsMissChinese keeps the evidence for pairs of characters: SQLite's own
// tokenizer for text without spaces cannot find most Chinese words at all.
func TestTrigramsMissChinese(t *testing.T) {
	x, _ := folder(t, map[string]string{"a.md": "正式员工每年享有 10 天年假。"})
	if _, err := x.db.ExecContext(t.Context(), `CREATE VIRTUAL TABLE tri USING fts5(text, tokenize = 'trigram')`); err != nil {
		t.Fatal(err)
	}
	if _, err := x.db.ExecContext(t.Context(), `INSERT INTO tri VALUES ('正式员工每年享有 10 天年假。')`); err != nil {
		t.Fatal(err)
	}
	for word, trigrams := range map[string]int{"年假": 0, "员工": 0, "正式员工": 1} {
		var n int
		if err := x.db.QueryRowContext(t.Context(), `SELECT count(*) FROM tri WHERE tri MATCH ?`, `"`+word+`"`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		if n != trigrams {
			t.Errorf("trigrams find %s %d times: choose again", word, n)
		}
		if got := first(t, x, word); got != "a.md#" {
			t.Errorf("pairs do not find %s", word)
		}
	}
}

func TestFollowsTheFolder(t *testing.T) {
	x, dir := folder(t, map[string]string{"a.md": "The gateway is alpha.", "sub/b.md": "The printer is on the second floor."})
	if got := first(t, x, "printer floor"); got != "sub/b.md#" {
		t.Fatal(got)
	}
	if r := refresh(t, x); r.Read != 0 || r.Removed != 0 || r.Files != 2 {
		t.Errorf("nothing changed: %+v", r)
	}
	put(t, dir, "a.md", "The gateway is gamma.") // as long as before, and at once
	put(t, dir, "c.txt", "The canteen opens at noon.")
	if err := os.Remove(filepath.Join(dir, "sub/b.md")); err != nil {
		t.Fatal(err)
	}
	if r := refresh(t, x); r.Read != 2 || r.Removed != 1 || r.Files != 2 {
		t.Errorf("one changed, one new, one gone: %+v", r)
	}
	for question, want := range map[string]string{"alpha": "-", "gamma": "a.md#", "canteen": "c.txt#", "printer": "-"} {
		if got := first(t, x, question); got != want {
			t.Errorf("%s: %s, want %s", question, got, want)
		}
	}
	for _, table := range []string{"parents", "children", "terms"} { // nothing of the deleted is left
		var n int
		if err := x.db.QueryRowContext(t.Context(), "SELECT count(*) FROM "+table).Scan(&n); err != nil || n != 2 {
			t.Errorf("%s: %d rows, %v", table, n, err)
		}
	}
}

// TestOldFilesAreNotReadAgain: an index that is opened again knows what it holds.
func TestOldFilesAreNotReadAgain(t *testing.T) {
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "index.db")
	put(t, dir, "a.md", "The gateway is alpha.")
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(filepath.Join(dir, "a.md"), old, old); err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{1, 0} {
		var done []string
		x, err := Open(t.Context(), Config{Dir: dir, File: file, Progress: func(i, n int) { done = append(done, fmt.Sprint(i, "/", n)) }})
		if err != nil {
			t.Fatal(err)
		}
		if r := refresh(t, x); r.Read != want || len(done) != want {
			t.Errorf("opened %d times: %+v, progress %v", i+1, r, done)
		}
		if got := first(t, x, "gateway"); got != "a.md#" {
			t.Error(got)
		}
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestBrokenFilesAreReported(t *testing.T) {
	x, dir := folder(t, map[string]string{
		"good.md": "The gateway is alpha.", "broken.pdf": "%PDF-1.4\nnot really", "binary.txt": "a\x00b",
		"big.md": strings.Repeat("gateway ", 1000), ".hidden.md": "gateway secret", ".git/x.md": "gateway secret", "x.go": "gateway",
	}, func(c *Config) { c.MaxFile = 4000 })
	outside := filepath.Join(t.TempDir(), "outside.md")
	put(t, filepath.Dir(outside), "outside.md", "gateway outside")
	if err := os.Symlink(outside, filepath.Join(dir, "link.md")); err != nil {
		t.Log(err) // not every system lets everybody make links
	}
	r := refresh(t, x)
	var paths []string
	for _, p := range r.Problems {
		paths = append(paths, p.Path)
		if p.Why == "" {
			t.Errorf("%s: no reason", p.Path)
		}
	}
	if got := strings.Join(paths, " "); got != "big.md binary.txt broken.pdf" || r.Files != 4 {
		t.Errorf("%d files, problems with %s", r.Files, got)
	}
	found, err := x.Retrieve(t.Context(), "gateway", 10)
	if err != nil || len(found) != 1 || found[0].Citation.URL != "good.md" {
		t.Errorf("%+v, %v", found, err)
	}
}

func TestCitation(t *testing.T) {
	filler := strings.Repeat("Nothing of interest is said in this sentence. ", 20)
	x, _ := folder(t, map[string]string{
		"a b/handbook.md": "# Handbook\n\n## Network\n\n### VPN\n\n" + filler + "\n\nThe gateway is alpha. " + filler,
		"copy.md":         "# Handbook\n\n## Network\n\n### VPN\n\n" + filler + "\n\nThe gateway is alpha. " + filler,
	}, func(c *Config) { c.BaseURL = "https://wiki.example/docs/" })
	found, err := x.Retrieve(t.Context(), "gateway", 5)
	if err != nil || len(found) != 1 {
		t.Fatalf("%d passages of one text in two files, %v", len(found), err)
	}
	c := found[0].Citation
	if c.Title != "Handbook" || c.Heading != "Network › VPN" || c.URL != "https://wiki.example/docs/a%20b/handbook.md" || c.Number != 1 {
		t.Errorf("%+v", c)
	}
	if !strings.HasPrefix(c.Quote, "The gateway is alpha.") || len([]rune(c.Quote)) > quoteLength+1 {
		t.Errorf("quote %q", c.Quote)
	}
}

func TestOpenRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "index.db")
	for name, c := range map[string]Config{
		"no folder": {Dir: filepath.Join(t.TempDir(), "none"), File: file},
		"base URL":  {Dir: t.TempDir(), File: file, BaseURL: "wiki.example"},
	} {
		if x, err := Open(context.Background(), c); err == nil {
			t.Errorf("%s: opened", name)
			_ = x.Close()
		}
	}
}

// A document that names its own address is cited by it; one that names another thing
// is not.
func TestOwnAddress(t *testing.T) {
	x, _ := folder(t, map[string]string{
		"remembered/a.md": "---\ntitle: \"Where is the \\\"big\\\" printer?\"\nurl: https://acme.slack.com/archives/C1/p1\n---\n## Where is the \"big\" printer?\n\nThe printer is on floor two.\n",
		"remembered/b.md": "---\nurl: javascript:alert(1)\n---\nThe scanner is on floor three.\n",
	}, func(c *Config) { c.BaseURL = "https://docs.example.com" })
	for question, want := range map[string]string{
		"where is the printer": "https://acme.slack.com/archives/C1/p1",
		"where is the scanner": "https://docs.example.com/remembered/b.md",
	} {
		found, err := x.Retrieve(t.Context(), question, 1)
		if err != nil || len(found) != 1 {
			t.Fatalf("%s: %v, %v", question, found, err)
		}
		if c := found[0].Citation; c.URL != want || c.Heading != "" {
			t.Errorf("%s is cited as %+v", question, c)
		}
		if c := found[0].Citation; strings.Contains(question, "printer") && c.Title != `Where is the "big" printer?` {
			t.Errorf("its title is %q", c.Title)
		}
	}
}
