package rehearsal

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"parley/pkg/bedrock/bedrocktest"
	"parley/pkg/slack/slacktest"
)

// A fresh process whose secrets come slowly and whose queue hangs tells Slack so
// before Slack's three seconds are over; the delivery after that is answered.
func TestAckUnderBadLuck(t *testing.T) {
	d := deploy(t)
	g := d.gates["IngressFunction"]
	g.slowDown("secretsmanager", 300*time.Millisecond)
	g.slowDown("sqs", time.Hour)
	m := d.slack.Say(channel, "", person, "<@"+slacktest.DefaultBotUser+"> anyone?")
	event := d.slack.EventMention(m)
	began := time.Now()
	status := d.send(event)
	took := time.Since(began)
	if status < 500 || took >= 3*time.Second {
		t.Errorf("answered %d after %v", status, took)
	}
	t.Logf("answered %d after %v, the start of the process included", status, took)
	g.slowDown("sqs", 0)
	if status := d.send(event.Retry(1, "http_error")); status != http.StatusOK {
		t.Errorf("the redelivery was answered %d", status)
	}
	d.answer(m, "You said: anyone?", 0)
}

// A fresh process that cannot read its secret does not call Slack a stranger: it
// says in time that it could not judge the event, and Slack sends it again.
func TestAckWithoutSecret(t *testing.T) {
	d := deploy(t)
	g := d.gates["IngressFunction"]
	g.slowDown("secretsmanager", time.Hour)
	m := d.slack.Say(channel, "", person, "<@"+slacktest.DefaultBotUser+"> who am I?")
	event := d.slack.EventMention(m)
	began := time.Now()
	status := d.send(event)
	if took := time.Since(began); status != http.StatusServiceUnavailable || took >= 3*time.Second {
		t.Errorf("answered %d after %v", status, took)
	}
	g.slowDown("secretsmanager", 0)
	if status := d.send(event.Retry(1, "http_error")); status != http.StatusOK {
		t.Errorf("the redelivery was answered %d", status)
	}
	d.answer(m, "You said: who am I?", 0)
}

// A send that SQS kept but whose answer was lost is not acknowledged; Slack's
// redelivery meets it in the queue, and there is one answer.
func TestLostSend(t *testing.T) {
	d := deploy(t)
	g := d.gates["IngressFunction"]
	g.loseAnswers("sqs", 100) // however often it tries
	m := d.slack.Say(channel, "", person, "<@"+slacktest.DefaultBotUser+"> did you get this?")
	event := d.slack.EventMention(m)
	if status := d.send(event); status != http.StatusServiceUnavailable {
		t.Fatalf("answered %d", status)
	}
	g.loseAnswers("sqs", 0)
	if status := d.send(event.Retry(1, "http_error")); status != http.StatusOK {
		t.Fatalf("the redelivery was answered %d", status)
	}
	d.answer(m, "You said: did you get this?", 0)
	d.quiet()
	d.answer(m, "You said: did you get this?", 0)
	if calls := len(d.bedrock.Calls(bedrocktest.OpConverseStream)); calls != 1 {
		t.Errorf("%d model calls", calls)
	}
}

// A rotated signing secret works without a deployment, and so does the one before.
func TestRotatedSecret(t *testing.T) {
	if os.Getenv("AWS_ENDPOINT_URL") != "" {
		t.Skip("needs the fake's secrets")
	}
	d := deploy(t)
	d.answer(d.ask("before"), "before", 0)
	arn := d.cloud.physical["SlackSecret"]
	fakes.vault.put(arn, `{"signing_secret":"ffffffffffffffffffffffffffffffff","bot_token":"`+slacktest.DefaultToken+`"}`)
	m := d.slack.Say(channel, "", person, "<@"+slacktest.DefaultBotUser+"> after")
	in := d.slack.EventMention(m)
	old := in.Header
	in.Header = slacktest.Sign("ffffffffffffffffffffffffffffffff", in.Body, time.Now())
	in.Header.Set("Content-Type", old.Get("Content-Type"))
	if status := d.send(in); status != http.StatusOK {
		t.Fatalf("the new secret was answered %d", status)
	}
	d.answer(m, "after", 0)
	in.Header = old
	if status := d.send(in); status != http.StatusOK {
		t.Errorf("the secret before was answered %d within its day of grace", status)
	}
	if strings.Contains(d.log.String(), "ffffffffffffffff") {
		t.Error("a secret is in the log")
	}
}
