package webchat

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

// replied is a snapshot of the answer to message id in conversation c.
func replied(id string, fence int64, seq int, kind chat.ReplyKind, markdown string) chat.Reply {
	return chat.Reply{
		MessageID: MessageID("c", id), Conversation: Conversation("c"), Fence: fence, Seq: seq, Kind: kind,
		Markdown: markdown, AskedAt: noon, Route: json.RawMessage(`{"question":"why?"}`),
	}
}

func post(t *testing.T, h *Hub, r chat.Reply) pipeline.Placement {
	t.Helper()
	at, err := h.Post(t.Context(), pipeline.PostRequest{Reply: r}, nil)
	if err != nil {
		t.Fatalf("Post: %v", err)
	}
	return at
}

// standing is what a new watcher of conversation c is shown, by message id.
func standing(h *Hub) map[string]Snapshot {
	w := h.watch("c", 0)
	defer w.leave()
	out := map[string]Snapshot{}
	for s, ok := w.next(); ok; s, ok = w.next() {
		out[s.ID] = s
	}
	return out
}

func TestNewestStands(t *testing.T) {
	h := newHub(t, Config{})
	steps := []struct {
		reply chat.Reply
		want  string // Markdown that stands
	}{
		{replied("m", 10, 2, chat.Partial, "second"), "second"},
		{replied("m", 10, 1, chat.Partial, "first, late"), "second"},
		{replied("m", 10, 2, chat.Partial, "second, again and different"), "second"},
		{replied("m", 10, 3, chat.Final, "whole"), "whole"},
		{replied("m", 10, 9, chat.Partial, "a straggler"), "whole"},
		{replied("m", 9, 99, chat.Failed, "an older attempt"), "whole"},
		{replied("m", 11, 1, chat.Working, "asked anew"), "asked anew"},
		{replied("m", 11, 2, chat.Final, "another"), "another"},
	}
	for i, s := range steps {
		post(t, h, s.reply)
		if got := standing(h)["web:c:m"].Markdown; got != s.want {
			t.Fatalf("step %d: %q stands, want %q", i, got, s.want)
		}
	}
}

