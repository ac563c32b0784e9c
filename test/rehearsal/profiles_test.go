package rehearsal

import (
	"bytes"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"parley/pkg/bedrock/bedrocktest"
	"parley/pkg/dingtalk/dingtest"
	"parley/pkg/slack/slacktest"
)

const deployedProfiles = `
profiles:
  - name: terraform
    match: { slack: { channels: [C0TERRA001] } }
    system: You know our Terraform modules.
    model: global.vendor.big
    knowledge: { base: TERRAFORM1, filter: { equals: { key: team, value: platform } } }
    follow_ups: anyone
  - name: renshi
    match: { dingtalk: { groups: [cidRenshi] } }
    system: 你负责人事。
`

// askIn has a person mention Parley in a channel.
func (d *deployment) askIn(channel, text string) slacktest.Message {
	d.Helper()
	m := d.slack.Say(channel, "", person, "<@"+slacktest.DefaultBotUser+"> "+text)
	if status := d.send(d.slack.EventMention(m)); status != http.StatusOK {
		d.Fatalf("the event was answered %d", status)
	}
	return m
}

// lastCall is the newest model call, by its model and its body.
func (d *deployment) lastCall() (model, body string) {
	d.Helper()
	calls := d.bedrock.Calls(bedrocktest.OpConverseStream)
	if len(calls) == 0 {
		d.Fatal("no model was called")
	}
	c := calls[len(calls)-1]
	return c.Model, string(c.Body)
}

// A channel and a group have profiles out of the company's parameter, within the
// permissions that the template gives. A change of it works without a deployment; a
// broken one changes nothing.
func TestProfiles(t *testing.T) {
	if os.Getenv("AWS_ENDPOINT_URL") != "" {
		t.Skip("the parameter is the company's own, which the emulator's stack does not make")
	}
	d := deployWith(t, map[string]string{
		"FollowUps": "never", "ProfilesParameter": "/parley/profiles",
		"ProfileModelArns":         localAccount.arn("bedrock", "inference-profile/global.vendor.big"),
		"ProfileKnowledgeBaseArns": localAccount.arn("bedrock", "knowledge-base/TERRAFORM1"),
	})
	fakes.vault.set("/parley/profiles", deployedProfiles)
	d.slack.SetChannel(slacktest.Channel{ID: "C0TERRA001", Type: "channel"})

	m := d.askIn("C0TERRA001", "how do I call the vpc module?")
	d.answer(m, "vpc module", 0)
	if model, body := d.lastCall(); model != "global.vendor.big" || !strings.Contains(body, "Terraform modules") {
		t.Errorf("the model %q was told %s", model, body)
	}
	searches := d.bedrock.Calls(bedrocktest.OpRetrieve)
	if len(searches) != 1 || searches[0].Knowledge != "TERRAFORM1" || !strings.Contains(string(searches[0].Body), `"platform"`) {
		t.Errorf("searched was %+v", searches)
	}
	reply := d.slack.Say("C0TERRA001", m.TS, "U0HUMAN002", "and with two subnets?")
	d.send(d.slack.EventMessage(reply))
	d.eventually("an answer to the follow-up", 0, func() bool { return len(d.slack.Answers("C0TERRA001", m.TS)) == 2 })

	elsewhere := d.ask("and here?")
	d.answer(elsewhere, "and here?", 0)
	if model, body := d.lastCall(); model == "global.vendor.big" || strings.Contains(body, "Terraform modules") {
		t.Errorf("elsewhere the model %q was told %s", model, body)
	}
	d.send(d.slack.EventMessage(d.slack.Say(channel, elsewhere.TS, person, "and now?")))
	d.quiet()
	if n := len(d.slack.Answers(channel, elsewhere.TS)); n != 1 {
		t.Errorf("%d answers where follow-ups are off", n)
	}
	d.askDingTalk("cidRenshi", "年假有几天？")
	if _, body := d.lastCall(); !strings.Contains(body, "你负责人事") {
		t.Errorf("in the group the model was told %s", body)
	}

	told := func() string {
		m := d.askIn("C0TERRA001", "which tool?")
		d.answer(m, "which tool?", 0)
		_, body := d.lastCall()
		return body
	}
	fakes.vault.set("/parley/profiles", "profiles: [{ nme: broken }]")
	body := ""
	d.eventually("word of the mistake", 2*time.Minute, func() bool {
		body = told()
		return strings.Contains(d.log.String(), "nme")
	})
	if !strings.Contains(body, "Terraform modules") {
		t.Errorf("after a broken change the model was told %s", body)
	}
	fakes.vault.set("/parley/profiles", strings.Replace(deployedProfiles, "You know our Terraform modules.", "You know Pulumi.", 1))
	d.eventually("the change", 2*time.Minute, func() bool { return strings.Contains(told(), "Pulumi") })
}

// askDingTalk has a person ask in a group, and waits for the answer.
func (d *deployment) askDingTalk(group, text string) {
	d.Helper()
	r, err := http.NewRequest(http.MethodPost, d.front.URL+"/dingtalk/messages", bytes.NewReader(d.ding.Said(dingtest.Inbound{Text: text, Group: group, MsgID: "m1"})))
	if err != nil {
		d.Fatal(err)
	}
	r.Header = d.ding.Headers()
	if status := d.do(r); status != http.StatusOK {
		d.Fatalf("answered %d", status)
	}
	d.eventually("the answer", 0, func() bool { return len(d.ding.Posts(group)) > 0 })
}
