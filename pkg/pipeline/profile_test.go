package pipeline

import (
	"testing"

	"parley/pkg/chat"
)

// A name that the profile does not offer is answered by the profile's own model.
func TestProfileModel(t *testing.T) {
	p := Profile{Model: "own", Models: []Choice{{"Fast", "fast-id"}, {"Thorough", "thorough-id"}}}
	for name, want := range map[string]string{"": "own", "Fast": "fast-id", "Thorough": "thorough-id", "fast-id": "own", "gone": "own"} {
		if got := p.model(name); got != want {
			t.Errorf("%q is answered by %q, want %q", name, got, want)
		}
	}
}

// A budget with an account of its own shares no counter with another.
func TestBudgetAccounts(t *testing.T) {
	m := chat.Message{Author: chat.Author{ID: "U1"}, Conversation: chat.Conversation{Platform: chat.Slack, Tenant: "A1", Channel: "C1"}}
	seen := map[string]string{}
	for _, b := range []Budget{{}, {Account: "a"}, {Account: "b"}} {
		for _, s := range b.scopes(m) {
			if other, taken := seen[s.name]; taken {
				t.Errorf("%q counts for %q and %q", s.name, other, b.Account)
			}
			seen[s.name] = b.Account
		}
	}
}
