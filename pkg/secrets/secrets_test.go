package secrets_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"parley/pkg/pipeline"
	"parley/pkg/secrets"
)

const arn = "arn:aws:secretsmanager:us-east-1:000000000000:secret:parley/slack-AbCdEf"

// manager is a fake Secrets Manager with one secret.
type manager struct {
	mu      sync.Mutex
	stages  map[string]version
	calls   int
	refuse  string        // error code of every answer
	delay   time.Duration // before an answer
	silence bool          // never answers
}

type version struct {
	text string
	made time.Time
}

func newManager(text string) *manager {
	return &manager{stages: map[string]version{"AWSCURRENT": {text, time.Now()}}}
}

// rotate makes text the current version.
func (m *manager) rotate(text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stages["AWSPREVIOUS"] = m.stages["AWSCURRENT"]
	m.stages["AWSCURRENT"] = version{text, time.Now()}
}

func (m *manager) set(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

func (m *manager) called() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.calls
}

// RoundTrip speaks Secrets Manager's JSON protocol.
func (m *manager) RoundTrip(r *http.Request) (*http.Response, error) {
	m.mu.Lock()
	m.calls++
	refuse, delay, silence := m.refuse, m.delay, m.silence
	m.mu.Unlock()
	if silence {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	time.Sleep(delay)
	var in struct{ SecretId, VersionStage string }
	if r.Header.Get("X-Amz-Target") != "secretsmanager.GetSecretValue" || json.NewDecoder(r.Body).Decode(&in) != nil || in.SecretId != arn {
		return nil, errors.New("not a request for the secret")
	}
	m.mu.Lock()
	v, ok := m.stages[in.VersionStage]
	m.mu.Unlock()
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	if !ok {
		refuse = "ResourceNotFoundException"
	}
	switch {
	case refuse != "":
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"__type":%q,"message":"refused"}`, refuse)
	case v.text == "":
		fmt.Fprintf(w, `{"ARN":%q,"SecretBinary":"AAAA","CreatedDate":%d}`, arn, v.made.Unix())
	default:
		text, _ := json.Marshal(v.text)
		fmt.Fprintf(w, `{"ARN":%q,"SecretString":%s,"CreatedDate":%d}`, arn, text, v.made.Unix())
	}
	return w.Result(), nil
}

func (m *manager) secret(keys ...secrets.Key) *secrets.Secret {
	return secrets.New(secrets.NewClient(m.config()), arn, keys...)
}

func (m *manager) config() aws.Config {
	return aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String("http://secrets.test"),
		HTTPClient:  &http.Client{Transport: m},
		Credentials: credentials.NewStaticCredentialsProvider("a", "s", ""),
	}
}

func signing(s string) string { return fmt.Sprintf(`{"signing_secret":%q,"bot_token":"xoxb"}`, s) }

// valid lists the signing secrets that would verify now.
func valid(t *testing.T, s *secrets.Secret) []string {
	t.Helper()
	return s.Valid(secrets.SigningSecret, slog.New(slog.DiscardHandler))()
}

func TestKeys(t *testing.T) {
	cases := []struct {
		text string
		keys []secrets.Key
		want secrets.Values
	}{
		{`{"signing_secret":"a","bot_token":"b","app_token":"c"}`, []secrets.Key{secrets.SigningSecret, secrets.BotToken}, secrets.Values{"signing_secret": "a", "bot_token": "b"}},
		{`{"AppKey":"k","AppSecret":"s"}`, []secrets.Key{secrets.ClientID, secrets.ClientSecret}, secrets.Values{"client_id": "k", "client_secret": "s"}},
		{`{"client_id":"k","client_secret":"s","AppKey":"old"}`, []secrets.Key{secrets.ClientID, secrets.ClientSecret}, secrets.Values{"client_id": "k", "client_secret": "s"}},
	}
	for _, c := range cases {
		got, err := newManager(c.text).secret(c.keys...).Current(t.Context())
		if err != nil || fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: %v, %v; want %v", c.text, got, err, c.want)
		}
	}
}

// Each mistake is one sentence that names the secret and the key, and no value.
func TestMistakes(t *testing.T) {
	const hidden = "hunter2"
	for _, text := range []string{"", hidden, `{"bot_token":"hunter2"}`, `{"signing_secret":{"hunter2":1}}`, `["hunter2"]`, `{"signing_secret":""}`, `{"signing_secret":"hunter2`} {
		_, err := newManager(text).secret(secrets.SigningSecret).Current(t.Context())
		e := pipeline.Classify(err)
		if err == nil || !e.Permanent || e.Reason != pipeline.ReasonConfig {
			t.Errorf("%q: %v, want a permanent error of configuration", text, err)
			continue
		}
		if !strings.Contains(err.Error(), arn) || !strings.Contains(err.Error(), "signing_secret") || strings.Contains(err.Error(), hidden) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: the sentence is %q", text, err)
		}
	}
	for code, want := range map[string]pipeline.Error{
		"AccessDeniedException":     {Permanent: true, Reason: pipeline.ReasonConfig},
		"ResourceNotFoundException": {Permanent: true, Reason: pipeline.ReasonConfig},
		"ThrottlingException":       {Throttled: true, Reason: pipeline.ReasonStore},
		"InternalServiceError":      {Reason: pipeline.ReasonStore},
	} {
		synctest.Test(t, func(t *testing.T) {
			m := newManager(signing("a"))
			m.refuse = code
			_, err := m.secret(secrets.SigningSecret).Current(t.Context())
			got := *pipeline.Classify(err)
			got.Err = nil
			if got != want || !strings.Contains(err.Error(), arn) {
				t.Errorf("%s: %+v, want %+v: %v", code, got, want, err)
			}
		})
	}
}

