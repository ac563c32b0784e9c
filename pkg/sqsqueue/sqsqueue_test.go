package sqsqueue_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
	"parley/pkg/sqsqueue"
	"parley/pkg/sqsqueue/sqstest"
)

// sent sends e through a fresh queue and returns it as received.
func sent(t *testing.T, e pipeline.Envelope) pipeline.Delivery {
	t.Helper()
	s := sqstest.New()
	q := sqsqueue.New(s.Client(), create(t, s, sqstest.Config{Name: "q.fifo"}))
	if err := q.Send(t.Context(), e); err != nil {
		t.Fatalf("Send: %v", err)
	}
	ds, err := q.Receive(t.Context(), 1, 0, time.Minute)
	if err != nil || len(ds) != 1 {
		t.Fatalf("Receive = %d messages, %v", len(ds), err)
	}
	return ds[0]
}

// What people type reaches the queue whatever characters it holds.
func TestSendBodies(t *testing.T) {
	text := "tab\t, control \x01\x1b, invalid \xff, non-characters \ufffe\uffff, quote \\\uffff, \u2028, 🙂"
	body, err := chat.EncodeMessage(chat.Message{ID: "slack:A:C:1", Kind: chat.KindAsk, Text: text})
	if err != nil {
		t.Fatal(err)
	}
	want, err := chat.DecodeMessage(body)
	if err != nil {
		t.Fatal(err)
	}
	got, err := chat.DecodeMessage(sent(t, pipeline.Envelope{Group: "g", DedupID: "d", Body: body}).Body)
	if err != nil || got.Text != want.Text {
		t.Errorf("text is %q, %v; want %q", got.Text, err, want.Text)
	}

	s := sqstest.New()
	q := sqsqueue.New(s.Client(), create(t, s, sqstest.Config{Name: "q.fifo"}))
	for _, body := range []string{"", "raw \x01", "broken \xff"} {
		err := q.Send(t.Context(), pipeline.Envelope{Group: "g", DedupID: "d", Body: []byte(body)})
		if e := pipeline.Classify(err); err == nil || !e.Permanent {
			t.Errorf("Send(%q): %v, want a permanent error", body, err)
		}
	}
	if n := s.Calls("SendMessage"); n != 0 {
		t.Errorf("%d bodies without a chance were sent", n)
	}
}

func TestSendIDs(t *testing.T) {
	for _, id := range []string{"", "slack:A012:C345", strings.Repeat("x", 128), strings.Repeat("x", 129), "with space", "天气", "new\nline"} {
		d := sent(t, pipeline.Envelope{Group: id, DedupID: id, Body: []byte("{}")})
		want := id
		if id == "" || len(id) > 128 || strings.ContainsAny(id, " \n天") {
			want = chat.Hash(id)
		}
		if d.Group != want || d.DedupID != want {
			t.Errorf("id %q arrives as group %q, dedup %q; want %q", id, d.Group, d.DedupID, want)
		}
	}
}

func TestSendAttributes(t *testing.T) {
	long := strings.Repeat("错", 400)
	cases := []struct{ name, value, wantName, wantValue string }{
		{"reason", "model", "reason", "model"},
		{"empty", "", "", ""},
		{"AWS.trace", "v", "_AWS.trace", "v"},
		{"amazon.x", "v", "_amazon.x", "v"},
		{".dotted..name.", "v", "_.dotted._name._", "v"},
		{"größe", "v", "gr__e", "v"},
		{"error", "line\x00 \ufffe\xff", "error", "line   \ufffd"},
		{"long", long, "long", strings.Repeat("错", 340) + "…"},
	}
	for _, c := range cases {
		d := sent(t, pipeline.Envelope{Group: "g", DedupID: "d", Body: []byte("{}"), Attributes: map[string]string{c.name: c.value}})
		want := map[string]string{c.wantName: c.wantValue}
		if c.wantName == "" {
			want = nil
		}
		if !maps.Equal(d.Attributes, want) {
			t.Errorf("attribute %q=%.20q arrives as %.60q", c.name, c.value, d.Attributes)
		}
	}
	many := map[string]string{}
	for i := range 12 {
		many[fmt.Sprintf("a%02d", i)] = "v"
	}
	d := sent(t, pipeline.Envelope{Group: "g", DedupID: "d", Body: []byte("{}"), Attributes: many})
	if len(d.Attributes) != 10 || d.Attributes["a09"] == "" || d.Attributes["a10"] != "" {
		t.Errorf("of 12 attributes arrive %v, want the first 10", d.Attributes)
	}
}

