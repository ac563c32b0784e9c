package rehearsal

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrockagent"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"parley/pkg/bedrock"
	"parley/pkg/bedrock/bedrocktest"
	"parley/pkg/pipeline"
	"parley/pkg/slack"
	"parley/pkg/slack/slacktest"
)

// approver may have threads remembered.
const approver = "U0HUMAN002"

// The data sources of the stack's knowledge base, as the rehearsal calls them.
const documents, remembered = "DocumentsSource.DataSourceId", "RememberedSource.DataSourceId"

// deployKnowledge deploys with a knowledge base, and a model that drafts what it is
// asked to remember, and answers from the first passage it is given, citing it.
func deployKnowledge(t *testing.T) *deployment {
	d := deployWith(t, map[string]string{
		"CreateKnowledgeBase": "true", "Approvers": approver, "RememberDays": "30", "NoticeChannel": "slack:" + channel,
	})
	d.bedrock.AddSource(documents, "documents")
	d.bedrock.AddSource(remembered, "remembered")
	d.bedrock.Respond = func(c bedrocktest.Call) *bedrocktest.Response {
		if c.Operation != bedrocktest.OpConverseStream {
			return nil
		}
		if strings.HasPrefix(bedrocktest.LastText(c), "Summarise this discussion") {
			return bedrocktest.Answer("Q: How is the signing key rotated?\n", "A: Run rotate.sh every quarter; agreed in May.")
		}
		passage, ok := firstPassage(c)
		if !ok {
			return nil
		}
		return bedrocktest.Stream(bedrocktest.MessageStart(), bedrocktest.Text(0, passage), bedrocktest.Cite(0, 0),
			bedrocktest.BlockStop(0), bedrocktest.Stop("end_turn"), bedrocktest.Usage(10, 5))
	}
	return d
}

// firstPassage is the first search result that a call brings.
func firstPassage(c bedrocktest.Call) (string, bool) {
	var in struct {
		Messages []struct {
			Content []struct {
				SearchResult *struct{ Content []struct{ Text string } }
			}
		}
	}
	c.Decode(&in)
	for _, block := range in.Messages[len(in.Messages)-1].Content {
		if r := block.SearchResult; r != nil && len(r.Content) > 0 {
			text := strings.Split(strings.TrimSpace(r.Content[0].Text), "\n")
			return text[len(text)-1], true
		}
	}
	return "", false
}

// agent feeds the knowledge base as its owner does, which no role restricts.
func (d *deployment) agent(source string) *bedrock.Knowledge {
	k, err := bedrock.NewKnowledge(bedrockagent.NewFromConfig(d.cloud.config("bedrock")), "KnowledgeBase", source)
	if err != nil {
		d.Fatal(err)
	}
	return k
}

// tail is what stands below an answer.
func tail(m slacktest.Message) string { return string(m.Blocks) }

// press has a person press a button of the message.
func (d *deployment) press(m slacktest.Message, action, who string) {
	d.Helper()
	for _, b := range m.Buttons() {
		if b.ActionID == action {
			if status := d.send(d.slack.EventAction(m, b, who)); status != http.StatusOK {
				d.Fatalf("the press was answered %d", status)
			}
			return
		}
	}
	d.Fatalf("there is no button %s below %q", action, m.Text())
}

// A mention is answered from a document, with its title and address below and the
// passage on demand.
func TestAnswerWithCitations(t *testing.T) {
	d := deployKnowledge(t)
	const text, address = "Everybody has 25 days of leave.", "https://wiki.example/leave"
	if err := d.agent(documents).Ingest(t.Context(), pipeline.Document{ID: "leave", Request: "1", Title: "Handbook", URL: address, Text: text}); err != nil {
		t.Fatal(err)
	}
	a := d.answer(d.ask("how many days of leave are there?"), text, 0)
	if !strings.Contains(a.Text(), "[1]") || !strings.Contains(tail(a), address+"|Handbook") {
		t.Errorf("answered %q, with %s", a.Text(), tail(a))
	}
	d.press(a, slack.ActionPassages, person)
	d.eventually("the passage", 0, func() bool {
		for _, m := range d.slack.Ephemeral(channel, person) {
			if strings.Contains(m.Text(), "[1] Handbook") && strings.Contains(m.Text(), text) {
				return true
			}
		}
		return false
	})
}

