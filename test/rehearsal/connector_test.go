package rehearsal

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"parley/pkg/dingtalk/dingtest"
	"parley/pkg/slack/slacktest"
)

// The connector, as its task definition describes it, feeds the same queues from
// DingTalk's Stream, and the same functions answer.
func TestConnector(t *testing.T) {
	d := deployWith(t, map[string]string{"ConnectorImage": "example/parley:1", "ConnectorPlatforms": "dingtalk"})
	d.startConnector("dingtalk")
	d.eventually("the connection", 0, func() bool { return d.ding.Connections() > 0 })
	d.ding.Push(dingtest.TopicMessage, d.ding.Said(dingtest.Inbound{Text: "over the stream", Group: "cidStream"}))
	d.eventually("the answer", 0, func() bool { return len(d.ding.Posts("cidStream")) > 0 })
	d.quiet()
	if posts := d.ding.Posts("cidStream"); len(posts) != 1 || !strings.Contains(posts[0].Text, "You said: over the stream") {
		t.Errorf("people see %+v", posts)
	}
	if n := d.ding.Unacked(); n != 0 {
		t.Errorf("%d frames were not acknowledged", n)
	}
}

// The same for Slack's Socket Mode, also while Slack has the connector connect
// anew, and for a mention that comes over the socket while its queue is away.
func TestSlackConnector(t *testing.T) {
	d := deployWith(t, map[string]string{"ConnectorImage": "example/parley:1", "ConnectorPlatforms": "slack"})
	d.startConnector("slack")
	d.eventually("the connection", 0, func() bool { return d.slack.Connections() > 0 })
	mention := func(text string) slacktest.Message {
		m := d.slack.Say(channel, "", person, "<@"+slacktest.DefaultBotUser+"> "+text)
		d.slack.Push(d.slack.EventMention(m))
		return m
	}
	first := mention("over the socket")
	d.answer(first, "You said: over the socket", 0)
	d.slack.Refresh()
	second := mention("between two sockets")
	d.answer(second, "You said: between two sockets", 0)
	d.gates["Connector"].slowDown("sqs", time.Hour)
	third := mention("while the queue was away")
	d.eventually("the refusal", 0, func() bool { return strings.Contains(d.log.String(), "not durable") })
	if n := d.slack.Unacked(); n != 1 {
		t.Errorf("%d envelopes are not acknowledged, want the one that is not durable", n)
	}
	d.gates["Connector"].slowDown("sqs", 0)
	d.slack.Refresh() // and what was not acknowledged comes again
	d.answer(third, "You said: while the queue was away", 0)
	d.quiet()
	if n := d.slack.Unacked(); n != 0 {
		t.Errorf("%d envelopes were not acknowledged", n)
	}
}

// startConnector runs a container of the task definition: its command, its
// variables, its secrets, and through a gate its role.
func (d *deployment) startConnector(name string) {
	d.Helper()
	task := d.stack.Resources["ConnectorTask"].Properties
	for _, c := range task["ContainerDefinitions"].([]any) {
		c := c.(map[string]any)
		if c["Name"] != name {
			continue
		}
		allowed, err := permissionsOf(d.stack, task["TaskRoleArn"])
		if err != nil {
			d.Fatal(err)
		}
		g, err := newGate("the connector", d.cloud.account, allowed, d.cloud.services)
		if err != nil {
			d.Fatal(err)
		}
		d.Cleanup(g.server.Close)
		d.gates["Connector"] = g
		cmd := exec.Command(filepath.Join(binaries.dir, "parley"))
		for _, arg := range c["Command"].([]any) {
			cmd.Args = append(cmd.Args, fmt.Sprint(arg))
		}
		cmd.Env = []string{
			"AWS_ENDPOINT_URL=" + g.server.URL, "AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=secret",
			"SLACK_API_URL=" + d.slack.APIURL(), "DINGTALK_API_URL=" + d.ding.APIURL, "DINGTALK_OAPI_URL=" + d.ding.OAPIURL,
		}
		for _, v := range c["Environment"].([]any) {
			v := v.(map[string]any)
			cmd.Env = append(cmd.Env, fmt.Sprintf("%s=%v", v["Name"], v["Value"]))
		}
		for _, v := range c["Secrets"].([]any) {
			v := v.(map[string]any)
			cmd.Env = append(cmd.Env, fmt.Sprintf("%s=%s", v["Name"], d.injected(fmt.Sprint(v["ValueFrom"]))))
		}
		d.run(cmd)
		return
	}
	d.Fatalf("the task has no container %s", name)
}

// run runs cmd until the test ends, and has it stop as Fargate does.
func (d *deployment) run(cmd *exec.Cmd) {
	d.Helper()
	cmd.Stdout, cmd.Stderr = &d.log, &d.log
	if err := cmd.Start(); err != nil {
		d.Fatal(err)
	}
	d.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			d.Errorf("the connector did not end well: %v", err)
		}
	})
}

// injected is the value that Fargate would hand over for "arn:key::".
func (d *deployment) injected(reference string) string {
	d.Helper()
	rest := strings.TrimSuffix(reference, "::")
	at := strings.LastIndexByte(rest, ':')
	arn, key := rest[:at], rest[at+1:]
	for logical, id := range d.cloud.physical {
		if id == arn {
			return d.secrets[logical][key]
		}
	}
	d.Fatalf("no secret %s", arn)
	return ""
}
