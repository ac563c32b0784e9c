package slack

import (
	"testing"
	"time"
)

func TestTimeOf(t *testing.T) {
	for ts, want := range map[string]time.Time{
		"1780000000.000100":  time.Unix(1780000000, 100_000).UTC(),
		"1780000000.999999":  time.Unix(1780000000, 999_999_000).UTC(),
		"0.000001":           time.Unix(0, 1000).UTC(),
		"":                   {},
		"1780000000":         {},
		"1780000000.1":       {},
		"1780000000.0001000": {},
		"-1.000000":          {},
		"+1.000000":          {},
		"1.+00000":           {},
		"x.000000":           {},
		"999999999999.00000": {},
	} {
		if got := TimeOf(ts); !got.Equal(want) || got.IsZero() != want.IsZero() {
			t.Errorf("TimeOf(%q) = %v, want %v", ts, got, want)
		}
	}
}

func FuzzTimeOf(f *testing.F) {
	for _, ts := range []string{"1780000000.000100", "0.000000", "01.000000", "99999999999.999999", "1.5", ""} {
		f.Add(ts)
	}
	f.Fuzz(func(t *testing.T, ts string) {
		at := TimeOf(ts)
		if at.IsZero() {
			return
		}
		if again := TimeOf(TSOf(at)); !again.Equal(at) {
			t.Fatalf("TimeOf(%q) = %v, after a round trip %v", ts, at, again)
		}
	})
}
