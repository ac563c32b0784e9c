package dingapi

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley/pkg/chat"
	"parley/pkg/dingtalk"
	"parley/pkg/dingtalk/dingtest"
	"parley/pkg/pipeline"
)

// rig is a Poster, the DingTalk it posts to and the responder's half.
type rig struct {
	t       *testing.T
	dt      *dingtest.Server
	c       *Client
	poster  *Poster
	journal *journal
	log     *strings.Builder
	seq     int
}

func newRig(t *testing.T, o dingtest.Options, template string) *rig {
	r := &rig{t: t, dt: dingtest.New(o), journal: &journal{until: map[string]time.Time{}}, log: &strings.Builder{}}
	c, err := New(Config{
		ClientID: r.dt.ClientID, Secret: func(context.Context) (string, error) { return r.dt.Secret, nil },
		CardTemplateID: template, HTTPClient: &http.Client{Transport: r.dt.Transport()},
		Metrics: r.journal, Log: slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatal(err)
	}
	r.c, r.poster = c, NewPoster(c)
	return r
}

// journal is a delivery record in memory.
type journal struct {
	mu      sync.Mutex
	at      pipeline.Placement
	writes  int
	fail    error
	until   map[string]time.Time
	metrics []string
}

func (j *journal) Checkpoint(_ context.Context, at pipeline.Placement) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.fail != nil {
		return j.fail
	}
	j.at = at
	j.writes++
	return nil
}
func (j *journal) Owner(context.Context, string) (string, error) { return "", nil }
func (j *journal) NotBefore(m string) time.Time                  { return j.until[m] }
func (j *journal) Throttle(m string, until time.Time)            { j.until[m] = until }
func (j *journal) Measure(name string, _ float64, _ ...string)   { j.metrics = append(j.metrics, name) }

// ask makes a person ask, and returns the message as the worker has it.
func (r *rig) ask(in dingtest.Inbound) chat.Message {
	r.t.Helper()
	if in.Text == "" {
		in.Text = "why?"
	}
	p := dingtalk.NewParser(dingtalk.Config{})
	parsed, err := p.Message(r.dt.Said(in), time.Now())
	if err != nil {
		r.t.Fatal(err)
	}
	return parsed.Messages[0]
}

// reply makes the next snapshot of the answer to m.
func (r *rig) reply(m chat.Message, kind chat.ReplyKind, md string) chat.Reply {
	r.seq++
	return chat.Reply{MessageID: m.ID, Conversation: m.Conversation, Fence: 1, Seq: r.seq, Kind: kind,
		Markdown: md, Language: "en", Asker: m.Author, AskedAt: m.SentAt, Route: m.Route}
}

// post shows a snapshot, from where the journal stands, as the responder does.
func (r *rig) post(reply chat.Reply) error {
	r.t.Helper()
	at, err := r.poster.Post(r.t.Context(), pipeline.PostRequest{Reply: reply, At: r.journal.at}, r.journal)
	r.journal.at = at
	return err
}

func (r *rig) must(reply chat.Reply) {
	r.t.Helper()
	if err := r.post(reply); err != nil {
		r.t.Fatalf("post %s: %v", reply.Kind, err)
	}
}

// done checks what nobody may ever see: violations, and secrets in the log.
func (r *rig) done() {
	r.t.Helper()
	for _, v := range r.dt.Violations() {
		r.t.Error("violation:", v)
	}
	for _, secret := range []string{r.dt.Secret, "session=", "token-", "sendBySession", "signature="} {
		if strings.Contains(r.log.String(), secret) {
			r.t.Errorf("the log holds %q:\n%s", secret, r.log)
		}
	}
}

// sees compares what people see, as "via state text".
func (r *rig) sees(conversation string, want ...string) {
	r.t.Helper()
	var got []string
	for _, p := range r.dt.Posts(conversation) {
		got = append(got, strings.Join(strings.Fields(p.Via+" "+p.State+" "+p.Text), " "))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		r.t.Errorf("people in %s see (-want +got):\n%s", conversation, diff)
	}
}

const (
	group = "cidGroup=="
	staff = "manager4821"
)

func TestFinalInAGroupMentionsTheAsker(t *testing.T) {
	r := newRig(t, dingtest.Options{}, "")
	defer r.done()
	m := r.ask(dingtest.Inbound{Group: group})
	r.must(r.reply(m, chat.Final, "Because."))
	r.sees(group, "webhook @manager4821 Because.")
	if p := r.dt.Posts(group)[0]; !slices.Equal(p.Mentions, []string{staff}) || p.Title != "Because." {
		t.Errorf("mentions %v, title %q", p.Mentions, p.Title)
	}
}

