package e2e

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Not one rule of Slack's is broken over the whole suite: every test outside Slack's
// own packages that runs against a Slack fails for what that Slack has recorded. Slack
// would refuse such a call, or take it and show something else.
func TestEverySlackIsChecked(t *testing.T) {
	files := 0
	for _, root := range []string{"../../test", "../../cmd", "../../functions"} {
		err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") {
				return err
			}
			data, err := os.ReadFile(path)
			made := bytes.Count(data, []byte("slacktest."+"New("))
			checked := bytes.Count(data, []byte(".Violations()")) + bytes.Count(data, []byte(".Check("))
			if made > 0 {
				files++
			}
			if made > checked {
				t.Errorf("%s runs %d Slacks and checks %d for broken rules", path, made, checked)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if files < 5 {
		t.Errorf("only %d files run a Slack: the check looks in the wrong place", files)
	}
}