func FuzzSend(f *testing.F) {
	f.Add("group", "{}", "name", "value")
	f.Add("", "\uffff", "AWS.", "\x00")
	f.Add("ü", "{\"a\":\"\ufffe\"}", "..", "\xff")
	f.Fuzz(func(t *testing.T, id, body, name, value string) {
		s := sqstest.New()
		url, err := s.CreateQueue(sqstest.Config{Name: "q.fifo"})
		if err != nil {
			t.Fatal(err)
		}
		err = sqsqueue.New(s.Client(), url).Send(t.Context(), pipeline.Envelope{
			Group: id, DedupID: id, Body: []byte(body), Attributes: map[string]string{name: value},
		})
		if err != nil && s.Calls("SendMessage") > 0 && len(body)+len(name)+len(value) < 1<<19 {
			t.Errorf("SQS refused what Send let through: %v", err)
		}
	})
}

func TestErrorsAreClassified(t *testing.T) {
	s := sqstest.New()
	url := create(t, s, sqstest.Config{Name: "q.fifo"})
	cases := []struct {
		name  string
		fault sqstest.Fault
		want  pipeline.Error
	}{
		{"refused access", sqstest.Fault{Status: 403, Code: "AccessDenied"}, pipeline.Error{Permanent: true, Reason: pipeline.ReasonConfig}},
		{"no queue", sqstest.Fault{Status: 400, Code: "AWS.SimpleQueueService.NonExistentQueue"}, pipeline.Error{Permanent: true, Reason: pipeline.ReasonConfig}},
		{"expired receipt", sqstest.Fault{Status: 400, Code: "InvalidParameterValueException"}, pipeline.Error{Permanent: true, Reason: pipeline.ReasonStore}},
		{"throttled", sqstest.Fault{Status: 400, Code: "RequestThrottled"}, pipeline.Error{Throttled: true, Reason: pipeline.ReasonStore}},
		{"broken", sqstest.Fault{Status: 500, Code: "InternalError"}, pipeline.Error{Unknown: true, Reason: pipeline.ReasonStore}},
		{"no answer", sqstest.Fault{Lost: true}, pipeline.Error{Unknown: true, Reason: pipeline.ReasonStore}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s.Inject(func(string) sqstest.Fault { return c.fault })
				err := sqsqueue.New(s.Client(), url).Send(t.Context(), envelope("g", 1))
				if err == nil {
					t.Fatal("no error")
				}
				got := *pipeline.Classify(err)
				got.Err = nil
				if got != c.want {
					t.Errorf("%v\nis %+v, want %+v", err, got, c.want)
				}
			})
		})
	}
}

// A send whose answer is lost is repeated by the SDK and stored once.
func TestSendLostAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sqstest.New()
		q := sqsqueue.New(s.Client(), create(t, s, sqstest.Config{Name: "q.fifo"}))
		first := true
		s.Inject(func(action string) sqstest.Fault {
			lost := first && action == "SendMessage"
			first = false
			return sqstest.Fault{Lost: lost}
		})
		if err := q.Send(t.Context(), envelope("g", 1)); err != nil {
			t.Fatalf("Send: %v", err)
		}
		if n := s.Calls("SendMessage"); n != 2 {
			t.Fatalf("%d calls, want 2", n)
		}
		if d, err := q.Depth(t.Context()); err != nil || d.Visible != 1 {
			t.Errorf("Depth = %+v, %v; want one message", d, err)
		}
	})
}

