package deploy

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// The guide explains every parameter, and no parameter that is gone.
func TestGuideExplainsEveryParameter(t *testing.T) {
	guide, err := os.ReadFile("../../docs/deploy.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(guide), "\n## Parameters\n")
	table, _, _ = strings.Cut(table, "\n## ")
	explained := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([A-Za-z]+)` \\|").FindAllStringSubmatch(table, -1) {
		explained[row[1]] = true
	}
	parameters := readTemplate(t).Parameters
	for name := range parameters {
		if !explained[name] {
			t.Errorf("docs/deploy.md does not say when to change %s", name)
		}
	}
	for name := range explained {
		if _, ok := parameters[name]; !ok {
			t.Errorf("docs/deploy.md explains %s, which the template does not have", name)
		}
	}
}

// What the guide has people type names outputs that exist.
func TestGuideReadsOutputsThatExist(t *testing.T) {
	guide, err := os.ReadFile("../../docs/deploy.md")
	if err != nil {
		t.Fatal(err)
	}
	outputs := readTemplate(t).Outputs
	read := regexp.MustCompile(`\bout ([A-Z][A-Za-z]+)`).FindAllStringSubmatch(string(guide), -1)
	if len(read) < 5 {
		t.Fatalf("found %d uses of outputs: the pattern no longer fits the guide", len(read))
	}
	for _, m := range read {
		if outputs[m[1]] == nil {
			t.Errorf("docs/deploy.md reads the output %s, which the template does not have", m[1])
		}
	}
}