// A thread is remembered once somebody who may has approved it, answers the next one who
// asks, with the thread as its source, and is forgotten again.
func TestThreadIsRememberedAndFound(t *testing.T) {
	d := deployKnowledge(t)
	root := d.slack.Say(channel, "", person, "How do we rotate the signing key?")
	d.slack.Say(channel, root.TS, approver, "Run rotate.sh, the old password: hunter22 is void then.")
	if status := d.send(d.slack.EventShortcut(root, slack.CallbackRemember, person)); status != http.StatusOK {
		t.Fatalf("the shortcut was answered %d", status)
	}
	draft := d.answer(root, "Run rotate.sh every quarter", 0)
	for _, c := range d.bedrock.Calls(bedrocktest.OpConverseStream) {
		if strings.Contains(string(c.Body), "hunter22") {
			t.Error("a password reached the model")
		}
	}
	d.press(draft, slack.ActionApprove, person)
	d.quiet()
	if held := d.bedrock.Documents(remembered); len(held) > 0 {
		t.Fatalf("kept without an approver: %v", held)
	}
	d.press(draft, slack.ActionApprove, approver)
	d.eventually("the document", 0, func() bool { return len(d.bedrock.Documents(remembered)) == 1 })
	link := "https://acme.slack.com/archives/" + channel + "/p" + strings.ReplaceAll(root.TS, ".", "")
	for _, document := range d.bedrock.Documents(remembered) {
		if document.Attributes["url"] != link || document.Attributes["expires"] == nil {
			t.Errorf("kept with %v", document.Attributes)
		}
	}
	d.quiet()
	a := d.answer(d.ask("how is the signing key rotated?"), "Run rotate.sh every quarter", 0)
	if !strings.Contains(a.Text(), "[1]") || !strings.Contains(tail(a), link) {
		t.Errorf("the next one was answered %q, with %s", a.Text(), tail(a))
	}
	forget := d.slack.Say(channel, root.TS, approver, "<@"+slacktest.DefaultBotUser+"> forget this thread")
	if status := d.send(d.slack.EventMention(forget)); status != http.StatusOK {
		t.Fatalf("answered %d", status)
	}
	d.eventually("forgetting", 0, func() bool { return len(d.bedrock.Documents(remembered)) == 0 })
}

// The schedule's message has the sources read, and a channel hears of the one that
// cannot be.
func TestScheduledSync(t *testing.T) {
	d := deployKnowledge(t)
	d.bedrock.Queue(bedrocktest.OpStartIngestion, bedrocktest.Fail(403, "AccessDeniedException", "the bucket is gone"))
	target := d.stack.Resources["SyncSchedule"].Properties["Target"].(map[string]any)
	begin := func(round string) {
		_, err := d.queues.SendMessage(t.Context(), &sqs.SendMessageInput{
			QueueUrl: aws.String(d.queueURL(fmt.Sprint(target["Arn"]))), MessageBody: aws.String(strings.ReplaceAll(fmt.Sprint(target["Input"]), "<aws.scheduler.scheduled-time>", round)),
			MessageGroupId:         aws.String(fmt.Sprint(target["SqsParameters"].(map[string]any)["MessageGroupId"])),
			MessageDeduplicationId: aws.String(round), // of its content, as the queue would make it
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	begin("2026-05-31T03:00:00Z")
	d.eventually("the notice", 0, func() bool {
		for _, m := range d.slack.Messages(channel) {
			if m.BotID != "" && m.ThreadTS == "" && strings.Contains(m.Text(), "documents") && strings.Contains(m.Text(), "the bucket is gone") {
				return true
			}
		}
		return false
	})
	if !logged(d, "SyncsFailed", 1) {
		t.Error("the failure is in no metric")
	}
	begin("2026-06-07T03:00:00Z")
	d.eventually("the next round", time.Minute, func() bool { return len(d.bedrock.Calls(bedrocktest.OpStartIngestion)) == 2 })
	for _, c := range d.bedrock.Calls(bedrocktest.OpStartIngestion) {
		if c.Source != documents {
			t.Errorf("%s was read", c.Source)
		}
	}
}

// logged reports whether a function wrote a metric with that value.
func logged(d *deployment, metric string, value float64) bool {
	for l := range strings.Lines(d.log.String()) {
		var entry map[string]any
		if json.Unmarshal([]byte(l), &entry) == nil && entry["_aws"] != nil && entry[metric] == value {
			return true
		}
	}
	return false
}
