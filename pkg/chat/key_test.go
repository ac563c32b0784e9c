package chat

import "testing"

// A key tells the conversation, whatever a platform puts into its ids; what is no
// key tells none.
func FuzzParseKey(f *testing.F) {
	f.Add("slack", "A1", "C1", "1.000100", "slack/A1/C1/")
	f.Add("dingtalk", "ding/robot", "cid%2F#==", "", "a/b/c")
	f.Fuzz(func(t *testing.T, platform, tenant, channel, thread, key string) {
		c := Conversation{Platform(platform), tenant, channel, thread}
		if got, ok := ParseKey(c.Key()); !ok || got != c {
			t.Errorf("ParseKey(%q) = %+v, %v; want %+v", c.Key(), got, ok, c)
		}
		if got, ok := ParseKey(key); ok && got.Key() != key {
			t.Errorf("ParseKey(%q) = %+v, whose key is %q", key, got, got.Key())
		}
	})
}