// A notice to a group, which nobody asked for, needs no webhook and mentions nobody.
func TestNoticeToAGroup(t *testing.T) {
	for _, template := range []string{"", "template-1.schema"} {
		r := newRig(t, dingtest.Options{}, template)
		r.ask(dingtest.Inbound{Group: group}) // the robot is in the group
		reply := chat.Reply{
			MessageID: "refresh:1", Conversation: chat.Conversation{Platform: chat.DingTalk, Channel: group}, Fence: 1, Seq: 1, Kind: chat.Notice,
			Markdown: "The documents could not be read.", Route: dingtalk.Route{ConversationType: dingtalk.Group, ConversationID: group}.JSON(),
		}
		r.must(reply)
		r.must(reply)
		posts := r.dt.Posts(group)
		if len(posts) != 1 || !strings.Contains(posts[0].Text, "The documents could not be read.") || len(posts[0].Mentions) > 0 {
			t.Errorf("with template %q the group sees %+v", template, posts)
		}
		r.done()
	}
}

func TestDirectChatHasNoMention(t *testing.T) {
	r := newRig(t, dingtest.Options{}, "")
	defer r.done()
	r.must(r.reply(r.ask(dingtest.Inbound{}), chat.Final, "Because."))
	r.sees(staff, "webhook Because.")
	if p := r.dt.Posts(staff)[0]; len(p.Mentions) != 0 {
		t.Errorf("mentions %v", p.Mentions)
	}
}

// Nothing but a reaction precedes the final where posts cannot be edited, and it
// is gone once the answer is there.
func TestOnlyAReactionPrecedesTheFinal(t *testing.T) {
	r := newRig(t, dingtest.Options{}, "")
	defer r.done()
	m := r.ask(dingtest.Inbound{MsgID: "m1", Group: group})
	r.must(r.reply(m, chat.Working, ""))
	r.must(r.reply(m, chat.Working, "The model is busy."))
	r.must(r.reply(m, chat.Partial, "Be"))
	r.sees(group)
	if got := r.dt.Reactions("m1"); len(got) != 1 || r.dt.Calls(dingtest.React) != 1 {
		t.Errorf("reactions %v after %d calls", got, r.dt.Calls(dingtest.React))
	}
	r.must(r.reply(m, chat.Final, "Because."))
	r.sees(group, "webhook @manager4821 Because.")
	if got := r.dt.Reactions("m1"); len(got) != 0 || r.journal.at.Sign {
		t.Errorf("reactions %v remain", got)
	}
}

func TestReactionIsBestEffort(t *testing.T) {
	r := newRig(t, dingtest.Options{}, "")
	defer r.done()
	m := r.ask(dingtest.Inbound{MsgID: "m1"})
	r.dt.Fail(dingtest.React, 1, dingtest.FaultCutDone)
	if err := r.post(r.reply(m, chat.Working, "")); err == nil {
		t.Error("a cut call succeeded")
	}
	r.dt.Fail(dingtest.Unreact, 1, dingtest.FaultUnknown)
	r.must(r.reply(m, chat.Final, "Because."))
	if got := r.dt.Reactions("m1"); len(got) != 0 {
		t.Errorf("a reaction of unknown outcome stays: %v", got)
	}
	r.dt.Fail(dingtest.Unreact, 0, dingtest.FaultUnknown)
	m = r.ask(dingtest.Inbound{MsgID: "m2"})
	r.journal.at = pipeline.Placement{}
	r.must(r.reply(m, chat.Working, ""))
	r.must(r.reply(m, chat.Final, "Because."))
}

// Posting the same snapshot from the placement it led to changes nothing.
func TestPostIsDeclarative(t *testing.T) {
	for _, template := range []string{"", "t.schema"} {
		for _, kind := range []chat.ReplyKind{chat.Final, chat.Failed, chat.Stopped, chat.Notice} {
			r := newRig(t, dingtest.Options{}, template)
			reply := r.reply(r.ask(dingtest.Inbound{Group: group}), kind, strings.Repeat("A paragraph.\n\n", 600))
			r.must(reply)
			before := r.dt.Posts(group)
			if len(before) < 2 {
				t.Fatalf("the answer has %d parts", len(before))
			}
			r.must(reply)
			if diff := cmp.Diff(before, r.dt.Posts(group), cmp.AllowUnexported(dingtest.Post{})); diff != "" {
				t.Errorf("%s %q: %s", kind, template, diff)
			}
			r.done()
		}
	}
}

