package rehearsal

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/pkg/bedrock/bedrocktest"
	"parley/pkg/slack/slacktest"
)

// channel and person are where and who most of this is about.
const (
	channel = "C0GENERAL1"
	person  = "U0HUMAN001"
)

// ask has a person mention Parley, and Slack send the event.
func (d *deployment) ask(text string) slacktest.Message {
	d.Helper()
	m := d.slack.Say(channel, "", person, "<@"+slacktest.DefaultBotUser+"> "+text)
	if status := d.send(d.slack.EventMention(m)); status != http.StatusOK {
		d.Fatalf("the event was answered %d", status)
	}
	return m
}

// answer waits for the one answer to m, which must contain want and be whole.
func (d *deployment) answer(m slacktest.Message, want string, limit time.Duration) slacktest.Message {
	d.Helper()
	d.eventually("the answer "+want, limit, func() bool {
		for _, a := range d.slack.Answers(m.Channel, m.TS) {
			if !a.Open && strings.Contains(a.Text(), want) {
				return true
			}
		}
		return false
	})
	answers := d.slack.Answers(m.Channel, m.TS)
	if len(answers) != 1 {
		var texts []string
		for _, a := range answers {
			texts = append(texts, a.Text())
		}
		d.Fatalf("%d answers: %q", len(answers), texts)
	}
	return answers[0]
}

// quiet waits until nothing is under way any more.
func (d *deployment) quiet() {
	d.Helper()
	calm := 0
	d.eventually("quiet", time.Minute, func() bool {
		busy := false
		for _, f := range d.functions {
			for _, e := range f.Environments() {
				busy = busy || e.Busy()
			}
		}
		if calm++; busy {
			calm = 0
		}
		return calm > 20
	})
}

func TestMention(t *testing.T) {
	d := deploy(t)
	m := d.ask("how are you?")
	d.answer(m, "You said: how are you?", 0)
	d.quiet()
	d.answer(m, "You said: how are you?", 0)
}

// Slack delivers an event up to four times, some of them at once, and tells of a
// mention twice. The person gets one answer and one model call is paid for.
func TestFourDeliveries(t *testing.T) {
	d := deploy(t)
	m := d.slack.Say(channel, "", person, "<@"+slacktest.DefaultBotUser+"> just once, please")
	event, twin := d.slack.EventMention(m), d.slack.EventMessage(m)
	var sending sync.WaitGroup
	for i, in := range []slacktest.Inbound{event, event.Retry(1, "http_timeout"), twin, event.Retry(2, "http_timeout")} {
		sending.Go(func() {
			if status := d.send(in); status != http.StatusOK {
				d.Errorf("delivery %d was answered %d", i+1, status)
			}
		})
	}
	sending.Wait()
	d.answer(m, "just once", 0)
	d.send(event.Retry(3, "http_error")) // after the answer
	d.quiet()
	d.answer(m, "just once", 0)
	if calls := len(d.bedrock.Calls(bedrocktest.OpConverseStream)); calls != 1 {
		t.Errorf("%d model calls for one question", calls)
	}
}

// A throttled model makes the answer late, not wrong and not double.
func TestThrottledModel(t *testing.T) {
	d := deploy(t)
	busy := func() *bedrocktest.Response {
		return bedrocktest.Fail(429, "ThrottlingException", "Too many requests, please wait before trying again.")
	}
	d.bedrock.Queue(bedrocktest.OpConverseStream, busy(), busy(), busy(), busy())
	m := d.ask("are you busy?")
	d.answer(m, "You said: are you busy?", 90*time.Second)
}

// A worker that dies in the middle of an answer is noticed after a minute. The
// person sees one answer, whole.
func TestKilledWorker(t *testing.T) {
	d := deploy(t)
	d.bedrock.Queue(bedrocktest.OpConverseStream, bedrocktest.Stream(
		bedrocktest.MessageStart(), bedrocktest.Text(0, "Half of an "), bedrocktest.Event{Delay: time.Hour},
	))
	m := d.ask("does this survive?")
	d.eventually("the first words", 0, func() bool {
		for _, a := range d.slack.Answers(m.Channel, m.TS) {
			if strings.Contains(a.Text(), "Half of a") {
				return true
			}
		}
		return false
	})
	for _, e := range d.functions["WorkerFunction"].Environments() {
		if e.Busy() {
			e.Kill()
		}
	}
	a := d.answer(m, "You said: does this survive?", 3*time.Minute)
	if strings.Contains(a.Text(), "Half of a") {
		t.Errorf("the answer is mixed: %q", a.Text())
	}
}

