package chat

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func conversations() *rapid.Generator[Conversation] {
	// What separates and escapes the parts of a key comes up often.
	part := rapid.StringOfN(rapid.SampledFrom([]rune("aA0%/#25FE \x00问")), 0, 6, -1)
	return rapid.Custom(func(t *rapid.T) Conversation {
		return Conversation{
			Platform: Platform(part.Draw(t, "platform")), Tenant: part.Draw(t, "tenant"),
			Channel: part.Draw(t, "channel"), Thread: part.Draw(t, "thread"),
		}
	})
}

// TestKeyUnique checks that no two conversations share memory.
func TestKeyUnique(t *testing.T) {
	hex := regexp.MustCompile(`^[0-9a-f]{64}$`)
	rapid.Check(t, func(t *rapid.T) {
		a, b := conversations().Draw(t, "a"), conversations().Draw(t, "b")
		if (a == b) != (a.Key() == b.Key()) {
			t.Fatalf("%+v and %+v have keys %q and %q", a, b, a.Key(), b.Key())
		}
		if (a == b) != (a.Group() == b.Group()) || !hex.MatchString(a.Group()) {
			t.Fatalf("%+v and %+v have groups %q and %q", a, b, a.Group(), b.Group())
		}
		if strings.Count(a.Key(), "/") != 3 || strings.Contains(a.Key(), "#") {
			t.Fatalf("key %q has not four parts", a.Key())
		}
	})
}

// TestKeyShifted checks pairs whose parts differ only in where they are divided.
func TestKeyShifted(t *testing.T) {
	for _, c := range [][2]Conversation{
		{{Channel: "a/b"}, {Channel: "a", Thread: "b"}},
		{{Channel: "a%2Fb"}, {Channel: "a/b"}},
		{{Channel: "%25"}, {Channel: "%"}},
		{{Tenant: "a", Channel: "b"}, {Tenant: "a/b"}},
		{{Channel: "a#"}, {Channel: "a%23"}},
	} {
		if c[0].Key() == c[1].Key() {
			t.Errorf("%+v and %+v share the key %q", c[0], c[1], c[0].Key())
		}
	}
}

// TestOrder checks that snapshots of an answer are in a strict order, in which a
// terminal one is the newest of its fence and all terminal ones of it are equal.
func TestOrder(t *testing.T) {
	order := rapid.Custom(func(t *rapid.T) Order {
		return Order{
			Fence:    rapid.Int64Range(0, 3).Draw(t, "fence"),
			Terminal: rapid.Bool().Draw(t, "terminal"),
			Seq:      rapid.IntRange(0, 3).Draw(t, "seq"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := order.Draw(t, "a"), order.Draw(t, "b"), order.Draw(t, "c")
		if a.Before(a) {
			t.Fatalf("%+v is before itself", a)
		}
		if a.Before(b) && b.Before(a) {
			t.Fatalf("%+v and %+v are before each other", a, b)
		}
		if a.Before(b) && b.Before(c) && !a.Before(c) {
			t.Fatalf("%+v, %+v, %+v are not transitive", a, b, c)
		}
		equal := a == b || a.Fence == b.Fence && a.Terminal && b.Terminal
		if !equal && !a.Before(b) && !b.Before(a) {
			t.Fatalf("%+v and %+v have no order", a, b)
		}
		if equal && (a.Before(b) || b.Before(a)) {
			t.Fatalf("%+v and %+v are equal and ordered", a, b)
		}
		if a.Fence < b.Fence && !a.Before(b) {
			t.Fatalf("%+v is of an older fence than %+v, not before it", a, b)
		}
		if a.Fence == b.Fence && b.Terminal && !a.Terminal && !a.Before(b) {
			t.Fatalf("%+v is not before the terminal %+v", a, b)
		}
	})
}

func TestTerminalKinds(t *testing.T) {
	for _, r := range sampleReplies() {
		want := r.Kind != Working && r.Kind != Partial && r.Kind != Opened && r.Kind != Rated
		if r.Kind.Terminal() != want || r.Order() != (Order{r.Fence, want, r.Seq}) {
			t.Errorf("%s: terminal %v, order %+v", r.Kind, r.Kind.Terminal(), r.Order())
		}
	}
}

// TestControl checks which gestures do not wait behind questions.
func TestControl(t *testing.T) {
	waiting := map[Kind]bool{KindAsk: true, KindReset: true, KindHelp: true, KindUsage: true, KindRemember: true, KindForget: true, KindApprove: true, KindReject: true}
	for _, m := range sampleMessages() {
		if m.Kind.Control() == waiting[m.Kind] {
			t.Errorf("%s: control %v", m.Kind, m.Kind.Control())
		}
	}
}

func TestHash(t *testing.T) {
	if Hash("a", "b") == Hash("ab") || Hash("a", "b") == Hash("a\x00", "b") {
		t.Error("parts are not kept apart")
	}
	if Ref(sampleID) != Hash(sampleID)[:8] || Ref(sampleID) == Ref(sampleID+":edited:1") {
		t.Errorf("reference %s", Ref(sampleID))
	}
}

func TestUsage(t *testing.T) {
	sum := Usage{1, 2, 3, 4}.Add(Usage{10, 20, 30, 40})
	if sum != (Usage{11, 22, 33, 44}) || sum.Total() != 110 {
		t.Errorf("%+v, total %d", sum, sum.Total())
	}
}