// A rotation is noticed within five minutes without any refusal, and what was
// fetched is kept until then.
func TestKeptFiveMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(signing("a"))
		s := m.secret(secrets.SigningSecret)
		for range 100 {
			if got := valid(t, s); !slices.Equal(got, []string{"a"}) {
				t.Fatalf("valid = %v", got)
			}
			time.Sleep(2 * time.Second)
		}
		if m.called() != 1 {
			t.Errorf("%d calls in 200 s, want 1", m.called())
		}
		m.rotate(signing("b"))
		time.Sleep(3 * time.Minute)
		if got := valid(t, s); !slices.Equal(got, []string{"b"}) {
			t.Errorf("valid = %v after five minutes", got)
		}
		// An outage of Secrets Manager stops nobody, and is not asked about at
		// every turn.
		m.set(func() { m.refuse = "InternalServiceError" })
		time.Sleep(10 * time.Minute)
		before := m.called()
		for range 10 {
			if got := valid(t, s); !slices.Equal(got, []string{"b"}) {
				t.Fatalf("valid = %v in an outage", got)
			}
		}
		if n := m.called() - before; n > 3 { // one look, of two attempts
			t.Errorf("%d calls for ten reads in an outage", n)
		}
		m.set(func() { m.refuse = "" })
		m.rotate(signing("c"))
		time.Sleep(31 * time.Second)
		if got := valid(t, s); got[0] != "c" {
			t.Errorf("valid = %v after the outage", got)
		}
	})
}

// verifier refuses what is not signed with a valid secret, as the platforms'
// parsers do.
type verifier struct{ secrets func() []string }

func (v verifier) Parse(r pipeline.Request, _ time.Time) (pipeline.Parsed, error) {
	if !slices.Contains(v.secrets(), string(r.Body)) {
		return pipeline.Parsed{}, pipeline.ErrUnauthorized
	}
	return pipeline.Parsed{}, nil
}