func TestWebhookFallsBackToTheOpenAPI(t *testing.T) {
	for name, prepare := range map[string]func(*rig) dingtest.Inbound{
		"expired by its own time": func(r *rig) dingtest.Inbound { return dingtest.Inbound{WebhookLife: 59 * time.Second} },
		"expired early": func(r *rig) dingtest.Inbound {
			r.dt.Fail(dingtest.Webhook, 1, dingtest.FaultExpired)
			return dingtest.Inbound{}
		},
		"too fast": func(r *rig) dingtest.Inbound {
			r.dt.Fail(dingtest.Webhook, 1, dingtest.FaultTooFast)
			return dingtest.Inbound{}
		},
		"busy": func(r *rig) dingtest.Inbound {
			r.dt.Fail(dingtest.Webhook, 1, dingtest.FaultBusy)
			return dingtest.Inbound{}
		},
		"none":    func(*rig) dingtest.Inbound { return dingtest.Inbound{Fields: map[string]any{"sessionWebhook": nil}} },
		"foreign": func(*rig) dingtest.Inbound { return dingtest.Inbound{} },
	} {
		for _, where := range []string{group, ""} {
			t.Run(name+" "+where, func(t *testing.T) {
				r := newRig(t, dingtest.Options{}, "")
				defer r.done()
				in := prepare(r)
				in.Group, in.Nick = where, "Li Na"
				m := r.ask(in)
				if name == "foreign" {
					// A parser would have dropped it; a letter may be older than the parser.
					m.Route = json.RawMessage(strings.Replace(string(m.Route), "oapi.dingtalk.com", "evil.example", 1))
				}
				r.must(r.reply(m, chat.Final, "Because."))
				if where == group {
					r.sees(group, "openapi @Li Na Because.")
				} else {
					r.sees(staff, "openapi Because.")
				}
			})
		}
	}
}

func TestPeopleOutsideTheOrganisation(t *testing.T) {
	r := newRig(t, dingtest.Options{}, "t.schema")
	defer r.done()
	m := r.ask(dingtest.Inbound{Fields: map[string]any{"senderStaffId": nil}})
	r.must(r.reply(m, chat.Final, "Because."))
	r.sees(staff, "webhook Because.")

	r.journal.at = pipeline.Placement{}
	m = r.ask(dingtest.Inbound{WebhookLife: time.Second, Fields: map[string]any{"senderStaffId": nil}})
	if e := pipeline.Classify(r.post(r.reply(m, chat.Final, "Because."))); !e.Permanent {
		t.Errorf("unreachable person: %v, want a permanent error", e)
	}
}

// A success with the person in a list is no delivery.
func TestBatchSendLists(t *testing.T) {
	for list, permanent := range map[string]bool{dingtest.Invalid: true, dingtest.Filtered: true, dingtest.FlowControlled: false} {
		r := newRig(t, dingtest.Options{}, "")
		m := r.ask(dingtest.Inbound{WebhookLife: time.Second})
		r.dt.Refuse(staff, list)
		e := pipeline.Classify(r.post(r.reply(m, chat.Final, "Because.")))
		if e.Permanent != permanent || e.Throttled == permanent {
			t.Errorf("%s: %+v", list, e)
		}
		if r.journal.at.Intent != nil {
			t.Errorf("%s: a refused post left an intent", list)
		}
		r.dt.Refuse(staff, "")
		r.must(r.reply(m, chat.Final, "Because."))
		r.sees(staff, "openapi Because.")
		r.done()
	}
}

// Every way a post can end, and what the next delivery of the snapshot makes of
// it: at least once, measured wherever it may have been twice.
func TestInterruptedPost(t *testing.T) {
	const once, twice = "webhook Because.", "twice"
	for _, c := range []struct {
		name    string
		fault   dingtest.Fault
		want    []string
		unknown bool
	}{
		{"cut before", dingtest.FaultCut, []string{once}, true},
		{"cut after", dingtest.FaultCutDone, []string{once, once}, true},
		{"504, not done", dingtest.FaultTimeout, []string{once}, true},
		{"504, done", dingtest.FaultTimeoutDone, []string{once, once}, true},
		{"an answer that is none", dingtest.Fault{Status: 200, Body: "<html>", Apply: true}, []string{once, once}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, dingtest.Options{}, "")
			defer r.done()
			reply := r.reply(r.ask(dingtest.Inbound{}), chat.Final, "Because.")
			r.dt.Fail(dingtest.Webhook, 1, c.fault)
			err := r.post(reply)
			if errors.Is(err, pipeline.ErrOutcomeUnknown) != c.unknown || err == nil {
				t.Fatalf("err = %v", err)
			}
			for _, secret := range []string{"session", "oapi.dingtalk.com"} {
				if strings.Contains(strings.ReplaceAll(err.Error(), "session webhook", ""), secret) {
					t.Errorf("the error holds the webhook: %v", err)
				}
			}
			r.must(reply)
			r.sees(staff, c.want...)
			if !slices.Contains(r.journal.metrics, pipeline.MetricMaybeDuplicate) {
				t.Error("a possible duplicate was not measured")
			}
			r.must(reply)
			r.sees(staff, c.want...)
		})
	}
}

