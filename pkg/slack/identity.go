package slack

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"parley/pkg/chat"
)

// MessageID is the identity of the message at ts. Team ids have no part in it,
// because one message in a shared channel is delivered under several.
func MessageID(app, channel, ts string) string {
	return identityPrefix(app) + channel + ":" + ts
}

// identityPrefix begins all identities of an app.
func identityPrefix(app string) string { return string(chat.Slack) + ":" + app + ":" }

// TimeOf is the time a message ts such as "1780000000.000100" stands for, exact
// to the microsecond, in UTC. It is zero if ts is none.
func TimeOf(ts string) time.Time {
	whole, fraction, ok := strings.Cut(ts, ".")
	if !ok || len(fraction) != 6 || len(whole) == 0 || len(whole) > 11 {
		return time.Time{}
	}
	s, err := strconv.ParseUint(whole, 10, 63)
	if err != nil {
		return time.Time{}
	}
	us, err := strconv.ParseUint(fraction, 10, 63)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(int64(s), int64(us)*1000).UTC()
}

// TSOf is the inverse of TimeOf; parts of a microsecond are dropped.
func TSOf(t time.Time) string {
	us := t.UnixMicro()
	return fmt.Sprintf("%d.%06d", us/1_000_000, us%1_000_000)
}
