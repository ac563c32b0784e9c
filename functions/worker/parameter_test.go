package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
)

// ssmParameter is one parameter with its versions, as SSM serves it. It answers
// without a network, so that time may be fake.
type ssmParameter struct {
	mu       sync.Mutex
	versions []string // guarded by mu
	calls    int      // guarded by mu
	down     bool     // guarded by mu
}

func (s *ssmParameter) put(value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.versions = append(s.versions, value)
}

// RoundTrip implements http.RoundTripper.
func (s *ssmParameter) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	rec := httptest.NewRecorder()
	var in struct{ Name string }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || r.Header.Get("X-Amz-Target") != "AmazonSSM.GetParameter" {
		return nil, fmt.Errorf("%s: %w", r.Header.Get("X-Amz-Target"), err)
	}
	n := len(s.versions)
	if _, version, selected := strings.Cut(in.Name, ":"); selected {
		n, _ = strconv.Atoi(version)
	}
	rec.Header().Set("Content-Type", "application/x-amz-json-1.1")
	switch {
	case s.down:
		rec.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(rec, `{"__type":"InternalServerError"}`)
	case n < 1 || n > len(s.versions):
		rec.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(rec, `{"__type":"ParameterVersionNotFound"}`)
	default:
		_ = json.NewEncoder(rec).Encode(map[string]any{"Parameter": map[string]any{"Name": "/p", "Value": s.versions[n-1], "Version": n}})
	}
	return rec.Result(), nil
}

// reading is a parameter that refuses values that begin with "bad".
func (s *ssmParameter) reading(log *bytes.Buffer) (p *parameter, used *[]string) {
	used = new([]string)
	client := ssm.New(ssm.Options{Region: "eu-central-1", HTTPClient: &http.Client{Transport: s}, Retryer: aws.NopRetryer{}, Credentials: aws.AnonymousCredentials{}})
	return &parameter{
		client: client, env: "THE_PARAMETER", name: "/p", age: time.Minute, log: slog.New(slog.NewTextHandler(log, nil)),
		use: func(value string) error {
			if strings.HasPrefix(value, "bad") {
				return errors.New(value + " is wrong")
			}
			*used = append(*used, value)
			return nil
		},
	}, used
}

func got(t *testing.T, used *[]string, want ...string) {
	t.Helper()
	if strings.Join(*used, " ") != strings.Join(want, " ") {
		t.Errorf("in force were %q, want %q", *used, want)
	}
}

// A change is in force within a minute; what is refused or cannot be read leaves
// what was, and a version is looked at once.
func TestParameterChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		s := &ssmParameter{versions: []string{"one"}}
		p, used := s.reading(&log)
		if err := p.first(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.refresh(t.Context())
		if s.calls != 1 {
			t.Errorf("%d calls at once", s.calls)
		}
		for _, value := range []string{"two", "bad three", "four"} {
			s.put(value)
			for range 3 { // nothing new the second and third time
				time.Sleep(61 * time.Second)
				p.refresh(t.Context())
			}
		}
		s.mu.Lock()
		s.down = true
		s.mu.Unlock()
		time.Sleep(61 * time.Second)
		p.refresh(t.Context())
		got(t, used, "one", "two", "four")
		if n := strings.Count(log.String(), "bad three is wrong"); n != 1 {
			t.Errorf("the mistake was told %d times:\n%s", n, log.String())
		}
	})
}

// A process that starts after a broken edit goes on with the last good version, as
// one does that was there before.
func TestParameterStartsWithTheLastGoodVersion(t *testing.T) {
	var log bytes.Buffer
	s := &ssmParameter{versions: []string{"one", "two", "bad three", "bad four"}}
	p, used := s.reading(&log)
	if err := p.first(t.Context()); err != nil {
		t.Fatal(err)
	}
	got(t, used, "two")
	if !strings.Contains(log.String(), "bad four is wrong") || !strings.Contains(log.String(), "in_force=2") {
		t.Errorf("the log does not say so:\n%s", log.String())
	}
}

// Without any version that is right, or without an answer, it does not start.
func TestParameterRefusesToStart(t *testing.T) {
	for name, s := range map[string]*ssmParameter{
		"all wrong": {versions: []string{"bad one", "bad two"}}, "unreadable": {versions: []string{"one"}, down: true},
	} {
		p, _ := s.reading(new(bytes.Buffer))
		if err := p.first(t.Context()); err == nil || !strings.Contains(err.Error(), "THE_PARAMETER") || !strings.Contains(err.Error(), "/p") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