// SQS counts in seconds, and what was asked for is the least.
func TestSecondsAreRoundedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sqstest.New()
		q := sqsqueue.New(s.Client(), create(t, s, sqstest.Config{Name: "q.fifo"}))
		if err := q.Send(t.Context(), envelope("g", 1)); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		ds, err := q.Receive(t.Context(), 1, time.Millisecond, 1200*time.Millisecond)
		if err != nil || len(ds) != 1 {
			t.Fatal(err)
		}
		ds, err = q.Receive(t.Context(), 1, 20*time.Second, time.Minute)
		if took := time.Since(start); err != nil || len(ds) != 1 || took != 2*time.Second {
			t.Fatalf("hidden for 1.2s, it came back after %v: %v", took, err)
		}
		if err := q.Extend(t.Context(), ds[0], time.Millisecond); err != nil {
			t.Fatal(err)
		}
		start = time.Now()
		ds, err = q.Receive(t.Context(), 1, 20*time.Second, time.Minute)
		if took := time.Since(start); err != nil || len(ds) != 1 || took != time.Second {
			t.Errorf("extended by 1ms, it came back after %v: %v", took, err)
		}
	})
}

func TestDepth(t *testing.T) {
	s := sqstest.New()
	q := sqsqueue.New(s.Client(), create(t, s, sqstest.Config{Name: "q.fifo"}))
	for i := range 3 {
		if err := q.Send(t.Context(), envelope("g", i)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := q.Receive(t.Context(), 1, 0, time.Minute); err != nil {
		t.Fatal(err)
	}
	if d, err := q.Depth(t.Context()); err != nil || d.Visible != 2 || d.InFlight != 1 {
		t.Errorf("Depth = %+v, %v; want 2 visible, 1 in flight", d, err)
	}
}

// A queue that does not answer must not cost a platform its acknowledgement.
func TestAckClientIsBounded(t *testing.T) {
	block := make(chan struct{})
	defer close(block)
	attempts := 0
	synctest.Test(t, func(t *testing.T) {
		client := sqsqueue.NewAckClient(aws.Config{
			Region: "us-east-1",
			Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: "a", SecretAccessKey: "s"}, nil
			}),
			HTTPClient: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				attempts++
				<-r.Context().Done()
				return nil, r.Context().Err()
			})},
		})
		start := time.Now()
		err := sqsqueue.New(client, "https://sqs.us-east-1.amazonaws.com/1/q.fifo").Send(t.Context(), envelope("g", 1))
		if took := time.Since(start); err == nil || took > 1900*time.Millisecond || attempts != 2 {
			t.Errorf("Send ended after %v and %d attempts with %v; want two attempts within 1.9s", took, attempts, err)
		}
		if !errors.Is(err, pipeline.ErrOutcomeUnknown) {
			t.Errorf("%v does not say that the outcome is unknown", err)
		}
	})
	if c := sqsqueue.NewAckClient(aws.Config{}); c == nil {
		t.Error("no client without an HTTP client")
	}
}

// What Send adds to the SDK's call is little: it is on the acknowledgement path.
func TestSendAllocatesLittle(t *testing.T) {
	s := sqstest.New()
	url := create(t, s, sqstest.Config{Name: "q.fifo"})
	client := s.Client()
	e := envelope(chat.Hash("group"), 1)
	raw := testing.AllocsPerRun(50, func() {
		_, err := client.SendMessage(t.Context(), &sqs.SendMessageInput{
			QueueUrl: &url, MessageBody: aws.String(string(e.Body)), MessageGroupId: &e.Group, MessageDeduplicationId: &e.DedupID,
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	q := sqsqueue.New(client, url)
	ours := testing.AllocsPerRun(50, func() {
		if err := q.Send(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	})
	if ours-raw > 10 {
		t.Errorf("Send takes %v allocations, the call alone %v", ours, raw)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// The default client is bounded as well: it is what runs on Lambda.
func TestAckClientDefaultIsBounded(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client := sqsqueue.NewAckClient(aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String("http://" + l.Addr().String()),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "a", SecretAccessKey: "s"}, nil
		}),
	})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	err = sqsqueue.New(client, "http://"+l.Addr().String()+"/1/q.fifo").Send(ctx, envelope("g", 1))
	if err == nil || ctx.Err() != nil {
		t.Errorf("Send to a silent server: %v, want it to give up by itself", err)
	}
}
