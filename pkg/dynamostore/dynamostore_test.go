package dynamostore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley/pkg/chat"
	"parley/pkg/dynamostore"
	"parley/pkg/dynamostore/dynamotest"
	"parley/pkg/pipeline"
)

const conversation = "slack/A1/C1/1"

var asked = time.Date(2026, 11, 21, 9, 30, 0, 123456789, time.UTC)

// fault makes the first n calls of action meet f.
func fault(s *dynamotest.Server, action string, n int, f dynamotest.Fault) {
	s.Inject(func(a string) dynamotest.Fault {
		if a != action || n == 0 {
			return dynamotest.Fault{}
		}
		n--
		return f
	})
}

func turn(id string) pipeline.Turn {
	return pipeline.Turn{
		TurnKey:  pipeline.TurnKey{Conversation: conversation, SentAt: asked, MessageID: id},
		Question: "q", Answer: "a",
	}
}

// answered is the swap that commits the answer to message id.
func answered(id string, rev int64) (pipeline.Case, pipeline.Effects) {
	t := turn(id)
	k := pipeline.Case{MessageID: id, Rev: rev, Nonce: fmt.Sprint(id, rev), State: pipeline.CaseAnswered, Turn: t.TurnKey}
	return k, pipeline.Effects{Put: &t, UnlessStopped: &t.TurnKey}
}

// A write that took effect while its answer was lost is a success, whether it is
// one item or a transaction, and it is made once.
func TestLostAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, store := newFake()
		ctx := t.Context()

		fault(server, "PutItem", 1, dynamotest.Fault{Lost: true})
		claim := pipeline.Case{MessageID: "m", Rev: 1, Nonce: "n1", State: pipeline.CaseWorking}
		if err := store.SwapCase(ctx, claim, pipeline.Effects{}); err != nil {
			t.Errorf("claim: %v", err)
		}
		fault(server, "TransactWriteItems", 1, dynamotest.Fault{Lost: true})
		commit, with := answered("m", 2)
		if err := store.SwapCase(ctx, commit, with); err != nil {
			t.Errorf("commit: %v", err)
		}
		if n := server.Calls("PutItem") + server.Calls("TransactWriteItems"); n != 4 {
			t.Errorf("%d calls, want each write twice", n)
		}
		if k, err := store.LoadCase(ctx, "m"); err != nil || k.Rev != 2 || k.State != pipeline.CaseAnswered {
			t.Errorf("case = %+v, %v", k, err)
		}
		// Asked once more by the stage itself, the swap still knows its own write.
		if err := store.SwapCase(ctx, commit, with); err != nil {
			t.Errorf("commit again: %v", err)
		}
		commit.Nonce = "somebody else's"
		if err := store.SwapCase(ctx, commit, with); !errors.Is(err, pipeline.ErrConflict) {
			t.Errorf("another writer's commit: %v, want ErrConflict", err)
		}
	})
}

// When every answer is lost the outcome is unknown, and said to be.
func TestUnknownOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, store := newFake()
		fault(server, "TransactWriteItems", 100, dynamotest.Fault{Lost: true})
		commit, with := answered("m", 1)
		err := store.SwapCase(t.Context(), commit, with)
		if !errors.Is(err, pipeline.ErrOutcomeUnknown) || errors.Is(err, pipeline.ErrConflict) {
			t.Errorf("%v, want an unknown outcome", err)
		}
		if k, err := store.LoadCase(t.Context(), "m"); err != nil || k.Nonce != commit.Nonce {
			t.Errorf("case = %+v, %v; the write had taken effect", k, err)
		}
	})
}

// Somebody else's transaction on the same items is waited for, but not for ever.
func TestTransactionConflicts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, store := newFake()
		commit, with := answered("m", 1)
		fault(server, "TransactWriteItems", 3, dynamotest.Fault{Conflict: true})
		start := time.Now()
		if err := store.SwapCase(t.Context(), commit, with); err != nil {
			t.Errorf("after three conflicts: %v", err)
		}
		if took := time.Since(start); took == 0 || took > time.Second {
			t.Errorf("waited %v between four tries", took)
		}
		claim := pipeline.Case{MessageID: "n", Rev: 1}
		fault(server, "PutItem", 1, dynamotest.Fault{Conflict: true})
		if err := store.SwapCase(t.Context(), claim, pipeline.Effects{}); err != nil {
			t.Errorf("put after a conflict: %v", err)
		}
		fault(server, "TransactWriteItems", 100, dynamotest.Fault{Conflict: true})
		commit, with = answered("o", 1)
		err := store.SwapCase(t.Context(), commit, with)
		if e := pipeline.Classify(err); err == nil || !e.Throttled || e.Unknown || errors.Is(err, pipeline.ErrConflict) {
			t.Errorf("conflicts without end: %v, want throttled, and nothing written", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := store.SwapCase(ctx, commit, with); !errors.Is(err, context.Canceled) {
			t.Errorf("with an ended context: %v", err)
		}
	})
}