func TestPostTwiceChangesNothing(t *testing.T) {
	h := newHub(t, Config{})
	r := replied("m", 1, 1, chat.Final, "answer")
	first := post(t, h, r)
	w := h.watch("c", h.version)
	defer w.leave()
	second, err := h.Post(t.Context(), pipeline.PostRequest{Reply: r, At: first, Redelivered: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("placement (-first +second):\n%s", diff)
	}
	if len(first.Posts) != 1 || first.Posts[0].ID != "web/c/web:c:m" || first.Posts[0].Hash == "" {
		t.Errorf("placed at %+v", first)
	}
	if s, ok := w.next(); ok {
		t.Errorf("watchers were told of %+v", s)
	}
	changed := post(t, h, replied("m", 2, 1, chat.Final, "other"))
	if changed.Posts[0].ID != first.Posts[0].ID || changed.Posts[0].Hash == first.Posts[0].Hash {
		t.Errorf("another answer is at %+v, the first at %+v", changed, first)
	}
}

// A process that knows nothing of an answer shows it where its record says it is.
func TestPostAfterRestart(t *testing.T) {
	r := replied("m", 1, 1, chat.Partial, "half")
	at := post(t, newHub(t, Config{}), r)
	h := newHub(t, Config{})
	r.Seq, r.Kind, r.Markdown = 2, chat.Final, "whole"
	again, err := h.Post(t.Context(), pipeline.PostRequest{Reply: r, At: at}, nil)
	if err != nil || again.Posts[0].ID != at.Posts[0].ID {
		t.Errorf("placed at %+v, %v; was at %+v", again, err, at)
	}
	if s := standing(h)["web:c:m"]; s.Markdown != "whole" || s.Question != "why?" {
		t.Errorf("shown: %+v", s)
	}
}

func TestWithdrawn(t *testing.T) {
	h := newHub(t, Config{})
	post(t, h, replied("m", 1, 1, chat.Final, "answer"))
	gone := replied("m", 2, 1, chat.Withdrawn, "")
	if at := post(t, h, gone); len(at.Posts) != 0 {
		t.Errorf("a withdrawn answer is placed at %+v", at)
	}
	post(t, h, replied("m", 1, 5, chat.Final, "late"))
	want := Snapshot{ID: "web:c:m", Kind: chat.Withdrawn, AskedAt: noon, Ref: chat.Ref("web:c:m")}
	if diff := cmp.Diff(map[string]Snapshot{want.ID: want}, standing(h)); diff != "" {
		t.Errorf("what stands (-want +got):\n%s", diff)
	}
}

func TestPostElsewhere(t *testing.T) {
	h := newHub(t, Config{})
	for _, c := range []chat.Conversation{
		{Platform: chat.Slack, Tenant: "A1", Channel: "C1"}, Conversation(""), Conversation("a/b"),
	} {
		r := replied("m", 1, 1, chat.Final, "x")
		r.Conversation = c
		_, err := h.Post(t.Context(), pipeline.PostRequest{Reply: r}, nil)
		if e := pipeline.Classify(err); err == nil || !e.Permanent || e.Reason != pipeline.ReasonChat {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestSnapshot(t *testing.T) {
	retry := &chat.Token{Fence: 7, Reason: "model"}
	for _, c := range []struct {
		name  string
		reply chat.Reply
		want  Snapshot // Kind, Markdown, HTML, Retry
	}{
		{"working says nothing by itself", chat.Reply{Kind: chat.Working}, Snapshot{}},
		{"working with a reason", chat.Reply{Kind: chat.Working, Markdown: "busy"}, Snapshot{Markdown: "busy", HTML: "<p>busy</p>\n"}},
		{"a failure can be retried", chat.Reply{Kind: chat.Failed, Reason: "model", Markdown: "sorry"}, Snapshot{Markdown: "sorry", HTML: "<p>sorry</p>\n", Retry: retry}},
		{"a refusal cannot", chat.Reply{Kind: chat.Failed, Reason: "refused", Markdown: "no"}, Snapshot{Markdown: "no", HTML: "<p>no</p>\n"}},
		{"nor can a budget", chat.Reply{Kind: chat.Failed, Reason: "budget", Markdown: "no"}, Snapshot{Markdown: "no", HTML: "<p>no</p>\n"}},
		{"stopped before a word", chat.Reply{Kind: chat.Stopped, Language: "zh"}, Snapshot{Markdown: "已停止。", HTML: "<p>已停止。</p>\n"}},
		{"stopped in the middle", chat.Reply{Kind: chat.Stopped, Markdown: "so"}, Snapshot{Markdown: "so\n\n_Stopped._", HTML: "<p>so</p>\n<p><em>Stopped.</em></p>\n"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.reply.MessageID, c.reply.Fence = "web:c:m", 7
			got := snapshotOf(c.reply)
			c.want.ID, c.want.Kind, c.want.Ref = "web:c:m", c.reply.Kind, chat.Ref("web:c:m")
			got.Citations = nil
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestCitationsLeadToTheWebOrNowhere(t *testing.T) {
	in := []chat.Citation{
		{Number: 1, URL: "https://a.example/x"}, {Number: 2, URL: "javascript:alert(1)", Title: "t"},
		{Number: 3, URL: "file:///etc/passwd"}, {Number: 4, URL: "%zz"}, {Number: 5},
	}
	got := snapshotOf(chat.Reply{Kind: chat.Final, Citations: in}).Citations
	want := []chat.Citation{{Number: 1, URL: "https://a.example/x"}, {Number: 2, Title: "t"}, {Number: 3}, {Number: 4}, {Number: 5}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if in[1].URL == "" {
		t.Error("the reply itself was changed")
	}
}

// However long it runs, a Hub keeps a bounded number of answers, the unfinished and
// the latest before others.
func TestBounds(t *testing.T) {
	h := newHub(t, Config{})
	kept := []string{MessageID("c", fmt.Sprint(2*maxItems-1))}
	for i := range maxItems / 2 {
		r := replied(fmt.Sprint("open", i), 1, 1, chat.Working, "")
		post(t, h, r)
		kept = append(kept, r.MessageID)
	}
	for i := range 2 * maxItems {
		post(t, h, replied(fmt.Sprint(i), 1, 1, chat.Final, "x"))
	}
	got := standing(h)
	if len(got) != maxItems {
		t.Errorf("%d answers stand, want %d", len(got), maxItems)
	}
	for _, id := range kept {
		if _, ok := got[id]; !ok {
			t.Errorf("answer %s is gone", id)
		}
	}
	watched := h.watch("watched", 0)
	defer watched.leave()
	for i := range 2 * maxTalks {
		h.sentAt(fmt.Sprint("t", i), noon)
	}
	if len(h.talks) > maxTalks || h.talks["watched"] == nil {
		t.Errorf("%d conversations are kept; the watched one: %v", len(h.talks), h.talks["watched"] != nil)
	}
}

func TestCapabilities(t *testing.T) {
	if got, want := newHub(t, Config{}).Capabilities(), (pipeline.Capabilities{Edit: true, Lookup: true, Stream: true}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestSubscribe(t *testing.T) {
	h := newHub(t, Config{})
	post(t, h, replied("m", 1, 1, chat.Partial, "half"))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var got []string
	for s := range h.Subscribe(ctx, "c") {
		got = append(got, s.Markdown)
		if s.Kind.Terminal() {
			break
		}
		// While this loop is busy, snapshots pass by; it meets the newest.
		post(t, h, replied("m", 1, 2, chat.Partial, "more"))
		post(t, h, replied("m", 1, 3, chat.Final, "whole"))
	}
	if diff := cmp.Diff([]string{"half", "whole"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if n := len(h.talks["c"].watchers); n != 0 {
		t.Errorf("%d watchers are left", n)
	}
	cancel()
	for s := range h.Subscribe(ctx, "c") { // yields what stands and ends with ctx
		if s.Markdown != "whole" {
			t.Errorf("yielded %+v", s)
		}
	}
}