// A conversation is one line: the second question waits for the first's answer
// and is asked with it in memory. Another conversation does not wait.
func TestOneLinePerConversation(t *testing.T) {
	d := deploy(t)
	d.bedrock.Queue(bedrocktest.OpConverseStream, bedrocktest.Stream(
		bedrocktest.MessageStart(), bedrocktest.Text(0, "Slow, "), bedrocktest.Event{Delay: 3 * time.Second}, bedrocktest.Text(0, "but sure."),
		bedrocktest.BlockStop(0), bedrocktest.Stop("end_turn"), bedrocktest.Usage(10, 5),
	))
	first := d.ask("take your time")
	d.eventually("the model call", 0, func() bool { return len(d.bedrock.Calls(bedrocktest.OpConverseStream)) == 1 })
	second := d.slack.Say(channel, first.TS, person, "<@"+slacktest.DefaultBotUser+"> and then?")
	if status := d.send(d.slack.EventMention(second)); status != http.StatusOK {
		t.Fatalf("answered %d", status)
	}
	other := d.ask("quickly")
	d.answer(other, "You said: quickly", 0)
	d.eventually("both answers", 0, func() bool { return len(d.slack.Answers(channel, first.TS)) == 2 })
	d.quiet()
	for _, c := range d.bedrock.Calls(bedrocktest.OpConverseStream) {
		if bedrocktest.LastText(c) == "and then?" && !strings.Contains(string(c.Body), "Slow, but sure.") {
			t.Errorf("the second question was asked without the first's answer: %s", c.Body)
		}
	}
}

// What must not wait behind a question does not: stop reaches the worker while it
// streams, through the control queue's own function.
func TestStop(t *testing.T) {
	d := deploy(t)
	d.bedrock.Queue(bedrocktest.OpConverseStream, bedrocktest.Stream(
		bedrocktest.MessageStart(), bedrocktest.Text(0, "This goes on and on "), bedrocktest.Event{Delay: time.Hour},
	))
	m := d.ask("tell me everything")
	d.eventually("the first words", 0, func() bool { return len(d.slack.Answers(m.Channel, m.TS)) == 1 })
	stop := d.slack.Say(channel, m.TS, person, "<@"+slacktest.DefaultBotUser+"> stop")
	if status := d.send(d.slack.EventMention(stop)); status != http.StatusOK {
		t.Fatalf("answered %d", status)
	}
	d.eventually("the end of the answer", 20*time.Second, func() bool {
		as := d.slack.Answers(m.Channel, m.TS)
		return len(as) == 1 && !as[0].Open && len(d.slack.OpenStreams()) == 0
	})
	d.quiet()
	if c := d.functions["ControlFunction"].Environments(); len(c) == 0 {
		t.Error("the control function never ran")
	}
}

// Forms arrive in base64, and are signed as they were before.
func TestSlashCommand(t *testing.T) {
	d := deploy(t)
	if status := d.send(d.slack.EventSlash("/parley", "what is a form?", channel, person)); status != http.StatusOK {
		t.Fatalf("answered %d", status)
	}
	d.eventually("the answer", 0, func() bool {
		for _, m := range d.slack.Ephemeral(channel, person) {
			if strings.Contains(m.Text(), "You said: what is a form?") {
				return true
			}
		}
		return false
	})
}

func TestFrontDoor(t *testing.T) {
	d := deploy(t)
	get := func(path string) int {
		r, err := http.NewRequest(http.MethodGet, d.front.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		return d.do(r)
	}
	if s := get("/healthz"); s != http.StatusOK {
		t.Errorf("healthz answers %d", s)
	}
	if s := get("/slack/events"); s != http.StatusNotFound {
		t.Errorf("a route that the template does not have answers %d", s)
	}
	forged := d.slack.EventMention(d.slack.Say(channel, "", person, "<@"+slacktest.DefaultBotUser+"> forged"))
	forged.Header.Set("X-Slack-Signature", "v0="+strings.Repeat("0", 64))
	if s := d.send(forged); s != http.StatusUnauthorized {
		t.Errorf("a forged event is answered %d", s)
	}
	if s := d.send(d.slack.EventURLVerification("challenge")); s != http.StatusOK {
		t.Errorf("the handshake is answered %d", s)
	}
}
