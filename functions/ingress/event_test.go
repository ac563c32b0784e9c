package main

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"parley/pkg/config"
	"parley/pkg/dingtalk"
	"parley/pkg/emf"
	"parley/pkg/pipeline"
	"parley/pkg/slack"
	"parley/pkg/slack/slacktest"
	"parley/pkg/sqsqueue/sqssend"
)

const queueURL = "https://sqs.us-east-1.amazonaws.com/123456789012/parley-requests.fifo"

// accepting is SQS as far as sends go: it keeps the last one.
type accepting struct{ last sending }

type sending struct{ QueueURL, MessageBody, MessageGroupID, MessageDeduplicationID string }

func (a *accepting) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := json.NewDecoder(r.Body).Decode(&a.last); err != nil {
		return nil, err
	}
	sum := md5.Sum([]byte(a.last.MessageBody))
	answer := fmt.Sprintf(`{"MessageId":"00000000-0000-4000-8000-000000000001","MD5OfMessageBody":%q}`, hex.EncodeToString(sum[:]))
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
		Body: io.NopCloser(strings.NewReader(answer)), Request: r,
	}, nil
}

// serving is the function over SQS, with the secret at hand.
func serving(t testing.TB) (gateway, pipeline.Outbox, *accepting) {
	t.Helper()
	cfg := awsConfig(config.AWS{Region: "us-east-1", AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret", SessionToken: "token"})
	service := &accepting{}
	cfg.HTTPClient = &http.Client{Transport: service}
	parser, err := slack.NewParser(slack.Config{Secrets: func() []string { return []string{slacktest.DefaultSecret} }})
	if err != nil {
		t.Fatal(err)
	}
	queue := sqssend.New(sqssend.NewClient(cfg), queueURL)
	return gateway{&pipeline.Ingress{
		Parsers: map[string]pipeline.Parser{slack.PathEvents: parser}, Requests: queue, Control: queue,
		Metrics: emf.New(io.Discard, "Parley", "ingress"), Log: slog.New(slog.NewJSONHandler(io.Discard, nil)),
	}}, queue, service
}

// mention is a mention as Slack sends it and API Gateway hands it over.
func mention(t testing.TB) []byte {
	t.Helper()
	server := slacktest.New(slacktest.Options{})
	server.Check(t)
	in := server.EventMention(server.Say("C0GENERAL1", "", "U0HUMAN001", "<@"+slacktest.DefaultBotUser+"> how are you?"))
	sample, err := os.ReadFile("testdata/event.json")
	if err != nil {
		t.Fatal(err)
	}
	var event map[string]any
	if err := json.Unmarshal(sample, &event); err != nil {
		t.Fatal(err)
	}
	headers := event["headers"].(map[string]any)
	for name, values := range in.Header {
		headers[strings.ToLower(name)] = values[0]
	}
	event["body"] = string(in.Body)
	payload, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

// A gateway's event is a signed request again: the question is in the queue
// before the answer is 200.
func TestMentionIsQueued(t *testing.T) {
	g, _, service := serving(t)
	answer, err := g.Invoke(t.Context(), mention(t))
	if err != nil || !strings.Contains(string(answer), `"statusCode":200`) {
		t.Fatalf("answered %s, %v", answer, err)
	}
	if body := service.last.MessageBody; service.last.QueueURL != queueURL || !strings.Contains(body, "how are you?") {
		t.Errorf("%q was sent to %s", body, service.last.QueueURL)
	}
}

// Every header that a parser reads gets to it.
func TestSignaturesArePassedOn(t *testing.T) {
	sent := slacktest.Inbound{Header: slacktest.Sign("secret", nil, time.Now())}.Retry(1, "http_timeout").Header
	sent.Del("X-Slack-Retry-Reason") // for people
	for _, name := range []string{dingtalk.HeaderTimestamp, dingtalk.HeaderSign, dingtalk.HeaderCardTimestamp, dingtalk.HeaderCardSign} {
		sent.Set(name, "value of "+name)
	}
	lower := map[string]string{}
	for name, values := range sent {
		lower[strings.ToLower(name)] = values[0]
	}
	payload, err := json.Marshal(map[string]any{"headers": lower})
	if err != nil {
		t.Fatal(err)
	}
	var e event
	if err := json.Unmarshal(payload, &e); err != nil {
		t.Fatal(err)
	}
	r, err := e.request()
	if err != nil {
		t.Fatal(err)
	}
	for name := range sent {
		if got, want := r.Header.Get(name), sent.Get(name); got != want {
			t.Errorf("%s arrives as %q, want %q", name, got, want)
		}
	}
}

func BenchmarkEvent(b *testing.B) {
	g, _, _ := serving(b)
	event := mention(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := g.Invoke(context.Background(), event); err != nil {
			b.Fatal(err)
		}
	}
}
