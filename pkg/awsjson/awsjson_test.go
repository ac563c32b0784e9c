package awsjson_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"parley/pkg/awsjson"
)

var service = awsjson.Service{Name: "secretsmanager", ID: "Secrets Manager", Target: "secretsmanager", Version: "1.1"}

func config(h aws.HTTPClient) aws.Config {
	return aws.Config{
		Region: "eu-west-1", HTTPClient: h,
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", "token"),
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) Do(r *http.Request) (*http.Response, error)        { return f(r) }
func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answer(status int, body string, header ...string) *http.Response {
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body))}
}

// What arrives at a server carries the signature of exactly what arrived.
func TestSignedAsSent(t *testing.T) {
	var sent *http.Request
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent = r.Clone(context.Background())
		body, _ = io.ReadAll(r.Body)
		_, _ = io.WriteString(w, `{"Answer":"fine"}`)
	}))
	defer server.Close()
	cfg := config(nil)
	cfg.BaseEndpoint = &server.URL
	var out struct{ Answer string }
	//lint:ignore SA1029 this is aws-lambda-go's key
	ctx := context.WithValue(t.Context(), "x-amzn-trace-id", "Root=1-2-3")
	if err := awsjson.New(cfg, service).Call(ctx, "Ask", map[string]string{"Question": "how?"}, &out); err != nil || out.Answer != "fine" {
		t.Fatalf("answer %q, %v", out.Answer, err)
	}
	got := map[string]string{}
	for _, name := range []string{"X-Amz-Target", "Content-Type", "X-Amz-Security-Token", "X-Amzn-Trace-Id", "X-Idempotency-Key"} {
		got[name] = sent.Header.Get(name)
	}
	want := map[string]string{
		"X-Amz-Target": "secretsmanager.Ask", "Content-Type": "application/x-amz-json-1.1", "X-Amz-Security-Token": "token",
		"X-Amzn-Trace-Id": "Root=1-2-3", "X-Idempotency-Key": "",
	}
	if diff := cmp.Diff(want, got); diff != "" || string(body) != `{"Question":"how?"}` {
		t.Errorf("sent %s with (-want +got):\n%s", body, diff)
	}
	signed := sent.Header.Get("Authorization")
	at, err := time.Parse("20060102T150405Z", sent.Header.Get("X-Amz-Date"))
	if err != nil {
		t.Fatal(err)
	}
	again := httptest.NewRequest(http.MethodPost, server.URL+"/", strings.NewReader(string(body)))
	for _, name := range strings.Split(between(signed, "SignedHeaders=", ","), ";") {
		if name != "host" && name != "content-length" {
			if sent.Header.Get(name) == "" {
				t.Errorf("%s is signed and not sent", name)
			}
			again.Header[http.CanonicalHeaderKey(name)] = sent.Header[http.CanonicalHeaderKey(name)]
		}
	}
	sum := sha256.Sum256(body)
	who := aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret", SessionToken: "token"}
	if err := v4.NewSigner().SignHTTP(t.Context(), who, again, hex.EncodeToString(sum[:]), "secretsmanager", "eu-west-1", at); err != nil {
		t.Fatal(err)
	}
	if want := again.Header.Get("Authorization"); signed != want {
		t.Errorf("signed\n%s, a verifier computes\n%s", signed, want)
	}
}

func between(s, before, after string) string {
	_, s, _ = strings.Cut(s, before)
	s, _, _ = strings.Cut(s, after)
	return s
}

