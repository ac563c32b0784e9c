package sqstest_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"parley/pkg/sqsqueue/sqstest"
)

// conduct is how a queue server answers one awkward request: an error code, or
// "" for success. It holds for the fake and, unless gap, for ElasticMQ.
type conduct struct {
	name string
	ask  func(ctx context.Context, c *sqs.Client, url string) error
	want string
	gap  bool // ElasticMQ is laxer or stricter; SQS's documentation says so
}

func send(change func(*sqs.SendMessageInput)) func(context.Context, *sqs.Client, string) error {
	return func(ctx context.Context, c *sqs.Client, url string) error {
		in := &sqs.SendMessageInput{
			QueueUrl: &url, MessageBody: aws.String("m"), MessageGroupId: aws.String("g"), MessageDeduplicationId: aws.String(rand.Text()),
		}
		change(in)
		_, err := c.SendMessage(ctx, in)
		return err
	}
}

func attribute(name, kind, value string) func(*sqs.SendMessageInput) {
	return func(in *sqs.SendMessageInput) {
		in.MessageAttributes = map[string]types.MessageAttributeValue{name: {DataType: &kind, StringValue: &value}}
	}
}

func batch(ids ...string) func(context.Context, *sqs.Client, string) error {
	return func(ctx context.Context, c *sqs.Client, url string) error {
		var entries []types.SendMessageBatchRequestEntry
		for _, id := range ids {
			entries = append(entries, types.SendMessageBatchRequestEntry{
				Id: &id, MessageBody: aws.String("m"), MessageGroupId: aws.String("g"), MessageDeduplicationId: aws.String(rand.Text()),
			})
		}
		_, err := c.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: &url, Entries: entries})
		return err
	}
}

func receive(change func(*sqs.ReceiveMessageInput)) func(context.Context, *sqs.Client, string) error {
	return func(ctx context.Context, c *sqs.Client, url string) error {
		in := &sqs.ReceiveMessageInput{QueueUrl: &url}
		change(in)
		_, err := c.ReceiveMessage(ctx, in)
		return err
	}
}

var conducts = []conduct{
	{"a plain send", send(func(*sqs.SendMessageInput) {}), "", false},
	{"no group", send(func(in *sqs.SendMessageInput) { in.MessageGroupId = nil }), "MissingParameter", false},
	{"no deduplication id", send(func(in *sqs.SendMessageInput) { in.MessageDeduplicationId = nil }), "InvalidParameterValue", false},
	{"a long id", send(func(in *sqs.SendMessageInput) { in.MessageGroupId = aws.String(strings.Repeat("x", 129)) }), "InvalidParameterValue", false},
	{"an id of the longest length", send(func(in *sqs.SendMessageInput) { in.MessageGroupId = aws.String(strings.Repeat("x", 128)) }), "", false},
	{"an id with a space", send(func(in *sqs.SendMessageInput) { in.MessageGroupId = aws.String("a b") }), "InvalidParameterValue", false},
	{"punctuation in an id", send(func(in *sqs.SendMessageInput) { in.MessageGroupId = aws.String("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~") }), "", false},
	{"control characters", send(func(in *sqs.SendMessageInput) { in.MessageBody = aws.String("a\x01b") }), "InvalidMessageContents", false},
	{"a non-character", send(func(in *sqs.SendMessageInput) { in.MessageBody = aws.String("a\uffffb") }), "InvalidMessageContents", false},
	{"tab, newline and emoji", send(func(in *sqs.SendMessageInput) { in.MessageBody = aws.String("a\t\r\n🙂") }), "", false},
	{"an empty body", send(func(in *sqs.SendMessageInput) { in.MessageBody = aws.String("") }), "MissingParameter", false},
	{"a delay of its own", send(func(in *sqs.SendMessageInput) { in.DelaySeconds = 5 }), "InvalidParameterValue", false},
	{"a body over a mebibyte", send(func(in *sqs.SendMessageInput) { in.MessageBody = aws.String(strings.Repeat("x", 1<<20+1)) }), "InvalidParameterValue", false},
	{"an attribute", send(attribute("reason", "String", "v")), "", false},
	{"an attribute without a value", send(attribute("reason", "String", "")), "InvalidParameterValue", false},
	{"a reserved attribute", send(attribute("AWS.x", "String", "v")), "InvalidParameterValue", true},
	{"an attribute with a space", send(attribute("a b", "String", "v")), "InvalidParameterValue", true},
	{"eleven in a batch", batch("1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"), "TooManyEntriesInBatchRequest", false},
	{"one id twice in a batch", batch("1", "1"), "BatchEntryIdsNotDistinct", false},
	{"a batch", batch("1", "2"), "", false},
	{"eleven to receive", receive(func(in *sqs.ReceiveMessageInput) { in.MaxNumberOfMessages = 11 }), "InvalidParameterValue", false},
	{"a long wait", receive(func(in *sqs.ReceiveMessageInput) { in.WaitTimeSeconds = 21 }), "InvalidParameterValue", false},
	{"a senseless receipt", func(ctx context.Context, c *sqs.Client, url string) error {
		_, err := c.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: aws.String("x")})
		return err
	}, "ReceiptHandleIsInvalid", false},
	{"another queue", func(ctx context.Context, c *sqs.Client, url string) error {
		_, err := c.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: aws.String(url + "x.fifo"), ReceiptHandle: aws.String("x")})
		return err
	}, "QueueDoesNotExist", false},
}

