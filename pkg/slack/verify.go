package slack

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"parley/pkg/pipeline"
)

// MaxSkew is how far a request's timestamp may be from our clock, either way.
const MaxSkew = 300 * time.Second

// Headers of the signature and of redeliveries, in Go's canonical form.
const (
	headerSignature = "X-Slack-Signature"
	headerTimestamp = "X-Slack-Request-Timestamp"
	headerRetry     = "X-Slack-Retry-Num"
)

// verify checks Slack's v0 signature over the raw body: "v0=" and the hex of
// HMAC-SHA256, keyed with a signing secret, over "v0:timestamp:body". Any of
// secrets will do, so that a secret can be rotated. Its errors say what is wrong
// with the request and never what would have been right.
func verify(h http.Header, body []byte, secrets []string, now time.Time) error {
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
	given, err := hex.DecodeString(digits)
	if err != nil {
		return refuse("senseless signature")
	}
	for _, secret := range secrets {
		// An empty key would make a signature that anyone can compute.
		if secret != "" && hmac.Equal(given, sign(secret, stamp, body)) {
			return nil
		}
	}
	return refuse("wrong signature")
}

func sign(secret, stamp string, body []byte) []byte {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("v0:" + stamp + ":"))
	mac.Write(body)
	return mac.Sum(nil)
}
