package slack

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"parley/pkg/pipeline"
)

// MaxSkew is how far a request's timestamp may be from our clock, either way.
const MaxSkew = 300 * time.Second

// maxKeyed is far above the secrets that are valid at a time.
const maxKeyed = 4

// Headers of the signature and of redeliveries, in Go's canonical form.
const (
	headerSignature = "X-Slack-Signature"
	headerTimestamp = "X-Slack-Request-Timestamp"
	headerRetry     = "X-Slack-Retry-Num"
)

// verifier checks signatures with secrets as they are valid at the time. What it
// sets up for a secret it keeps for the next request. It is safe for concurrent use.
type verifier struct {
	mu    sync.Mutex
	keyed map[string]hash.Hash // by secret, at most maxKeyed
	given []byte               // the request's signature
	work  []byte
}

// verify checks Slack's v0 signature over the raw body: "v0=" and the hex of
// HMAC-SHA256, keyed with a signing secret, over "v0:timestamp:body". Any of
// secrets will do, so that a secret can be rotated. Its errors say what is wrong
// with the request and never what would have been right.
func (v *verifier) verify(h http.Header, body []byte, secrets []string, now time.Time) error {
	refuse := func(why string) error {
		return fmt.Errorf("verify slack request: %s: %w", why, pipeline.ErrUnauthorized)
	}
	stamp, signature := h.Get(headerTimestamp), h.Get(headerSignature)
	if stamp == "" || signature == "" {
		return refuse("unsigned")
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return refuse("senseless timestamp")
	}
	if now.Sub(time.Unix(seconds, 0)).Abs() > MaxSkew {
		return refuse("stale timestamp")
	}
	digits, ok := strings.CutPrefix(signature, "v0=")
	if !ok {
		return refuse("unknown signature version")
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.given = append(v.given[:0], digits...)
	n, err := hex.Decode(v.given, v.given)
	if err != nil {
		return refuse("senseless signature")
	}
	for _, secret := range secrets {
		// An empty key would make a signature that anyone can compute.
		if secret != "" && v.signed(v.given[:n], secret, stamp, body) {
			return nil
		}
	}
	return refuse("wrong signature")
}

// signed reports whether given is the signature of body with secret.
func (v *verifier) signed(given []byte, secret, stamp string, body []byte) bool {
	mac := v.keyed[secret]
	if mac == nil {
		mac = hmac.New(sha256.New, []byte(secret))
		if v.keyed == nil || len(v.keyed) == maxKeyed {
			v.keyed = map[string]hash.Hash{}
		}
		v.keyed[secret] = mac
	}
	mac.Reset()
	v.work = append(append(append(v.work[:0], "v0:"...), stamp...), ':')
	mac.Write(v.work)
	mac.Write(body)
	v.work = mac.Sum(v.work[:0])
	return hmac.Equal(given, v.work)
}
