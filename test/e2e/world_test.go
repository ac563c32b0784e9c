package e2e

import (
	"bytes"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"parley/pkg/demo"
	"parley/pkg/pipeline"
	"parley/pkg/slack"
	"parley/pkg/slack/slacktest"
	"parley/pkg/sqlitestore"
)

// The people of the workspace. Ann's direct message with Parley is annDM.
const (
	ann   = "U0ANN00001"
	bob   = "U0BOB00001"
	annDM = "D0ANN00001"
)

// world is one workspace and one data file, which outlive the processes.
type world struct {
	t     *testing.T
	slack *slacktest.Server
	path  string
	store *sqlitestore.Store // the data file as a bystander sees it
	model pipeline.Model
	opts  worldOptions
	log   journal // what the processes logged, shown when the test fails

	fileFault error // what reading a file from Slack fails with

	mu        sync.Mutex
	calls     []*modelCall // guarded by mu
	fileReads int          // guarded by mu
	fileBytes int          // guarded by mu; read of files
	measured  []string     // names and labels, guarded by mu
}

type worldOptions struct {
	slack     slacktest.Options
	workers   int
	config    pipeline.WorkerConfig
	model     pipeline.Model
	docs      pipeline.Retriever
	profiles  pipeline.Profiles
	knowledge pipeline.Knowledge
}

// inWorld runs test in a bubble of fake time. At its end nothing may be left
// running, no stream open, and no rule of Slack's broken.
func inWorld(t *testing.T, opts worldOptions, test func(w *world)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, path: filepath.Join(dir, "parley.db"), model: opts.model, opts: opts}
		w.slack = slacktest.New(opts.slack)
		if w.model == nil {
			w.model = &demo.Model{Pace: 20 * time.Millisecond}
		}
		store, err := sqlitestore.Open(t.Context(), w.path, sqlitestore.Options{})
		if err != nil {
			t.Fatal(err)
		}
		w.store = store
		t.Cleanup(func() { _ = store.Close() })
		t.Cleanup(w.show)
		test(w)
		if open := w.slack.OpenStreams(); len(open) > 0 {
			t.Errorf("%d streams were left open", len(open))
		}
		for _, m := range w.slack.Unfinished() {
			t.Errorf("an answer shows work as going on: %+v", m.Tasks)
		}
		for _, v := range w.slack.Violations() {
			t.Errorf("a rule of Slack's was broken: %v", v)
		}
	})
}

// Measure keeps what the processes measured; it implements pipeline.Metrics.
func (w *world) Measure(name string, _ float64, labels ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.measured = append(w.measured, strings.Join(append([]string{name}, labels...), " "))
}

// counted is how often something was measured.
func (w *world) counted(name string, labels ...string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, want := 0, strings.Join(append([]string{name}, labels...), " ")
	for _, m := range w.measured {
		if m == want {
			n++
		}
	}
	return n
}

// journal is a log that several processes write to.
type journal struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(p)
}

// show tells what happened, when the test has failed.
func (w *world) show() {
	if !w.t.Failed() {
		return
	}
	w.log.mu.Lock()
	defer w.log.mu.Unlock()
	w.t.Logf("the processes logged:\n%s", w.log.buf.String())
	for _, c := range w.slack.Calls() {
		w.t.Logf("%s %s %.100s %.100s", c.At.Format("15:04:05.000"), c.Method, c.Args["ts"], c.Args["text"]+c.Args["markdown_text"])
	}
}

// mention has Ann mention Parley.
func (w *world) mention(channel, thread, text string) (slacktest.Message, slacktest.Inbound) {
	return w.mentionBy(ann, channel, thread, text)
}

func (w *world) mentionBy(user, channel, thread, text string) (slacktest.Message, slacktest.Inbound) {
	m := w.slack.Say(channel, thread, user, "<@"+slacktest.DefaultBotUser+"> "+text)
	return m, w.slack.EventMention(m)
}

// say has a person say something that does not mention Parley.
func (w *world) say(user, channel, thread, text string) (slacktest.Message, slacktest.Inbound) {
	m := w.slack.Say(channel, thread, user, text)
	return m, w.slack.EventMessage(m)
}

// within waits in fake time until ok holds, and fails the test after limit. It
// looks often at first, then ever more seldom.
func (w *world) within(limit time.Duration, what string, ok func() bool) {
	w.t.Helper()
	began := time.Now()
	for !ok() {
		waited := time.Since(began)
		if waited > limit {
			w.t.Fatalf("after %v: not %s", limit, what)
		}
		time.Sleep(min(max(waited/20, 20*time.Millisecond), time.Second))
	}
}

// settled waits until nothing is queued and thread root has n finished answers,
// and returns their texts.
func (w *world) settled(limit time.Duration, channel, root string, n int) []string {
	w.t.Helper()
	var texts []string
	w.within(limit, "settled", func() bool {
		if texts = nil; !w.quiet() { // first: what is read after it is final
			return false
		}
		for _, m := range w.slack.Answers(channel, root) {
			if m.Open || strings.TrimSpace(m.Text()) == "" {
				return false
			}
			texts = append(texts, m.Text())
		}
		return len(texts) == n
	})
	return texts
}

// quiet reports whether every queue of the data file is empty.
func (w *world) quiet() bool {
	w.t.Helper()
	// In the order in which a message passes from one to the next, to miss none on its way.
	for _, name := range []string{sqlitestore.Control, sqlitestore.Requests, sqlitestore.Replies} {
		depth, err := w.store.Queue(name).Depth(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		if depth.Visible+depth.InFlight > 0 {
			return false
		}
	}
	return true
}

// messageID is the identity of what a person said.
func messageID(m slacktest.Message) string {
	return slack.MessageID(slacktest.DefaultAppID, m.Channel, m.TS)
}

// caseOf is the record of the work on a message.
func (w *world) caseOf(m slacktest.Message) pipeline.Case {
	w.t.Helper()
	k, err := w.store.LoadCase(w.t.Context(), messageID(m))
	if err != nil {
		w.t.Fatal(err)
	}
	return k
}

// turnOf is what the data file remembers of a message; ok is false for nothing.
func (w *world) turnOf(m slacktest.Message) (turn pipeline.Turn, ok bool) {
	w.t.Helper()
	turn, ok, err := w.store.Turn(w.t.Context(), w.caseOf(m).Turn)
	if err != nil {
		w.t.Fatal(err)
	}
	return turn, ok
}

// answer is what the data file keeps as the answer to a message, "" for none.
func (w *world) answer(m slacktest.Message) string {
	w.t.Helper()
	turn, _ := w.turnOf(m)
	return turn.Answer
}

// operator inspects and replays this world's dead letters, beside the process.
func (w *world) operator() *pipeline.Operator {
	o := &pipeline.Operator{Cases: w.store, Memory: w.store, Deliveries: w.store}
	for _, name := range []string{sqlitestore.Requests, sqlitestore.Control, sqlitestore.Replies} {
		o.Queues = append(o.Queues, pipeline.DeadQueue{Name: name, Dead: w.store.DeadLetters(name), Source: w.store.Queue(name)})
	}
	return o
}

// letters are the dead letters.
func (w *world) letters() []pipeline.Letter {
	w.t.Helper()
	letters, _, err := w.operator().List(w.t.Context(), pipeline.Filter{})
	if err != nil {
		w.t.Fatal(err)
	}
	return letters
}

// replay sends a letter back.
func (w *world) replay(l pipeline.Letter) pipeline.ReplayResult {
	w.t.Helper()
	result, err := w.operator().Replay(w.t.Context(), l, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	return result
}
