package pipelinetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

// TestDeliveries holds a store to the contract of pipeline.Deliveries.
func TestDeliveries(t *testing.T, newStores func(t *testing.T) StoresUnderTest, f Features) {
	runStore(t, newStores, f, []storeTest{
		{"a delivery that is not there", testDeliveryNone},
		{"a delivery is read as it was written", testDeliveryRoundTrip},
		{"a swap needs the revision before", testDeliveryConflict},
		{"of racing swaps one wins", testDeliveryRace},
		{"posts belong to the message", testDeliveryPosts},
		{"a post of another answer is refused", testDeliveryClaimed},
		{"of racing claims of a post one wins", testDeliveryClaimRace},
		{"each write renews a delivery's life", testDeliveryRenewed},
	})
}

func (c *storeCase) swapDelivery(p pipeline.Placed) {
	c.Helper()
	if err := c.Deliveries.SwapDelivery(deadline(c.T), p); err != nil {
		c.Fatalf("SwapDelivery(%s, rev %d): %v", p.MessageID, p.Rev, err)
	}
}

func (c *storeCase) wantDelivery(want pipeline.Placed) {
	c.Helper()
	got, err := c.Deliveries.LoadDelivery(deadline(c.T), want.MessageID)
	if err != nil {
		c.Fatalf("LoadDelivery: %v", err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		c.Errorf("LoadDelivery (-want +got):\n%s", diff)
	}
}

func (c *storeCase) wantOwner(post, want string) {
	c.Helper()
	got, err := c.Deliveries.PostOwner(deadline(c.T), post)
	if err != nil || got != want {
		c.Errorf("PostOwner(%s) = %q, %v; want %q", post, got, err, want)
	}
}

// placed is a delivery with the given posts.
func placed(message string, rev int64, posts ...string) pipeline.Placed {
	p := pipeline.Placed{MessageID: message, Rev: rev, Nonce: fmt.Sprintf("%s-%d", message, rev)}
	for _, id := range posts {
		p.At.Posts = append(p.At.Posts, pipeline.Post{ID: id})
	}
	return p
}

func testDeliveryNone(c *storeCase) {
	p, err := c.Deliveries.LoadDelivery(deadline(c.T), messageID)
	if err != nil || p.Rev != 0 {
		c.Errorf("LoadDelivery = rev %d, %v; want none", p.Rev, err)
	}
	c.wantOwner("C345/1", "")
}

func testDeliveryRoundTrip(c *storeCase) {
	p := pipeline.Placed{
		MessageID: messageID, Rev: 1, Nonce: "n1", Kind: chat.Partial, UpdatedAt: c.at(1),
		Order: chat.Order{Fence: 1712345678901, Terminal: true, Seq: 4},
		At: pipeline.Placement{
			Mode: "stream", Key: "out-1", Sign: true,
			Posts:  []pipeline.Post{{ID: "C345/1712345679.000100", Hash: "h1"}, {ID: "C345/1712345679.000200"}},
			Intent: &pipeline.Intent{Part: 2, Method: "chat.postMessage", At: c.at(2)},
			Stream: &pipeline.Stream{OpenedAt: c.at(3), Length: 17, Hash: "h2", Fence: 3, Sealed: true, Closed: true},
		},
	}
	c.swapDelivery(p)
	c.wantDelivery(p)
	p = pipeline.Placed{MessageID: messageID, Rev: 2, Nonce: "n2"}
	c.swapDelivery(p)
	c.wantDelivery(p)
}

func testDeliveryConflict(c *storeCase) {
	refused := func(rev int64) {
		c.Helper()
		p := placed(messageID, rev, "C345/lost")
		p.Nonce = "loser" // a writer that finds its own nonce has written
		err := c.Deliveries.SwapDelivery(deadline(c.T), p)
		if !errors.Is(err, pipeline.ErrConflict) {
			c.Errorf("SwapDelivery(rev %d): %v, want ErrConflict", rev, err)
		}
	}
	refused(2)
	c.swapDelivery(placed(messageID, 1))
	refused(1)
	refused(3)
	c.swapDelivery(placed(messageID, 2))
	refused(2)
	c.wantDelivery(placed(messageID, 2))
	c.wantOwner("C345/lost", "")
}

func testDeliveryRace(c *storeCase) {
	errs := c.race(8, func(ctx context.Context, i int) error {
		p := placed(messageID, 1, fmt.Sprintf("C345/%d", i))
		p.Nonce = fmt.Sprint(i)
		return c.Deliveries.SwapDelivery(ctx, p)
	})
	c.wantOneWinner(errs, pipeline.ErrConflict)
	owned := 0
	for i := range errs {
		if owner, err := c.Deliveries.PostOwner(deadline(c.T), fmt.Sprintf("C345/%d", i)); err != nil {
			c.Fatal(err)
		} else if owner != "" {
			owned++
		}
	}
	if owned != 1 {
		c.Errorf("%d posts are registered, want the winner's", owned)
	}
}

func (c *storeCase) wantOneWinner(errs []error, loses error) {
	c.Helper()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else if !errors.Is(err, loses) {
			c.Errorf("a loser was told %v, want %v", err, loses)
		}
	}
	if won != 1 {
		c.Errorf("%d of %d racing writes won", won, len(errs))
	}
}

func testDeliveryPosts(c *storeCase) {
	c.swapDelivery(placed("m1", 1, "C1/1", "C1/2"))
	c.swapDelivery(placed("m2", 1, "C1/3"))
	c.swapDelivery(placed("m1", 2, "C1/1", "C1/2", "C1/4")) // its own again
	for post, owner := range map[string]string{"C1/1": "m1", "C1/2": "m1", "C1/4": "m1", "C1/3": "m2", "C1/5": "", "C1/": ""} {
		c.wantOwner(post, owner)
	}
}

func testDeliveryClaimed(c *storeCase) {
	c.swapDelivery(placed("m1", 1, "C1/1"))
	err := c.Deliveries.SwapDelivery(deadline(c.T), placed("m2", 1, "C1/9", "C1/1"))
	if !errors.Is(err, pipeline.ErrClaimed) {
		c.Errorf("SwapDelivery with another's post: %v, want ErrClaimed", err)
	}
	c.wantOwner("C1/1", "m1")
	c.wantOwner("C1/9", "")
	if p, err := c.Deliveries.LoadDelivery(deadline(c.T), "m2"); err != nil || p.Rev != 0 {
		c.Errorf("after a refused swap: rev %d, %v; want none", p.Rev, err)
	}
}

func testDeliveryClaimRace(c *storeCase) {
	errs := c.race(6, func(ctx context.Context, i int) error {
		return c.Deliveries.SwapDelivery(ctx, placed(fmt.Sprintf("m%d", i), 1, "C1/same"))
	})
	c.wantOneWinner(errs, pipeline.ErrClaimed)
}

func testDeliveryRenewed(c *storeCase) {
	if !c.f.LongWaits {
		c.Skip("needs days")
	}
	c.swapDelivery(placed("m1", 1, "C1/1"))
	c.Clock.advance(29 * 24 * time.Hour)
	c.swapDelivery(placed("m1", 2, "C1/1"))
	c.Clock.advance(29 * 24 * time.Hour)
	c.wantDelivery(placed("m1", 2, "C1/1"))
	c.wantOwner("C1/1", "m1")
}
