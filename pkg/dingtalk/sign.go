package dingtalk

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Headers that carry a signature. A robot callback is signed with the first
// pair (open.dingtalk.com, "receive-message"), an HTTP card callback with the
// second ("event-callback-card", verification by apiSecret; Parley registers
// the client secret as apiSecret).
const (
	HeaderTimestamp     = "timestamp" // Unix milliseconds, in decimal
	HeaderSign          = "sign"
	HeaderCardTimestamp = "x-ddpaas-signature-timestamp"
	HeaderCardSign      = "x-ddpaas-signature"
)

// Bounds on a signature's age. DingTalk's own rule is one hour either way; a
// signature covers the time alone and not the body, so one from the future is
// refused sooner: it would stay valid for longer.
const (
	MaxAge  = time.Hour
	MaxSkew = 5 * time.Minute
)

// Sign returns the signature of a robot callback sent at timestamp.
func Sign(timestamp, secret string) string {
	return mac(secret, timestamp+"\n"+secret)
}

// SignCard returns the signature of an HTTP card callback sent at timestamp.
func SignCard(timestamp, secret string) string { return mac(secret, timestamp) }

func mac(key, data string) string {
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(data))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// fresh reports whether timestamp, in Unix milliseconds, is near enough to now.
func fresh(timestamp string, now time.Time) bool {
	ms, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return false
	}
	age := now.Sub(time.UnixMilli(ms))
	return age <= MaxAge && age >= -MaxSkew
}

// signed reports whether got is what sign makes of timestamp with one of the
// secrets. All secrets are tried, whichever matches, so that the time taken says
// nothing about them.
func signed(sign func(timestamp, secret string) string, timestamp, got string, secrets []string) bool {
	match := 0
	for _, secret := range secrets {
		if secret == "" {
			continue
		}
		match |= subtle.ConstantTimeCompare([]byte(sign(timestamp, secret)), []byte(got))
	}
	return match == 1
}

// header finds name whatever its case: some gateways hand headers on in lower
// case, which http.Header.Get does not find.
func header(h http.Header, name string) string {
	if v := h.Get(name); v != "" {
		return strings.TrimSpace(v)
	}
	for k, v := range h {
		if len(v) > 0 && strings.EqualFold(k, name) {
			return strings.TrimSpace(v[0])
		}
	}
	return ""
}
