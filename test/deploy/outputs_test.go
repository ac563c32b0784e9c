package deploy

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// The command-line tool finds its way by the stack's outputs.
func TestOutputsTheToolReads(t *testing.T) {
	files, err := filepath.Glob("../../cmd/parley/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal("no command-line tool", err)
	}
	outputs := readTemplate(t).Outputs
	read := regexp.MustCompile(`\b(?:out|outputs)\["([A-Za-z]+)"\]|"([A-Za-z]+(?:Queue|Dlq)Url)"`)
	found := 0
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range read.FindAllStringSubmatch(string(source), -1) {
			found++
			if name := m[1] + m[2]; outputs[name] == nil {
				t.Errorf("%s reads the output %s, which the template does not have", file, name)
			}
		}
	}
	if found < 10 {
		t.Errorf("found %d uses of outputs: the pattern no longer fits the source", found)
	}
}

// Whoever sets an app up finds out what to paste where.
func TestOutputsSayWhatTheyAreFor(t *testing.T) {
	for name, o := range readTemplate(t).Outputs {
		if d, _ := at(o, "Description").(string); len(d) < 10 {
			t.Errorf("%s does not say what it is for", name)
		}
	}
}