// A process that dies between intent and record leaves the intent behind.
func TestIntentOfADeadProcess(t *testing.T) {
	r := newRig(t, dingtest.Options{}, "")
	defer r.done()
	reply := r.reply(r.ask(dingtest.Inbound{}), chat.Final, "Because.")
	r.must(reply)
	if r.journal.writes != 1 {
		t.Errorf("%d checkpoints for one post, want 1", r.journal.writes)
	}
	r.journal.mu.Lock()
	r.journal.at = pipeline.Placement{Mode: modeMessage, Intent: &pipeline.Intent{Method: intentMessage, At: time.Now()}}
	r.journal.mu.Unlock()
	r.must(reply)
	r.sees(staff, "webhook Because.", "webhook Because.")
	if !slices.Contains(r.journal.metrics, pipeline.MetricMaybeDuplicate) {
		t.Error("a possible duplicate was not measured")
	}
}

// Without a record of the intent nothing is posted.
func TestNoIntentNoPost(t *testing.T) {
	r := newRig(t, dingtest.Options{}, "")
	r.journal.fail = errors.New("the store is down")
	if err := r.post(r.reply(r.ask(dingtest.Inbound{}), chat.Final, "Because.")); err == nil {
		t.Error("posted without a record")
	}
	r.sees(staff)
}

func TestLongAnswerIsSplitAndResumed(t *testing.T) {
	r := newRig(t, dingtest.Options{}, "")
	defer r.done()
	code := "```go\n" + strings.Repeat("fmt.Println(\"<答案>\")\n", 500) + "```\n"
	reply := r.reply(r.ask(dingtest.Inbound{Group: group}), chat.Final, "Here:\n\n"+code+"\nThat is all.")
	r.dt.Fail(dingtest.Webhook, 2, dingtest.FaultCut)
	if err := r.post(reply); err == nil {
		t.Fatal("a cut call succeeded")
	}
	shown := len(r.dt.Posts(group))
	if shown != 1 {
		t.Fatalf("%d parts before the cut, want 1", shown)
	}
	r.must(reply)
	posts := r.dt.Posts(group)
	for i, p := range posts {
		if n := strings.Count(p.Text, "```"); n%2 != 0 {
			t.Errorf("part %d has an open fence", i)
		}
		if strings.HasPrefix(p.Text, "@") != (i == 0) {
			t.Errorf("part %d begins with %q", i, p.Text[:20])
		}
	}
	if len(posts) < 3 || !strings.Contains(posts[len(posts)-1].Text, "That is all.") {
		t.Errorf("%d parts, the last ends %q", len(posts), posts[len(posts)-1].Text)
	}
	if got := strings.Count(strings.Join(texts(posts), ""), "<答案>"); got != 500 {
		t.Errorf("%d of 500 lines arrived", got)
	}
}

func texts(posts []dingtest.Post) []string {
	var out []string
	for _, p := range posts {
		out = append(out, p.Text)
	}
	return out
}

// A throttle is neither an error of the operator's nor waited out by trying.
func TestQPS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, dingtest.Options{}, "")
		defer r.done()
		m := r.ask(dingtest.Inbound{WebhookLife: time.Second})
		r.dt.Fail(dingtest.DirectSend, 1, dingtest.FaultQPS)
		for range 3 {
			e := pipeline.Classify(r.post(r.reply(m, chat.Final, "Because.")))
			if !e.Throttled || e.After <= 0 || e.After > time.Second {
				t.Fatalf("%+v, want to be throttled for up to a second", e)
			}
			time.Sleep(300 * time.Millisecond)
		}
		if n := r.dt.Calls(dingtest.DirectSend); n != 1 {
			t.Errorf("%d calls within the wait, want 1", n)
		}
		time.Sleep(time.Second)
		r.must(r.reply(m, chat.Final, "Because."))
		r.sees(staff, "openapi Because.")
	})
}