// A rotation has no gap: requests signed with either version are accepted, the
// one before for a day.
func TestGuardThroughRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := slog.New(slog.DiscardHandler)
		m := newManager(signing("old"))
		s := m.secret(secrets.SigningSecret)
		p := s.Guard(verifier{s.Valid(secrets.SigningSecret, log)}, log)
		accepted := func(secret string) bool {
			_, err := p.Parse(pipeline.Request{Body: []byte(secret)}, time.Now())
			if err != nil && !errors.Is(err, pipeline.ErrUnauthorized) {
				t.Fatal(err)
			}
			return err == nil
		}
		if !accepted("old") || m.called() != 1 {
			t.Fatalf("before the rotation: refused, or %d calls", m.called())
		}
		time.Sleep(time.Minute)
		m.rotate(signing("new"))
		if !accepted("new") {
			t.Error("signed with the new secret: refused")
		}
		if !accepted("old") {
			t.Error("still signed with the old secret: refused")
		}
		time.Sleep(23 * time.Hour)
		if !accepted("old") {
			t.Error("the old secret was dropped within the day")
		}
		time.Sleep(2 * time.Hour)
		if accepted("old") {
			t.Error("the old secret is accepted after a day")
		}
	})
}

// A process that starts in the middle of a rotation accepts both versions from its
// first request on.
func TestGuardStartsInRotation(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	m := newManager(signing("old"))
	m.rotate(signing("new"))
	s := m.secret(secrets.SigningSecret)
	p := s.Guard(verifier{s.Valid(secrets.SigningSecret, log)}, log)
	if _, err := p.Parse(pipeline.Request{Body: []byte("old")}, time.Now()); err != nil {
		t.Errorf("signed with the version before: %v", err)
	}
}

// While the secret cannot be read, a request is neither accepted nor refused: it is
// for the platform to send again, soon enough for Slack to hear of it.
func TestGuardWithoutSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := slog.New(slog.DiscardHandler)
		m := newManager(signing("a"))
		m.silence = true
		s := m.secret(secrets.SigningSecret)
		p := s.Guard(verifier{s.Valid(secrets.SigningSecret, log)}, log)
		began := time.Now()
		_, _ = s.All(t.Context()) // as a process does before its first event
		_, err := p.Parse(pipeline.Request{Body: []byte("a")}, time.Now())
		if took := time.Since(began); err == nil || errors.Is(err, pipeline.ErrUnauthorized) || errors.Is(err, pipeline.ErrMalformed) || took > 2500*time.Millisecond {
			t.Errorf("after %v: %v", took, err)
		}
		m.set(func() { m.silence = false })
		if _, err := p.Parse(pipeline.Request{Body: []byte("a")}, time.Now()); err != nil {
			t.Errorf("sent again: %v", err)
		}
		if _, err := p.Parse(pipeline.Request{Body: []byte("b")}, time.Now()); !errors.Is(err, pipeline.ErrUnauthorized) {
			t.Errorf("signed with nothing known: %v", err)
		}
		synctest.Wait()
	})
}

