package coldstart

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"parley/pkg/slack/slacktest"
	"parley/pkg/sqsqueue/sqstest"
)

// build builds a function as the Makefile does, for this machine. The empty one is
// built as the ingress is.
func build(t *testing.T, target string) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), filepath.Base(target))
	tags := "lambda.norpc"
	if name := filepath.Base(target); name == "ingress" || name == "empty" {
		tags += ",nethttpomithttp2"
	}
	cmd := exec.Command("go", "build", "-trimpath", "-tags", tags, "-ldflags", "-s -w", "-o", bin, target)
	cmd.Dir, cmd.Env = "../..", append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %s", target, out)
	}
	return bin
}

// ingress is the function with a queue and a secret behind it, and mentions in
// front of it.
func ingress(t *testing.T) *subject {
	t.Helper()
	queues := sqstest.New()
	endpoint, stop, err := queues.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	var urls [2]string
	for i, name := range []string{"requests.fifo", "control.fifo"} {
		if urls[i], err = queues.CreateQueue(sqstest.Config{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	secrets := vault(t)
	slack := slacktest.New(slacktest.Options{})
	slack.Check(t)
	return &subject{
		name: "ingress", binary: build(t, "./functions/ingress"),
		env: map[string]string{
			"REQUESTS_QUEUE_URL": urls[0], "CONTROL_QUEUE_URL": urls[1], "SLACK_SECRET_ARN": "arn",
			"AWS_ENDPOINT_URL_SQS": endpoint, "AWS_ENDPOINT_URL_SECRETS_MANAGER": secrets,
		},
		event: func() []byte {
			said := slack.Say("C0GENERAL1", "", "U0HUMAN001", "<@"+slacktest.DefaultBotUser+"> how are you?")
			return gatewayEvent(slack.EventMention(said))
		},
	}
}

// stage is a function behind a queue, given a batch of nothing: what it takes to
// start, with configuration, clients and secrets. What it does with a message is
// the model's time and the platform's.
func stage(t *testing.T, name string) *subject {
	t.Helper()
	secrets := vault(t)
	queue := func(name string) string { return "http://127.0.0.1/000000000000/" + name + ".fifo" }
	return &subject{
		name: name, binary: build(t, "./functions/"+name),
		env: map[string]string{
			"REQUESTS_QUEUE_URL": queue("requests"), "REPLIES_QUEUE_URL": queue("replies"), "REQUESTS_DLQ_URL": queue("requests-dlq"),
			"REPLIES_DLQ_URL": queue("replies-dlq"), "TABLE_NAME": "table", "SYSTEM_PROMPT_PARAMETER": "/prompt", "SLACK_SECRET_ARN": "arn",
			"AWS_ENDPOINT_URL": secrets,
		},
		event: func() []byte { return []byte(`{"Records":[]}`) },
	}
}

// vault is Secrets Manager, and Systems Manager's parameters, with one answer.
func vault(t *testing.T) (endpoint string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		_ = json.NewEncoder(w).Encode(map[string]any{
			"ARN": "arn", "CreatedDate": float64(time.Now().Unix()),
			"SecretString": `{"signing_secret":"` + slacktest.DefaultSecret + `","bot_token":"` + slacktest.DefaultToken + `"}`,
			"Parameter":    map[string]any{"Name": "/prompt", "Value": "Answer."},
		})
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// gatewayEvent is what API Gateway makes of Slack's request, in the size it has in
// production.
func gatewayEvent(in slacktest.Inbound) []byte {
	headers := map[string]string{
		"accept": "*/*", "accept-encoding": "gzip,deflate", "content-length": fmt.Sprint(len(in.Body)), "host": "abcdefghij.execute-api.us-east-1.amazonaws.com",
		"user-agent": "Slackbot 1.0 (+https://api.slack.com/robots)", "x-amzn-trace-id": "Root=1-67b3c1d0-0123456789abcdef01234567",
		"x-forwarded-for": "192.0.2.1", "x-forwarded-port": "443", "x-forwarded-proto": "https",
	}
	for name, values := range in.Header {
		headers[strings.ToLower(name)] = strings.Join(values, ",")
	}
	event, err := json.Marshal(map[string]any{
		"version": "2.0", "routeKey": "POST " + in.Path, "rawPath": in.Path, "rawQueryString": "", "headers": headers,
		"requestContext": map[string]any{
			"accountId": "123456789012", "apiId": "abcdefghij", "domainName": "abcdefghij.execute-api.us-east-1.amazonaws.com", "domainPrefix": "abcdefghij",
			"http":      map[string]any{"method": "POST", "path": in.Path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "Slackbot 1.0"},
			"requestId": "ABCdEFGHIJKLMNo=", "routeKey": "POST " + in.Path, "stage": "$default", "time": "21/Nov/2026:12:00:00 +0000", "timeEpoch": 1795262400000,
		},
		"body": string(in.Body), "isBase64Encoded": false,
	})
	if err != nil {
		panic(err) // strings always encode
	}
	return event
}
