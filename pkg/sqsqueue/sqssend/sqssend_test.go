package sqssend_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/go-cmp/cmp"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
	"parley/pkg/sqsqueue"
	"parley/pkg/sqsqueue/sqssend"
	"parley/pkg/sqsqueue/sqstest"
)

// outboxes are the two ways into the queue at url: ours and the SDK's. What holds
// of one holds of the other.
func outboxes(s *sqstest.Server, url string) map[string]pipeline.Outbox {
	return map[string]pipeline.Outbox{
		"sqssend":  sqssend.New(sqssend.NewClient(s.Config()), url),
		"sqsqueue": sqsqueue.New(s.Client(), url),
	}
}

func create(t testing.TB, s *sqstest.Server) string {
	t.Helper()
	url, err := s.CreateQueue(sqstest.Config{Name: "q.fifo"})
	if err != nil {
		t.Fatal(err)
	}
	return url
}

// sent sends e in both ways, each through a fresh queue, and returns it as received.
func sent(t *testing.T, e pipeline.Envelope) pipeline.Delivery {
	t.Helper()
	got := map[string]pipeline.Delivery{}
	for _, name := range []string{"sqssend", "sqsqueue"} {
		s := sqstest.New()
		url := create(t, s)
		if err := outboxes(s, url)[name].Send(t.Context(), e); err != nil {
			t.Fatalf("Send: %v", err)
		}
		ds, err := sqsqueue.New(s.Client(), url).Receive(t.Context(), 1, 0, time.Minute)
		if err != nil || len(ds) != 1 {
			t.Fatalf("Receive = %d messages, %v", len(ds), err)
		}
		ds[0].SentAt, ds[0].FirstSeen = time.Time{}, time.Time{}
		got[name] = ds[0]
	}
	if diff := cmp.Diff(got["sqsqueue"], got["sqssend"]); diff != "" {
		t.Errorf("the SDK sends another message (-SDK +ours):\n%s", diff)
	}
	return got["sqssend"]
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
	for name, q := range outboxes(s, create(t, s)) {
		for _, body := range []string{"", "raw \x01", "broken \xff"} {
			err := q.Send(t.Context(), pipeline.Envelope{Group: "g", DedupID: "d", Body: []byte(body)})
			if e := pipeline.Classify(err); err == nil || !e.Permanent {
				t.Errorf("%s: Send(%q): %v, want a permanent error", name, body, err)
			}
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
		for way, q := range outboxes(s, create(t, s)) {
			err := q.Send(t.Context(), pipeline.Envelope{
				Group: id, DedupID: id, Body: []byte(body), Attributes: map[string]string{name: value},
			})
			if err != nil && s.Calls("SendMessage") > 0 && len(body)+len(name)+len(value) < 1<<19 {
				t.Errorf("%s: SQS refused what Send let through: %v", way, err)
			}
		}
	})
}

// The SDK's errors and ours mean the same to settlement.
func TestErrorsAreClassified(t *testing.T) {
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
		synctest.Test(t, func(t *testing.T) {
			s := sqstest.New()
			s.Inject(func(string) sqstest.Fault { return c.fault })
			for way, q := range outboxes(s, "http://sqs.test/000000000000/q.fifo") {
				err := q.Send(t.Context(), pipeline.Envelope{Group: "g", DedupID: "d", Body: []byte("{}")})
				if err == nil {
					t.Fatal("no error")
				}
				got := *pipeline.Classify(err)
				got.Err = nil
				if got != c.want {
					t.Errorf("%s, %s: %v\nis %+v, want %+v", c.name, way, err, got, c.want)
				}
			}
		})
	}
}

// A send whose answer is lost is repeated and stored once.
func TestSendLostAnswer(t *testing.T) {
	for _, way := range []string{"sqssend", "sqsqueue"} {
		synctest.Test(t, func(t *testing.T) {
			s := sqstest.New()
			url := create(t, s)
			calls := 0
			s.Inject(func(string) sqstest.Fault { calls++; return sqstest.Fault{Lost: calls == 1} })
			if err := outboxes(s, url)[way].Send(t.Context(), pipeline.Envelope{Group: "g", DedupID: "d", Body: []byte("{}")}); err != nil {
				t.Fatalf("%s: Send: %v", way, err)
			}
			if n := s.Calls("SendMessage"); n != 2 {
				t.Fatalf("%s: %d calls, want 2", way, n)
			}
			if d, err := sqsqueue.New(s.Client(), url).Depth(t.Context()); err != nil || d.Visible != 1 {
				t.Errorf("%s: Depth = %+v, %v; want one message", way, d, err)
			}
		})
	}
}

// On the wire a send is what the SDK makes of it.
func TestSendIsTheSDKs(t *testing.T) {
	type wire struct {
		Method, URL, Target, Type string
		Body                      map[string]any
	}
	var last wire
	cfg := sqstest.New().Config()
	cfg.HTTPClient = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		last = wire{Method: r.Method, URL: r.URL.String(), Target: r.Header.Get("X-Amz-Target"), Type: r.Header.Get("Content-Type")}
		if err := json.NewDecoder(r.Body).Decode(&last.Body); err != nil {
			t.Error(err)
		}
		return nil, errors.New("seen enough")
	})}
	e := pipeline.Envelope{Group: "g", DedupID: "d", Body: []byte(`{"a":"<&>é"}`), Attributes: map[string]string{"reason": "model"}}
	const url = "https://sqs.us-east-1.amazonaws.com/1/q.fifo"
	synctest.Test(t, func(t *testing.T) {
		_ = sqsqueue.New(sqs.NewFromConfig(cfg), url).Send(t.Context(), e)
		want := last
		_ = sqssend.New(sqssend.NewClient(cfg), url).Send(t.Context(), e)
		if diff := cmp.Diff(want, last); diff != "" || want.Method == "" {
			t.Errorf("(-SDK +ours):\n%s", diff)
		}
	})
}

// A queue that does not answer must not cost a platform its acknowledgement.
func TestSendIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		attempts := 0
		cfg := sqstest.New().Config()
		cfg.HTTPClient = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			attempts++
			<-r.Context().Done()
			return nil, r.Context().Err()
		})}
		start := time.Now()
		err := sqssend.New(sqssend.NewClient(cfg), "https://sqs.us-east-1.amazonaws.com/1/q.fifo").Send(t.Context(), pipeline.Envelope{Body: []byte("{}")})
		if took := time.Since(start); err == nil || took > 1900*time.Millisecond || attempts != 2 {
			t.Errorf("Send ended after %v and %d attempts with %v; want two attempts within 1.9s", took, attempts, err)
		}
		if !errors.Is(err, pipeline.ErrOutcomeUnknown) {
			t.Errorf("%v does not say that the outcome is unknown", err)
		}
	})
}

// Success is what a queue says of this very message, not any answer that is 200.
func TestSendBelievesQueuesOnly(t *testing.T) {
	for _, answer := range []string{"", "<html>Welcome</html>", "{}", `{"MD5OfMessageBody":"d41d8cd98f00b204e9800998ecf8427e"}`} {
		cfg := sqstest.New().Config()
		cfg.HTTPClient = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(answer)), Request: r}, nil
		})}
		err := sqssend.New(sqssend.NewClient(cfg), "https://sqs.test/1/q.fifo").Send(t.Context(), pipeline.Envelope{Body: []byte("{}")})
		if !errors.Is(err, pipeline.ErrOutcomeUnknown) {
			t.Errorf("%q: %v, want an unknown outcome", answer, err)
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