// Reads are strongly consistent: the fake's others lag a second behind.
func TestReadsSeeTheLastWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, store := newFake()
		ctx := t.Context()
		commit, with := answered("m", 1)
		placed := pipeline.Placed{MessageID: "m", Rev: 1, At: pipeline.Placement{Posts: []pipeline.Post{{ID: "C1/1"}}}}
		marker := pipeline.Markers{StopBefore: asked}
		if err := errors.Join(store.Mark(ctx, conversation, marker), store.SwapCase(ctx, commit, with), store.SwapDelivery(ctx, placed)); err != nil {
			t.Fatal(err)
		}
		k, err1 := store.LoadCase(ctx, "m")
		_, found, err2 := store.Turn(ctx, commit.Turn)
		recent, err3 := store.Recent(ctx, conversation, pipeline.Window{Turns: 5, Tokens: 1000})
		d, err4 := store.LoadDelivery(ctx, "m")
		owner, err5 := store.PostOwner(ctx, "C1/1")
		m, err6 := store.Markers(ctx, conversation)
		if err := errors.Join(err1, err2, err3, err4, err5, err6); err != nil {
			t.Fatal(err)
		}
		if k.Rev != 1 || !found || len(recent) != 1 || d.Rev != 1 || owner != "m" || m != marker {
			t.Errorf("case %d, turn %v, recent %d, delivery %d, owner %q, markers %v", k.Rev, found, len(recent), d.Rev, owner, m)
		}
	})
}

// The cost of reading a window does not grow with the conversation.
func TestRecentIsOneBoundedQuery(t *testing.T) {
	server, store := newFake()
	ctx := t.Context()
	for i := range 60 {
		id := fmt.Sprintf("m%02d", i)
		k, with := answered(id, 1)
		with.Put.SentAt = asked.Add(time.Duration(i) * time.Minute)
		with.UnlessStopped = nil
		if err := store.SwapCase(ctx, k, with); err != nil {
			t.Fatal(err)
		}
	}
	turns, err := store.Recent(ctx, conversation, pipeline.Window{Turns: 8, Tokens: 1 << 20})
	if err != nil || len(turns) != 8 || turns[7].MessageID != "m59" {
		t.Fatalf("Recent = %d turns, %v", len(turns), err)
	}
	if n := server.Calls("Query"); n != 1 {
		t.Errorf("%d queries for one window", n)
	}
	for _, w := range []pipeline.Window{{}, {Turns: 5}, {Tokens: 5}, {Turns: 5, Tokens: 5, After: asked.Add(time.Hour), Before: asked}} {
		if turns, err := store.Recent(ctx, conversation, w); err != nil || len(turns) != 0 {
			t.Errorf("Recent(%+v) = %d turns, %v; want none", w, len(turns), err)
		}
	}
	if n := server.Calls("Query"); n != 1 {
		t.Error("an empty window was asked for")
	}
}

// Long documents do not make a turn that DynamoDB refuses.
func TestHugeAttachments(t *testing.T) {
	_, store := newFake()
	k, with := answered("m", 1)
	with.Put.Attachments = strings.Repeat("文", 1<<20)
	if err := store.SwapCase(t.Context(), k, with); err != nil {
		t.Fatal(err)
	}
	got, ok, err := store.Turn(t.Context(), k.Turn)
	if err != nil || !ok || len(got.Attachments) < 100<<10 || !strings.HasSuffix(got.Attachments, "文") {
		t.Errorf("turn: %v, %v, %d bytes of attachments", ok, err, len(got.Attachments))
	}
}

// Placement's edges: a post without an id yet, one named twice, and too many.
func TestPostsOfADelivery(t *testing.T) {
	_, store := newFake()
	p := pipeline.Placed{MessageID: "m", Rev: 1, Order: chat.Order{Fence: 1}}
	p.At.Posts = []pipeline.Post{{ID: "C1/1"}, {ID: ""}, {ID: "C1/1"}}
	if err := store.SwapDelivery(t.Context(), p); err != nil {
		t.Error(err)
	}
	other := pipeline.Placed{MessageID: "n", Rev: 1, At: pipeline.Placement{Posts: []pipeline.Post{{ID: ""}}}}
	if err := store.SwapDelivery(t.Context(), other); err != nil {
		t.Errorf("another answer's post without an id: %v", err)
	}
	p.Rev = 2
	p.At.Posts = make([]pipeline.Post, 100)
	if err := store.SwapDelivery(t.Context(), p); err == nil || !pipeline.Classify(err).Permanent {
		t.Errorf("100 posts: %v, want a permanent error", err)
	}
}

