package slack

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/pkg/pipeline"
)

// sign is Slack's signature in Slack's words.
func sign(secret, stamp string, body []byte) []byte {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("v0:" + stamp + ":" + string(body)))
	return mac.Sum(nil)
}

// TestVector checks a signature computed independently.
func TestVector(t *testing.T) {
	const body = `{"type":"url_verification","challenge":"abc"}`
	h := http.Header{}
	h.Set("x-slack-request-timestamp", "1700000000")
	h.Set("x-slack-signature", "v0=0af59a2093209bf5fd729275f78b68ca1fd0f5cde475f4e9b5b24207db57d1bb")
	now := time.Unix(1700000000, 0)
	if err := new(verifier).verify(h, []byte(body), []string{testSecret}, now); err != nil {
		t.Error(err)
	}
	if err := new(verifier).verify(h, []byte(body+" "), []string{testSecret}, now); !errors.Is(err, pipeline.ErrUnauthorized) {
		t.Errorf("another body: %v", err)
	}
}

func TestVerify(t *testing.T) {
	const body = `{"type":"app_rate_limited"}`
	stamp := strconv.FormatInt(received.Unix(), 10)
	good := "v0=" + hex.EncodeToString(sign(testSecret, stamp, []byte(body)))
	other := "v0=" + hex.EncodeToString(sign("previous", stamp, []byte(body)))
	empty := "v0=" + hex.EncodeToString(sign("", stamp, []byte(body)))
	exact := received.Truncate(time.Second)
	for _, c := range []struct {
		name             string
		stamp, signature string
		secrets          []string
		now              time.Time
		ok               bool
	}{
		{"good", stamp, good, []string{testSecret}, received, true},
		{"new secret, old request", stamp, other, []string{testSecret, "previous"}, received, true},
		{"old secret gone", stamp, other, []string{testSecret}, received, false},
		{"300 s late", stamp, good, []string{testSecret}, exact.Add(300 * time.Second), true},
		{"301 s late", stamp, good, []string{testSecret}, exact.Add(301 * time.Second), false},
		{"300 s early", stamp, good, []string{testSecret}, exact.Add(-300 * time.Second), true},
		{"301 s early", stamp, good, []string{testSecret}, exact.Add(-301 * time.Second), false},
		{"unsigned", stamp, "", []string{testSecret}, received, false},
		{"undated", "", good, []string{testSecret}, received, false},
		{"senseless date", "soon", good, []string{testSecret}, received, false},
		{"huge date", "9223372036854775807", good, []string{testSecret}, received, false},
		{"negative date", "-9223372036854775808", good, []string{testSecret}, received, false},
		{"another version", stamp, "v1" + good[2:], []string{testSecret}, received, false},
		{"no version", stamp, good[3:], []string{testSecret}, received, false},
		{"no hex", stamp, good[:65] + "zz", []string{testSecret}, received, false},
		{"cut short", stamp, good[:65], []string{testSecret}, received, false},
		{"nothing", stamp, "v0=", []string{testSecret}, received, false},
		{"too long", stamp, good + "00", []string{testSecret}, received, false},
		{"one digit off", stamp, flip(good), []string{testSecret}, received, false},
		{"no secrets", stamp, good, nil, received, false},
		{"empty secret", stamp, empty, []string{"", ""}, received, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := http.Header{}
			if c.stamp != "" {
				h.Set(headerTimestamp, c.stamp)
			}
			if c.signature != "" {
				h.Set(headerSignature, c.signature)
			}
			p := newTestParser(t, Config{Secrets: func() []string { return c.secrets }})
			parsed, err := p.Parse(pipeline.Request{Path: PathEvents, Header: h, Body: []byte(body)}, c.now)
			switch {
			case c.ok && err != nil:
				t.Errorf("refused: %v", err)
			case !c.ok && !errors.Is(err, pipeline.ErrUnauthorized):
				t.Errorf("not refused: %+v, %v", parsed, err)
			case err != nil && (strings.Contains(err.Error(), good[3:]) || strings.Contains(err.Error(), testSecret)):
				t.Errorf("the error tells what would have been right: %v", err)
			}
		})
	}
}

// What is kept from one request to the next changes no verdict, however secrets
// come and go, nor for requests at the same time.
func TestVerifyAgain(t *testing.T) {
	var v verifier
	stamp := strconv.FormatInt(received.Unix(), 10)
	var all sync.WaitGroup
	for i := range 50 {
		secret, body := "secret "+strconv.Itoa(i%7), []byte("body "+strconv.Itoa(i))
		h := http.Header{headerTimestamp: {stamp}, headerSignature: {"v0=" + hex.EncodeToString(sign(secret, stamp, body))}}
		all.Go(func() {
			if err := v.verify(h, body, []string{"newer", secret}, received); err != nil {
				t.Errorf("%s: %v", secret, err)
			}
			if err := v.verify(h, body, []string{"newer"}, received); !errors.Is(err, pipeline.ErrUnauthorized) {
				t.Errorf("%s is gone: %v", secret, err)
			}
		})
	}
	all.Wait()
}

func flip(signature string) string {
	last := "0"
	if strings.HasSuffix(signature, "0") {
		last = "1"
	}
	return signature[:len(signature)-1] + last
}

// TestUnsigned checks that nothing is read from what is not signed, on any path.
func TestUnsigned(t *testing.T) {
	p := newTestParser(t, Config{})
	for _, path := range []string{PathEvents, PathCommands, PathInteractions, "/slack/else"} {
		for _, body := range []string{"", "{}", "payload={}", "text=hi", `{"type":"url_verification","challenge":"x"}`, "ssl_check=1&command=/parley&text=hi"} {
			parsed, err := p.Parse(pipeline.Request{Path: path, Header: http.Header{}, Body: []byte(body)}, received)
			if !errors.Is(err, pipeline.ErrUnauthorized) || len(parsed.Messages) > 0 {
				t.Errorf("%s %q: %+v, %v", path, body, parsed, err)
			}
		}
	}
	parsed, err := p.Parse(pipeline.Request{Path: PathCommands, Header: http.Header{}, Body: []byte("ssl_check=1&token=x")}, received)
	if err != nil || parsed.Ignored != IgnoredSSLCheck {
		t.Errorf("an unsigned probe of the certificate: %+v, %v", parsed, err)
	}
}
