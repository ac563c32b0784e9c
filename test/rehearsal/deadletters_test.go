package rehearsal

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"parley/pkg/bedrock/bedrocktest"
)

// parley runs the operator's tool against the deployment.
func (d *deployment) parley(args ...string) string {
	d.Helper()
	cmd := exec.Command(filepath.Join(binaries.dir, "parley"), args...)
	cmd.Env = append(os.Environ(),
		"AWS_REGION="+region, "AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=secret",
		"AWS_ENDPOINT_URL_SQS="+d.cloud.services["sqs"], "AWS_ENDPOINT_URL_DYNAMODB="+d.cloud.services["dynamodb"],
		"TABLE_NAME="+d.variable("WorkerFunction", "TABLE_NAME"),
		"REQUESTS_QUEUE_URL="+d.variable("WorkerFunction", "REQUESTS_QUEUE_URL"), "REQUESTS_DLQ_URL="+d.variable("WorkerFunction", "REQUESTS_DLQ_URL"),
		"REPLIES_QUEUE_URL="+d.variable("ResponderFunction", "REPLIES_QUEUE_URL"), "REPLIES_DLQ_URL="+d.variable("ResponderFunction", "REPLIES_DLQ_URL"),
	)
	out, err := cmd.Output()
	if err != nil {
		var said []byte
		if e, ok := err.(*exec.ExitError); ok {
			said = e.Stderr
		}
		d.Fatalf("parley %s: %v\n%s%s", strings.Join(args, " "), err, out, said)
	}
	return string(out)
}

func (d *deployment) variable(function, name string) string {
	return d.stack.Resources[function].Properties["Environment"].(map[string]any)["Variables"].(map[string]any)[name].(string)
}

type letter struct{ ID, Queue, Reason, Platform string }

func (d *deployment) letters() []letter {
	d.Helper()
	var all []letter
	if err := json.Unmarshal([]byte(d.parley("dlq", "list", "--json")), &all); err != nil {
		d.Fatal(err)
	}
	return all
}

// A question that the model will not take is given up at once: the person is told,
// the letter waits, and its replay turns the apology into the answer.
func TestDeadLetterIsReplayed(t *testing.T) {
	d := deploy(t)
	d.bedrock.Queue(bedrocktest.OpConverseStream, bedrocktest.Fail(403, "AccessDeniedException", "You don't have access to the model with the specified model ID."))
	m := d.ask("may I?")
	var found []letter
	d.eventually("the letter", time.Minute, func() bool {
		found = d.letters()
		return len(found) == 1
	})
	if found[0].Queue != "requests" || found[0].Reason != "config" || found[0].Platform != "slack" {
		t.Errorf("the letter says %+v", found[0])
	}
	d.eventually("the apology", 0, func() bool { return len(d.slack.Answers(m.Channel, m.TS)) == 1 })
	apology := d.slack.Answers(m.Channel, m.TS)[0]

	d.parley("dlq", "replay", "--all", "--yes")
	a := d.answer(m, "You said: may I?", time.Minute)
	if a.TS != apology.TS {
		t.Errorf("the answer is another message than the apology")
	}
	if left := d.letters(); len(left) != 0 {
		t.Errorf("letters are left: %+v", left)
	}
}

// What nobody can read reaches the dead letters, and holds up nobody.
func TestPoison(t *testing.T) {
	d := deploy(t)
	_, err := d.queues.SendMessage(t.Context(), &sqs.SendMessageInput{
		QueueUrl:    aws.String(d.variable("WorkerFunction", "REQUESTS_QUEUE_URL")),
		MessageBody: aws.String("{\"v\":99}"), MessageGroupId: aws.String("poison"), MessageDeduplicationId: aws.String("poison-1"),
	})
	if err != nil {
		t.Fatal(err)
	}
	m := d.ask("still there?")
	d.answer(m, "You said: still there?", 0)
	d.eventually("the letter", time.Minute, func() bool {
		found := d.letters()
		return len(found) == 1 && found[0].Reason == "unreadable"
	})
}
