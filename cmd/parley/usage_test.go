package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// asCommand makes the test binary be the command itself.
const asCommand = "PARLEY_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// command is the command as a person runs it, in a folder of its own and with
// nothing in the environment but env.
func command(dir string, env []string, args ...string) *exec.Cmd {
	c := exec.Command(os.Args[0], args...)
	c.Dir = dir
	c.Env = append([]string{asCommand + "=1", "HOME=" + dir, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + os.TempDir()}, env...)
	return c
}

// run runs the command to its end.
func run(t *testing.T, dir string, env []string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	c := command(dir, env, args...)
	var out, err bytes.Buffer
	c.Stdout, c.Stderr = &out, &err
	var exit *exec.ExitError
	if e := c.Run(); e != nil && !errors.As(e, &exit) {
		t.Fatal(e)
	}
	return out.String(), err.String(), c.ProcessState.ExitCode()
}

// Each mistake in how the command is called is one sentence that says what to do,
// and exit code 2; nothing is printed as if it were a result.
func TestMistakesAreOneSentence(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args string
		env  string
		want string
	}{
		{args: "bogus", want: `there is no command "bogus"`},
		{args: "--bogus", want: "unknown flag: --bogus"},
		{args: "dev extra", want: `parley dev takes no arguments, but got "extra"`},
		{args: "dev --bogus", want: `unknown flag: --bogus (see "parley dev --help")`},
		{args: "dev --addr", want: "flag needs an argument: --addr"},
		{args: "dev --addr nonsense", want: `--addr is "nonsense"; it must be a host and a port`},
		{args: "dev --addr 127.0.0.1:99999", want: "it must be a host and a port"},
		{args: "dev --model gpt", want: `--model is "gpt"; it must be demo or bedrock`},
		{args: "dev --data=", want: "--data is empty"},
		{args: "serve --model gpt", want: `--model is "gpt"`},
		{args: "serve --model demo --addr :x", want: `--addr is ":x"`},
		{args: "serve --model demo --connect teams", want: `--connect is "teams"; it takes slack, dingtalk or both`},
		{args: "ask", want: "ask takes a question"},
		{args: "ask --model gpt hello", want: `--model is "gpt"`},
		{args: "ask --bogus hello", want: "unknown flag: --bogus"},
		{args: "connect", want: "connect takes a platform: slack or dingtalk"},
		{args: "connect teams", want: "connect takes a platform"},
		{args: "dlq bogus", want: `there is no command "dlq bogus"; see "parley dlq --help"`},
		{args: "dlq list extra", want: `parley dlq list takes no arguments, but got "extra"`},
		{args: "dlq list --json --watch", want: "--json and --watch cannot be combined"},
		{args: "dlq list --json=maybe", want: `--json is "maybe"; it must be true or false`},
		{args: "dlq list --queue bogus", want: `--queue is "bogus"; it must be one of requests, control, replies`},
		{args: "dlq list --reason bogus", want: `--reason is "bogus"; it must be one of unreadable, refused`},
		{args: "dlq list --platform teams", want: `--platform is "teams"; it must be one of slack, dingtalk, web`},
		{args: "dlq list --older-than soon", want: `--older-than is "soon"; it must be a duration, such as 30m or 48h`},
		{args: "dlq list --newer-than -1h", want: "must not be negative"},
		{args: "dlq list --older-than 2h --newer-than 1h", want: "leave nothing"},
		{args: "dlq list --stack s --data f", want: "--stack and --data cannot be combined"},
		{args: "dlq show", want: "dlq show takes one reference"},
		{args: "dlq show a b", want: "dlq show takes one reference"},
		{args: "dlq replay", want: "name the letters to replay"},
		{args: "dlq replay --all --rate 0", want: "--rate must be more than 0"},
		{args: "dlq replay --all --rate fast", want: `--rate is "fast"; it must be a number`},
		{args: "dlq replay --all --max-age -1h", want: "--max-age must not be negative"},
		{args: "dlq replay --all --queue bogus", want: `--queue is "bogus"`},
		{args: "dlq drop", want: "name the letters to drop"},
		{args: "doctor extra", want: "takes no arguments"},
		{args: "manifest teams", want: `there is no command "manifest teams"`},
		{args: "serve --model demo", env: "MEMORY_TURNS=many", want: "MEMORY_TURNS must be a whole number"},
		{args: "serve --model demo", env: "FOLLOW_UPS=all", want: "FOLLOW_UPS is \"all\""},
		{args: "serve --model demo", env: "LOG_LEVEL=loud", want: "LOG_LEVEL must be"},
		{args: "serve --model demo", env: "SLACK_BOT_TOKEN=xoxb-1", want: "SLACK_SIGNING_SECRET is not"},
		{args: "serve --model demo", env: "SLACK_API_URL=slack.com", want: "SLACK_API_URL must be an http or https URL"},
	} {
		t.Run(tt.args+" "+tt.env, func(t *testing.T) {
			t.Parallel()
			var env []string
			if tt.env != "" {
				env = []string{tt.env}
			}
			stdout, stderr, code := run(t, t.TempDir(), env, strings.Fields(tt.args)...)
			if code != exitUsage {
				t.Errorf("exit code %d, want %d", code, exitUsage)
			}
			if !strings.HasPrefix(stderr, "parley: ") || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, tt.want) {
				t.Errorf("said %q, want one line with %q", stderr, tt.want)
			}
			if stdout != "" {
				t.Errorf("printed %q", stdout)
			}
		})
	}
}

// What is asked for correctly and cannot be done is one sentence, and exit code 1.
func TestFailuresAreOneSentence(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ args, want string }{
		{"dlq list --data missing.db", "there is no data file missing.db"},
		{"dlq show 12345678 --data missing.db", "there is no data file missing.db"},
		{"serve --model demo --data .", "is a directory"},
	} {
		t.Run(tt.args, func(t *testing.T) {
			t.Parallel()
			_, stderr, code := run(t, t.TempDir(), nil, strings.Fields(tt.args)...)
			if code != exitFailed || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, tt.want) {
				t.Errorf("exit code %d, said %q", code, stderr)
			}
		})
	}
}

// One question goes through the whole pipeline, and a data file remembers it.
func TestAsk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, tt := range []struct {
		question, want string
		code           int
	}{
		{"my name is Ada", "Ada", 0},
		{"what is my name?", "Ada", 0},
		{"demo:fail", "the model failed", exitFailed},
	} {
		stdout, stderr, code := run(t, dir, []string{"LOG_LEVEL=ERROR"}, "ask", "--data", "ask.db", tt.question)
		if code != tt.code || !strings.Contains(stdout, tt.want) {
			t.Errorf("%q: exit code %d, printed %q, said %q", tt.question, code, stdout, stderr)
		}
	}
	stdout, _, code := run(t, dir, []string{"LOG_LEVEL=ERROR"}, "ask", "what is my name?")
	if code != 0 || strings.Contains(stdout, "Ada") {
		t.Errorf("without a data file: exit code %d, printed %q", code, stdout)
	}
}