func TestErrorClasses(t *testing.T) {
	for name, c := range map[string]struct {
		fault     dingtest.Fault
		permanent bool
		throttled bool
		reason    pipeline.Reason
	}{
		"quota":    {dingtest.FaultQuota, true, false, pipeline.ReasonConfig},
		"scope":    {dingtest.FaultScope, true, false, pipeline.ReasonConfig},
		"punished": {dingtest.FaultPunished, false, true, pipeline.ReasonChat},
		"busy":     {dingtest.FaultBusy, false, false, pipeline.ReasonUnavailable},
		"unknown":  {dingtest.FaultUnknown, false, false, pipeline.ReasonUnavailable},
		"bad":      {dingtest.Fault{Status: 400, Body: `{"code":"invalidParameter"}`}, true, false, pipeline.ReasonChat},
	} {
		r := newRig(t, dingtest.Options{}, "")
		m := r.ask(dingtest.Inbound{Group: group, WebhookLife: time.Second})
		r.dt.Fail(dingtest.GroupSend, 1, c.fault)
		err := r.post(r.reply(m, chat.Final, "Because."))
		e := pipeline.Classify(err)
		if err == nil || e.Permanent != c.permanent || e.Throttled != c.throttled || e.Reason != c.reason {
			t.Errorf("%s: %+v (%v)", name, e, err)
		}
		if name == "scope" && !strings.Contains(err.Error(), "Card.Streaming.Write") {
			t.Errorf("the missing permission is not named: %v", err)
		}
	}
}

func TestReplayInMessagesRecallsTheApology(t *testing.T) {
	r := newRig(t, dingtest.Options{}, "")
	defer r.done()
	m := r.ask(dingtest.Inbound{WebhookLife: time.Second})
	r.must(r.reply(m, chat.Failed, "Sorry."))
	answer := r.reply(m, chat.Final, "Because.")
	answer.Fence = 2
	r.must(answer)
	r.sees(staff, "openapi Because.")
}

func TestWithdrawn(t *testing.T) {
	r := newRig(t, dingtest.Options{}, "")
	defer r.done()
	m := r.ask(dingtest.Inbound{Group: group, WebhookLife: time.Second})
	r.must(r.reply(m, chat.Final, "Because."))
	r.must(r.reply(m, chat.Withdrawn, ""))
	r.must(r.reply(m, chat.Withdrawn, ""))
	r.sees(group)
}

func TestNothingMentionsAnyone(t *testing.T) {
	r := newRig(t, dingtest.Options{}, "")
	defer r.done()
	r.must(r.reply(r.ask(dingtest.Inbound{Group: group}), chat.Final,
		"@all look [here](dtmd://dingtalkclient/sendMessage?content=reset) `@ALL`"))
	text := r.dt.Posts(group)[0].Text
	for _, bad := range []string{"@all", "@ALL", "dtmd:"} {
		if strings.Contains(text, bad) {
			t.Errorf("%q reached people in %q", bad, text)
		}
	}
}

func TestStoppedAndSources(t *testing.T) {
	r := newRig(t, dingtest.Options{}, "")
	defer r.done()
	m := r.ask(dingtest.Inbound{})
	stopped := r.reply(m, chat.Stopped, "Half an ans")
	stopped.Citations = []chat.Citation{{Number: 1, Title: "A [guide]", URL: "https://docs.example/a"}, {Number: 2, Title: "B", Heading: "Part [two]", URL: "javascript:x", Page: 3, Quote: "word for word"}}
	r.must(stopped)
	text := r.dt.Posts(staff)[0].Text
	for _, want := range []string{"Half an ans", "_Stopped._", "[1] [A (guide)](https://docs.example/a)", "[2] B › Part (two) (3)", "Say **sources** to read the passages."} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in %q", want, text)
		}
	}
	r.journal.at = pipeline.Placement{}
	r.must(r.reply(r.ask(dingtest.Inbound{}), chat.Stopped, ""))
	if got := r.dt.Posts(staff)[1].Text; got != "Stopped." {
		t.Errorf("stopped before a word: %q", got)
	}
}

func TestRouteThatCannotBeRead(t *testing.T) {
	r := newRig(t, dingtest.Options{}, "")
	reply := r.reply(r.ask(dingtest.Inbound{}), chat.Final, "x")
	reply.Route = json.RawMessage(`{}`)
	if e := pipeline.Classify(r.post(reply)); !e.Permanent {
		t.Errorf("%+v, want permanent", e)
	}
}