// On the wire a read is what the SDK makes of it, and so is what is read.
func TestReadIsTheSDKs(t *testing.T) {
	var bodies, targets, types []string
	m := newManager(signing("a"))
	cfg := m.config()
	cfg.HTTPClient = doer(func(r *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		bodies, targets = append(bodies, string(body)), append(targets, r.Header.Get("X-Amz-Target"))
		types = append(types, r.Header.Get("Content-Type"))
		r.Body = io.NopCloser(bytes.NewReader(body))
		return m.RoundTrip(r)
	})
	if _, err := secrets.New(secrets.NewClient(cfg), arn, secrets.SigningSecret).Current(t.Context()); err != nil {
		t.Fatal(err)
	}
	in := &secretsmanager.GetSecretValueInput{SecretId: aws.String(arn), VersionStage: aws.String("AWSCURRENT")}
	if _, err := secretsmanager.NewFromConfig(cfg).GetSecretValue(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	for _, pair := range [][]string{bodies, targets, types} {
		if pair[0] != pair[1] {
			t.Errorf("%s is sent, the SDK sends %s", pair[0], pair[1])
		}
	}
}

type doer func(*http.Request) (*http.Response, error)

func (f doer) Do(r *http.Request) (*http.Response, error) { return f(r) }

// Who was refused with what has been replaced meanwhile has something to try,
// without a look.
func TestRefusedWithStaleVersions(t *testing.T) {
	m := newManager(signing("a"))
	s := m.secret(secrets.SigningSecret)
	stale, err := s.All(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m.rotate(signing("b"))
	for range 5 {
		if changed, err := s.Refused(t.Context(), stale); !changed || err != nil {
			t.Errorf("Refused = %v, %v", changed, err)
		}
	}
	if n := m.called(); n > 3 {
		t.Errorf("%d calls, want one look", n)
	}
}

// A client whose token is refused presents the new one at its next call.
func TestBearer(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	m := newManager(signing("a"))
	s := m.secret(secrets.BotToken)
	present := s.Bearer(secrets.BotToken, log)
	if got := present(); got != "xoxb" {
		t.Errorf("presents %q", got)
	}
	m.rotate(`{"bot_token":"xoxb-new"}`)
	if err := s.Anew()(t.Context()); err != nil || present() != "xoxb-new" {
		t.Errorf("after a refusal: %q, %v", present(), err)
	}
	m = newManager("")
	if got := m.secret(secrets.BotToken).Bearer(secrets.BotToken, log)(); got != "" {
		t.Errorf("without a secret it presents %q", got)
	}
}

// Strangers' signatures cost two looks a minute, however many there are.
func TestRefusalsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := slog.New(slog.DiscardHandler)
		m := newManager(signing("a"))
		s := m.secret(secrets.SigningSecret)
		p := s.Guard(verifier{s.Valid(secrets.SigningSecret, log)}, log)
		for range 500 {
			if _, err := p.Parse(pipeline.Request{Body: []byte("forged")}, time.Now()); !errors.Is(err, pipeline.ErrUnauthorized) {
				t.Fatalf("a forged request: %v", err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if n := m.called(); n > 1+2*2 { // the first fetch, and two looks at both versions
			t.Errorf("%d calls for 500 forged requests in 50 s", n)
		}
		m.rotate(signing("b"))
		time.Sleep(time.Minute)
		if _, err := p.Parse(pipeline.Request{Body: []byte("b")}, time.Now()); err != nil {
			t.Errorf("a rotation a minute later: %v", err)
		}
	})
}

// Requests that meet a rotation at the same moment share one look, and all pass.
func TestConcurrentRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := slog.New(slog.DiscardHandler)
		m := newManager(signing("a"))
		s := m.secret(secrets.SigningSecret)
		p := s.Guard(verifier{s.Valid(secrets.SigningSecret, log)}, log)
		valid(t, s)
		m.rotate(signing("b"))
		m.set(func() { m.delay = 50 * time.Millisecond })
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if _, err := p.Parse(pipeline.Request{Body: []byte("b")}, time.Now()); err != nil {
					t.Errorf("refused in the rotation: %v", err)
				}
			})
		}
		wg.Wait()
		if n := m.called(); n > 3 {
			t.Errorf("%d calls for 50 concurrent requests", n)
		}
	})
}

// A silent Secrets Manager costs at most the time of one look, and the caller's
// own end comes first.
func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(signing("a"))
		m.silence = true
		s := m.secret(secrets.SigningSecret)
		start := time.Now()
		if _, err := s.Current(t.Context()); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 2*time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		start = time.Now()
		if _, err := s.Value(secrets.BotToken)(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 200*time.Millisecond {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		synctest.Wait()
		time.Sleep(2 * time.Second) // the shared look ends by itself
	})
}

func TestValue(t *testing.T) {
	s := newManager(`{"bot_token":"xoxb-1"}`).secret(secrets.BotToken)
	if v, err := s.Value(secrets.BotToken)(t.Context()); err != nil || v != "xoxb-1" {
		t.Errorf("Value = %q, %v", v, err)
	}
}
