// Package awsjson calls AWS services that speak AWS JSON 1.0 or 1.1: one signed
// POST with a JSON object each way.
//
// It is what the SDK's generated clients are for, without what they prepare before
// a process has done anything: the function that a chat platform waits for cannot
// afford theirs. Signatures and the judgement which failures are worth a second
// attempt are the SDK's own code. It does not know any operation; sqssend and
// secrets do. It knows no FIPS or dual-stack endpoints, no streams and no
// pagination, and corrects no clock.
//
// Every call must be idempotent, as sends to a FIFO queue are: it may be made twice.
// A call ends within 1.9 s.
package awsjson

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// The bounds of a call. Slack gives an event three seconds, cold start included.
const (
	attempts    = 2
	attemptTime = 900 * time.Millisecond
	maxBackoff  = 80 * time.Millisecond
	maxAnswer   = 1 << 20 // bytes
)

// Service is a service as its API reference describes it.
type Service struct {
	// Name is the service in host names and signatures, such as "sqs".
	Name string
	// ID is the SDK's name of the service, such as "Secrets Manager": what
	// AWS_ENDPOINT_URL_<ID> and the endpoints in ~/.aws/config go by.
	ID string
	// Target is what X-Amz-Target has before the operation, such as "AmazonSQS".
	Target string
	// Version is that of the protocol: "1.0" or "1.1".
	Version string
}

// Client calls one service in one region. It is safe for concurrent use.
type Client struct {
	service     Service
	region      string
	endpoint    string // a URL with a path
	credentials aws.CredentialsProvider
	http        aws.HTTPClient
	signer      *v4.Signer
}

// New returns a client with what cfg says of region, credentials, HTTP client and
// endpoint. Nothing is called and nothing fails yet.
func New(cfg aws.Config, s Service) *Client {
	c := &Client{
		service: s, region: cfg.Region, endpoint: endpoint(cfg, s),
		credentials: cfg.Credentials, http: cfg.HTTPClient, signer: v4.NewSigner(),
	}
	if c.http == nil {
		c.http = http.DefaultClient
	}
	return c
}

// endpoint is where the service is: what is configured for it, or for all, or
// AWS's own address in the region.
func endpoint(cfg aws.Config, s Service) string {
	at := configured(cfg, s.ID)
	if at == "" && cfg.BaseEndpoint != nil {
		at = *cfg.BaseEndpoint
	}
	if at == "" {
		suffix := ".amazonaws.com"
		if strings.HasPrefix(cfg.Region, "cn-") {
			suffix += ".cn"
		}
		return "https://" + s.Name + "." + cfg.Region + suffix + "/"
	}
	return strings.TrimRight(at, "/") + "/"
}

// configured is what the sources of a loaded configuration, environment and
// files, name as the endpoint of one service.
func configured(cfg aws.Config, id string) string {
	for _, source := range cfg.ConfigSources {
		s, ok := source.(interface {
			GetServiceBaseEndpoint(context.Context, string) (string, bool, error)
		})
		if !ok {
			continue
		}
		if at, found, err := s.GetServiceBaseEndpoint(context.Background(), id); found && err == nil {
			return at
		}
	}
	return ""
}

// Call makes one operation, with in and out as encoding/json has them. What the
// service refuses is an *Error and has not happened, unless the service failed
// itself; after any other error the call may have taken effect.
func (c *Client) Call(ctx context.Context, operation string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	for attempt := 1; ; attempt++ {
		err = c.attempt(ctx, operation, body, out)
		if err == nil || attempt == attempts || ctx.Err() != nil || !retryable(err) {
			return err
		}
		select {
		case <-time.After(maxBackoff/2 + rand.N(maxBackoff/2)):
		case <-ctx.Done():
			return err
		}
	}
}

func (c *Client) attempt(ctx context.Context, operation string, body []byte, out any) error {
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	r, err := c.request(ctx, operation, body)
	if err != nil {
		return err
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return &smithyhttp.RequestSendError{Err: bare(err)}
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return &smithyhttp.RequestSendError{Err: err}
	}
	if answer.StatusCode != http.StatusOK {
		return refusal(answer, text)
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("decode the answer: %w", err)
	}
	return nil
}

// traceKey is where aws-lambda-go keeps the X-Ray trace of an event.
const traceKey = "x-amzn-trace-id"

// request is one attempt, signed.
func (c *Client) request(ctx context.Context, operation string, body []byte) (*http.Request, error) {
	if c.credentials == nil {
		return nil, errors.New("there are no AWS credentials")
	}
	credentials, err := c.credentials.Retrieve(ctx)
	if err != nil {
		return nil, fmt.Errorf("get AWS credentials: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("endpoint of %s: %w", c.service.Name, bare(err))
	}
	r.Header = http.Header{
		"Content-Type": {"application/x-amz-json-" + c.service.Version},
		"X-Amz-Target": {c.service.Target + "." + operation},
		"User-Agent":   {"parley"},
	}
	if trace, _ := ctx.Value(traceKey).(string); trace != "" {
		r.Header["X-Amzn-Trace-Id"] = []string{trace} // queues hand it on to who receives
	}
	sum := sha256.Sum256(body)
	if err := c.signer.SignHTTP(ctx, credentials, r, hex.EncodeToString(sum[:]), c.service.Name, c.region, time.Now()); err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	// Not sent. It lets net/http choose another connection when the one that was
	// kept has died, as it does while Lambda has a process frozen.
	r.Header["X-Idempotency-Key"] = nil
	return r, nil
}

// bare is err without the URL, which is not news and may hold a password.
func bare(err error) error {
	if e := (*url.Error)(nil); errors.As(err, &e) {
		return e.Err
	}
	return err
}

// retryable is the SDK's judgement in its standard mode.
func retryable(err error) bool {
	return retry.IsErrorRetryables(retry.DefaultRetryables).IsErrorRetryable(err) == aws.TrueTernary
}