// A failure is tried again exactly when the SDK would, and is then the same error.
func TestFailuresAreTheSDKs(t *testing.T) {
	cases := map[string]func() (*http.Response, error){
		"throttled": func() (*http.Response, error) {
			return answer(400, `{"__type":"ThrottlingException","message":"slow"}`), nil
		},
		"too many": func() (*http.Response, error) {
			return answer(429, `{"__type":"TooManyRequestsException","message":"slow"}`), nil
		},
		"namespace": func() (*http.Response, error) {
			return answer(400, `{"__type":"com.amazonaws.sm#RequestThrottled","message":"text"}`), nil
		},
		"address": func() (*http.Response, error) {
			return answer(400, `{"message":"text"}`, "X-Amzn-Errortype", "ThrottledException:http://internal/"), nil
		},
		"code": func() (*http.Response, error) { return answer(400, `{"code":"SlowDown","Message":"slow"}`), nil },
		"denied": func() (*http.Response, error) {
			return answer(400, `{"__type":"AccessDeniedException","Message":"no"}`, "X-Amzn-Requestid", "r1"), nil
		},
		"request timeout": func() (*http.Response, error) {
			return answer(400, `{"__type":"RequestTimeoutException","message":"text"}`), nil
		},
		"internal": func() (*http.Response, error) {
			return answer(500, `{"__type":"InternalServiceError","message":"sorry"}`), nil
		},
		"unavailable": func() (*http.Response, error) {
			return answer(503, `{"__type":"ServiceUnavailable","message":"text"}`), nil
		},
		"not implemented": func() (*http.Response, error) {
			return answer(501, `{"__type":"NotImplemented","message":"text"}`), nil
		},
		"reset":      func() (*http.Response, error) { return nil, errors.New("read: connection reset by peer") },
		"broken off": func() (*http.Response, error) { return nil, io.ErrUnexpectedEOF },
	}
	for name, fail := range cases {
		synctest.Test(t, func(t *testing.T) {
			calls := 0
			cfg := config(roundTrip(func(*http.Request) (*http.Response, error) { calls++; return fail() }))
			cfg.Retryer = func() aws.Retryer {
				return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts = 2 })
			}
			_, theirs := secretsmanager.NewFromConfig(cfg).GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("s")})
			want := describe(theirs, calls)
			calls = 0
			ours := awsjson.New(cfg, service).Call(t.Context(), "GetSecretValue", map[string]string{"SecretId": "s"}, &struct{}{})
			if got := describe(ours, calls); got != want {
				t.Errorf("%s: %s; the SDK: %s", name, got, want)
			}
		})
	}
}

func describe(err error, calls int) string {
	var refused smithy.APIError
	if !errors.As(err, &refused) {
		return fmt.Sprintf("%d calls, refused by nobody: %t", calls, err != nil)
	}
	return fmt.Sprintf("%d calls, %s, %q", calls, refused.ErrorCode(), refused.ErrorMessage())
}

// A page that is no service's answer is an error with what there is to say.
func TestNotAService(t *testing.T) {
	c := awsjson.New(config(roundTrip(func(*http.Request) (*http.Response, error) {
		return answer(http.StatusForbidden, "<html>blocked</html>"), nil
	})), service)
	var refused *awsjson.Error
	if err := c.Call(t.Context(), "Ask", nil, nil); !errors.As(err, &refused) || refused.Code != "Forbidden" || refused.ErrorFault() != smithy.FaultClient {
		t.Errorf("a proxy's page: %v", err)
	}
}

// A silent service costs two attempts and 1.9 s; the caller's own end comes first.
func TestBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		c := awsjson.New(config(&http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			calls++
			<-r.Context().Done()
			return nil, r.Context().Err()
		})}), service)
		began := time.Now()
		err := c.Call(t.Context(), "Ask", nil, nil)
		if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took > 1900*time.Millisecond || calls != 2 {
			t.Errorf("%d calls in %v: %v", calls, took, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		began, calls = time.Now(), 0
		err = c.Call(ctx, "Ask", nil, nil)
		if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took != 300*time.Millisecond || calls != 1 {
			t.Errorf("%d calls in %v: %v", calls, took, err)
		}
	})
}

