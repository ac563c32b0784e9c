package deploy

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"parley/pkg/pipeline"
)

// Every alarm has a section in the runbook, and the runbook speaks of no alarm that
// is gone.
func TestRunbookExplainsEveryAlarm(t *testing.T) {
	runbook := readRunbook(t)
	headings := strings.Join(regexp.MustCompile(`(?m)^###? .*$`).FindAllString(runbook, -1), "\n")
	resources := readTemplate(t).Resources
	for name, r := range resources {
		if r.Type == "AWS::CloudWatch::Alarm" && !regexp.MustCompile(`\b`+name+`\b`).MatchString(headings) {
			t.Errorf("docs/operations.md has no section about %s", name)
		}
	}
	for _, name := range regexp.MustCompile(`\b[A-Z][A-Za-z]+Alarm\b`).FindAllString(runbook, -1) {
		if _, ok := resources[name]; !ok {
			t.Errorf("docs/operations.md speaks of %s, which the template does not have", name)
		}
	}
}

// The runbook says what to do about a dead letter of any reason.
func TestRunbookExplainsEveryReason(t *testing.T) {
	_, letters, _ := strings.Cut(readRunbook(t), "\n### RequestsDeadLettersAlarm")
	letters, _, _ = strings.Cut(letters, "\n### ")
	for _, reason := range pipeline.Reasons {
		if !strings.Contains(letters, "`"+string(reason)+"`") {
			t.Errorf("docs/operations.md does not say what to do about the reason %s", reason)
		}
	}
}

func readRunbook(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