func TestErrorsAreClassified(t *testing.T) {
	cases := []struct {
		code   string
		status int
		want   pipeline.Error
	}{
		{"AccessDeniedException", 400, pipeline.Error{Permanent: true, Reason: pipeline.ReasonConfig}},
		{"ResourceNotFoundException", 400, pipeline.Error{Permanent: true, Reason: pipeline.ReasonConfig}},
		{"ValidationException", 400, pipeline.Error{Permanent: true, Reason: pipeline.ReasonStore}},
		{"ProvisionedThroughputExceededException", 400, pipeline.Error{Throttled: true, Reason: pipeline.ReasonStore}},
		{"ThrottlingException", 400, pipeline.Error{Throttled: true, Reason: pipeline.ReasonStore}},
		{"InternalServerError", 500, pipeline.Error{Unknown: true, Reason: pipeline.ReasonStore}},
	}
	for _, c := range cases {
		synctest.Test(t, func(t *testing.T) {
			server, store := newFake()
			server.Inject(func(string) dynamotest.Fault { return dynamotest.Fault{Status: c.status, Code: c.code} })
			ctx := t.Context()
			commit, with := answered("m", 1)
			_, load := store.LoadCase(ctx, "m")
			_, recent := store.Recent(ctx, conversation, pipeline.Window{Turns: 1, Tokens: 1})
			_, _, reserve := store.Reserve(ctx, "U1", "20261121", 1, 2)
			for what, err := range map[string]error{
				"load": load, "recent": recent, "reserve": reserve,
				"commit": store.SwapCase(ctx, commit, with),
				"claim":  store.SwapCase(ctx, commit, pipeline.Effects{}),
				"mark":   store.Mark(ctx, conversation, pipeline.Markers{StopBefore: asked}),
				"settle": store.Settle(ctx, "U1", "20261121", 1),
			} {
				if err == nil {
					t.Errorf("%s: %s: no error", c.code, what)
					continue
				}
				got := *pipeline.Classify(err)
				got.Err = nil
				if got != c.want {
					t.Errorf("%s: %s: %+v, want %+v", c.code, what, got, c.want)
				}
			}
		})
	}
}

// A settlement whose answer is lost is not repeated: it could give back twice.
func TestSettleOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, store := newFake()
		ctx := t.Context()
		if _, _, err := store.Reserve(ctx, "U1", "20261121", 10, 10); err != nil {
			t.Fatal(err)
		}
		fault(server, "UpdateItem", 1, dynamotest.Fault{Lost: true})
		if err := store.Settle(ctx, "U1", "20261121", -4); !errors.Is(err, pipeline.ErrOutcomeUnknown) {
			t.Errorf("Settle: %v, want an unknown outcome", err)
		}
		if used, _, err := store.Reserve(ctx, "U1", "20261121", 100, 10); err != nil || used != 6 {
			t.Errorf("used %d, %v; want 6: once", used, err)
		}
	})
}

// The keys are what the design's table of records and every deployed table say.
func TestKeys(t *testing.T) {
	server, store := newFake()
	ctx := t.Context()
	k, with := answered("slack:A1:C1:1", 1)
	_, _, err := store.Reserve(ctx, "U1", "20261121", 1, 1)
	if err := errors.Join(err,
		store.SwapCase(ctx, k, with),
		store.Mark(ctx, conversation, pipeline.Markers{ResetBefore: asked}),
		store.SwapDelivery(ctx, pipeline.Placed{MessageID: "slack:A1:C1:1", Rev: 1, At: pipeline.Placement{Posts: []pipeline.Post{{ID: "C1/2"}}}}),
	); err != nil {
		t.Fatal(err)
	}
	got := strings.Join(server.Keys("parley"), "\n")
	want := `C#slack/A1/C1/1 META
C#slack/A1/C1/1 T#1795253400123456789#slack:A1:C1:1
M#slack:A1:C1:1 CASE
M#slack:A1:C1:1 DELIVERY
P#C1/2 POST
Q#U1 D#20261121`
	if got != want {
		t.Errorf("keys are\n%s\nwant\n%s", got, want)
	}
	if dynamostore.New(server.Client(), "elsewhere", time.Hour).Mark(ctx, conversation, pipeline.Markers{ResetBefore: asked}) == nil {
		t.Error("a table that does not exist was written")
	}
}
