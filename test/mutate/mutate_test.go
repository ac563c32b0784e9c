package mutate

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	mutate = flag.Bool("mutate", false, "break every guard and have the harness look for it (minutes)")
	random = flag.Int("mutate.random", 400, "random histories of each scenario for the explorer")
)

func root(t *testing.T) string {
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// overlay writes g's broken file and what tells the go command to take it.
func (g guard) overlay(t *testing.T) string {
	file := filepath.Join(root(t), g.file)
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(source), g.is); n != 1 {
		t.Fatalf("%s has %d places that read\n%s\nchange this break with the guard", g.file, n, g.is)
	}
	broken := filepath.Join(t.TempDir(), filepath.Base(file))
	list := filepath.Join(t.TempDir(), "overlay.json")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {file: broken}})
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{broken: strings.Replace(string(source), g.is, g.becomes, 1), list: string(replace)} {
		if err := os.WriteFile(name, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return list
}

// TestBreaksFit keeps the breaks in step with the code.
func TestBreaksFit(t *testing.T) {
	for _, g := range guards {
		t.Run(g.name, func(t *testing.T) { g.overlay(t) })
	}
}

// TestGuards breaks each guard and fails if nothing notices.
func TestGuards(t *testing.T) {
	if !*mutate {
		t.Skip("needs -mutate, and minutes")
	}
	table := []string{"| guard | without it | found by | after |", "|---|---|---|---|"}
	for _, g := range guards {
		t.Run(g.name, func(t *testing.T) {
			began := time.Now()
			found := g.look(t)
			if len(found) == 0 {
				t.Error("nothing found it")
			}
			table = append(table, fmt.Sprintf("| %s | %s | %s | %.0f s |", g.name, g.broken, strings.Join(found, ", "), time.Since(began).Seconds()))
		})
	}
	t.Logf("\n%s", strings.Join(table, "\n"))
}

// failed is how the testing package reports a test that failed.
var failed = regexp.MustCompile(`(?m)^ *--- FAIL: (Test\S+)`)

// look runs the tests on the broken code and returns up to three that failed.
func (g guard) look(t *testing.T) []string {
	overlay := "-overlay=" + g.overlay(t)
	g.goes(t, "build", overlay, "./...") // a break that does not compile proves nothing
	args := []string{"test", overlay, "-vet=off", "-count=1", "-failfast", "./test/explore", "-explore.random", fmt.Sprint(*random)}
	if g.tests != nil {
		args = append(args[:5], g.tests...)
	}
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = root(t)
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	var names []string
	for _, m := range failed.FindAllStringSubmatch(string(out), -1) {
		test, name, ok := strings.Cut(m[1], "/")
		if !ok && g.tests == nil {
			continue // the explorer's subtests are its scenarios
		}
		if !ok {
			name = test
		}
		if name = strings.ReplaceAll(name, "_", " "); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return names[:min(3, len(names))]
}

func (g guard) goes(t *testing.T, args ...string) {
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = root(t)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}