// TestConduct holds the fake, and the emulator if it is there, to the same answers.
func TestConduct(t *testing.T) {
	s := sqstest.New()
	hold(t, s.Client(), false)
}

func TestConductOnEmulator(t *testing.T) {
	endpoint := os.Getenv("PARLEY_TEST_SQS_URL")
	if endpoint == "" {
		t.Skip("PARLEY_TEST_SQS_URL is not set; make test-emulators sets it")
	}
	hold(t, sqs.New(sqs.Options{
		Region: "us-east-1", BaseEndpoint: &endpoint, Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	}), true)
}

func hold(t *testing.T, client *sqs.Client, emulator bool) {
	out, err := client.CreateQueue(t.Context(), &sqs.CreateQueueInput{
		QueueName: aws.String(rand.Text() + ".fifo"), Attributes: map[string]string{"FifoQueue": "true", "VisibilityTimeout": "30"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range conducts {
		if c.gap && emulator {
			continue
		}
		got := code(c.ask(t.Context(), client, *out.QueueUrl))
		if emulator { // its codes differ, its verdicts do not
			got, c.want = verdict(got), verdict(c.want)
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	wantDigest(t, client, *out.QueueUrl)
}

func verdict(code string) string {
	if code == "" {
		return "accepted"
	}
	return "refused"
}

// code is an error's code, without the additions of some protocols.
func code(err error) string {
	if err == nil {
		return ""
	}
	var refused smithy.APIError
	if !errors.As(err, &refused) {
		return err.Error()
	}
	c := strings.TrimSuffix(strings.TrimPrefix(refused.ErrorCode(), "AWS.SimpleQueueService."), "Exception")
	if c == "NonExistentQueue" {
		return "QueueDoesNotExist"
	}
	return c
}

// digests is the digest of attributes that other implementations compute.
const digests = "ba1b5114797a74f98187afbb068a7181"

// wantDigest sends a message with attributes. The client checks the digest of
// bodies; that of attributes is for other languages' clients.
func wantDigest(t *testing.T, client *sqs.Client, url string) {
	t.Helper()
	out, err := client.SendMessage(t.Context(), &sqs.SendMessageInput{
		QueueUrl: &url, MessageBody: aws.String("m"), MessageGroupId: aws.String("g"), MessageDeduplicationId: aws.String("digest"),
		MessageAttributes: map[string]types.MessageAttributeValue{
			"stage":  {DataType: aws.String("String"), StringValue: aws.String("worker")},
			"reason": {DataType: aws.String("String"), StringValue: aws.String("模型")},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := aws.ToString(out.MD5OfMessageAttributes); got != digests {
		t.Errorf("digest of attributes is %q, want %q", got, digests)
	}
}

// Over a socket the fake is the same server.
func TestStart(t *testing.T) {
	s := sqstest.New()
	endpoint, stop, err := s.Start()
	if err != nil {
		t.Fatal(err)
	}
	client := sqs.New(sqs.Options{
		Region: "us-east-1", BaseEndpoint: &endpoint, Retryer: aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	})
	hold(t, client, false)
	url, err := s.CreateQueue(sqstest.Config{Name: "q.fifo"})
	if err != nil {
		t.Fatal(err)
	}
	s.Inject(func(string) sqstest.Fault { return sqstest.Fault{Lost: true} })
	if err := send(func(*sqs.SendMessageInput) {})(t.Context(), client, url); err == nil || code(err) == "" {
		t.Errorf("a lost answer: %v", err)
	}
	s.Inject(nil)
	out, err := client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &url})
	if err != nil || len(out.Messages) != 1 {
		t.Errorf("the send without an answer left %d messages, %v", len(out.Messages), err)
	}
	stop()
	if _, err := http.Get(endpoint); err == nil {
		t.Error("the server answers after it was stopped")
	}
}

// A mapping treats odd answers as Lambda does.
func TestMappingAnswers(t *testing.T) {
	cases := []struct {
		answer  string
		err     error
		acked   bool
		because string
	}{
		{answer: ``, acked: true, because: "no answer fails nothing"},
		{answer: `null`, acked: true, because: "nor does null"},
		{answer: `{"batchItemFailures":[]}`, acked: true, because: "nor an empty list"},
		{answer: `{"batchItemFailures":[{"itemIdentifier":""}]}`, because: "a blank id fails the batch"},
		{answer: `{"batchItemFailures":[{"itemIdentifier":"unknown"}]}`, because: "so does an unknown one"},
		{answer: `[]`, because: "and an answer of another shape"},
		{err: errors.New("crash"), because: "and a failed invoke"},
	}
	for _, c := range cases {
		synctest.Test(t, func(t *testing.T) {
			s := sqstest.New()
			url, err := s.CreateQueue(sqstest.Config{Name: "q.fifo", Visibility: time.Hour})
			if err != nil {
				t.Fatal(err)
			}
			if err := send(func(*sqs.SendMessageInput) {})(t.Context(), s.Client(), url); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error)
			go func() {
				done <- sqstest.Mapping{Server: s, QueueURL: url, Invoke: func(context.Context, []byte) ([]byte, error) {
					return []byte(c.answer), c.err
				}}.Run(ctx)
			}()
			time.Sleep(time.Minute)
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
			out, err := s.Client().GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: &url})
			if err != nil {
				t.Fatal(err)
			}
			if gone := out.Attributes["ApproximateNumberOfMessagesNotVisible"] == "0"; gone != c.acked {
				t.Errorf("%s: acknowledged is %v", c.because, gone)
			}
		})
	}
	if err := (sqstest.Mapping{Server: sqstest.New(), QueueURL: "none"}).Run(t.Context()); err == nil {
		t.Error("a queue that does not exist was mapped")
	}
}

// A batch takes all it can of one group before the next.
func TestBatchFillsByGroup(t *testing.T) {
	s := sqstest.New()
	url, err := s.CreateQueue(sqstest.Config{Name: "q.fifo"})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 6 {
		group := fmt.Sprint(i % 2)
		if err := send(func(in *sqs.SendMessageInput) { in.MessageGroupId = &group })(t.Context(), s.Client(), url); err != nil {
			t.Fatal(err)
		}
	}
	out, err := s.Client().ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
		QueueUrl: &url, MaxNumberOfMessages: 4, MessageSystemAttributeNames: []types.MessageSystemAttributeName{"All"},
	})
	if err != nil {
		t.Fatal(err)
	}
	var groups []string
	for _, m := range out.Messages {
		groups = append(groups, m.Attributes["MessageGroupId"])
	}
	if !slices.Equal(groups, []string{"0", "0", "0", "1"}) {
		t.Errorf("a batch of four holds the groups %v", groups)
	}
	if names := slices.Sorted(maps.Keys(out.Messages[0].Attributes)); len(names) != 7 {
		t.Errorf("system attributes are %v", names)
	}
}