// Attempts of many processes that failed together do not come back together.
func TestBackoffIsSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		waits := map[time.Duration]bool{}
		for range 20 {
			var at []time.Time
			c := awsjson.New(config(roundTrip(func(*http.Request) (*http.Response, error) {
				at = append(at, time.Now())
				return answer(500, `{"__type":"InternalServiceError"}`), nil
			})), service)
			_ = c.Call(t.Context(), "Ask", nil, nil)
			wait := at[1].Sub(at[0])
			if wait < 40*time.Millisecond || wait > 80*time.Millisecond {
				t.Errorf("waited %v", wait)
			}
			waits[wait] = true
		}
		if len(waits) < 10 {
			t.Errorf("%d different waits of 20", len(waits))
		}
	})
}

// A connection that died while the process was frozen costs no attempt.
func TestDeadConnectionIsReplaced(t *testing.T) {
	var mu sync.Mutex
	calls := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		calls++
		n := calls
		mu.Unlock()
		if n == 2 || n == 3 { // what was kept dies as soon as it is used again, and the next call fails
			panic(http.ErrAbortHandler)
		}
		_, _ = io.WriteString(w, "{}")
	}))
	defer server.Close()
	cfg := config(&http.Client{Transport: &http.Transport{}})
	cfg.BaseEndpoint = &server.URL
	c := awsjson.New(cfg, service)
	for i := range 2 {
		if err := c.Call(t.Context(), "Ask", nil, &struct{}{}); err != nil {
			t.Errorf("call %d: %v", i+1, err)
		}
	}
}

func TestEndpoints(t *testing.T) {
	everywhere, here := "http://everywhere.test/base/", "http://here.test"
	cases := []struct {
		name, want string
		change     func(*aws.Config)
	}{
		{"AWS's", "https://secretsmanager.eu-west-1.amazonaws.com/", func(*aws.Config) {}},
		{"China's", "https://secretsmanager.cn-north-1.amazonaws.com.cn/", func(c *aws.Config) { c.Region = "cn-north-1" }},
		{"for all services", "http://everywhere.test/base/", func(c *aws.Config) { c.BaseEndpoint = &everywhere }},
		{"for this one", "http://here.test/", func(c *aws.Config) {
			c.BaseEndpoint, c.ConfigSources = &everywhere, []any{source{"Secrets Manager": here}}
		}},
		{"for another", "http://everywhere.test/base/", func(c *aws.Config) {
			c.BaseEndpoint, c.ConfigSources = &everywhere, []any{"no source of endpoints", source{"SQS": here}}
		}},
	}
	for _, tt := range cases {
		var got string
		cfg := config(roundTrip(func(r *http.Request) (*http.Response, error) {
			got = r.URL.String()
			return answer(200, "{}"), nil
		}))
		tt.change(&cfg)
		if err := awsjson.New(cfg, service).Call(t.Context(), "Ask", nil, &struct{}{}); err != nil || got != tt.want {
			t.Errorf("%s: called %s, %v; want %s", tt.name, got, err, tt.want)
		}
	}
}

// source is a loaded configuration with endpoints by service.
type source map[string]string

func (s source) GetServiceBaseEndpoint(_ context.Context, id string) (string, bool, error) {
	at, found := s[id]
	return at, found, nil
}

// What stops a call before it is made says what is missing, and nothing secret.
func TestMistakes(t *testing.T) {
	secret := "http://user:hunter2@broken .test"
	for name, cfg := range map[string]aws.Config{
		"no credentials": {Region: "eu-west-1"},
		"expired":        {Region: "eu-west-1", Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return aws.Credentials{}, errors.New("expired") })},
		"no endpoint":    {Region: "eu-west-1", BaseEndpoint: &secret, Credentials: credentials.NewStaticCredentialsProvider("a", "hunter2", "")},
	} {
		err := awsjson.New(cfg, service).Call(t.Context(), "Ask", nil, nil)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := awsjson.New(config(nil), service).Call(t.Context(), "Ask", func() {}, nil); err == nil {
		t.Error("a function was encoded")
	}
}
