package dynamostore

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

// maxPosts is how many posts one answer may have: a transaction takes a hundred
// actions, one of which is the record.
const maxPosts = 99

// deliveryItem is a delivery record as stored.
type deliveryItem struct {
	key
	TTL       int64              `json:"ttl"`
	Rev       int64              `json:"rev"`
	Nonce     string             `json:"nonce,omitempty"`
	Order     chat.Order         `json:"order"`
	Kind      chat.ReplyKind     `json:"kind,omitempty"`
	At        pipeline.Placement `json:"at"`
	UpdatedAt string             `json:"updated_at,omitempty"`
}

// postItem says which message's answer a post belongs to.
type postItem struct {
	key
	TTL   int64  `json:"ttl"`
	Owner string `json:"owner"`
}

// LoadDelivery implements pipeline.Deliveries.
func (s *Store) LoadDelivery(ctx context.Context, messageID string) (pipeline.Placed, error) {
	var i deliveryItem
	ok, err := s.get(ctx, "load delivery", deliveryKey(messageID), &i)
	if err != nil || !ok {
		return pipeline.Placed{MessageID: messageID}, err
	}
	at, err := unstamp(i.UpdatedAt)
	return pipeline.Placed{
		MessageID: messageID, Rev: i.Rev, Nonce: i.Nonce, Order: i.Order, Kind: i.Kind, At: i.At, UpdatedAt: at,
	}, err
}

// SwapDelivery implements pipeline.Deliveries. An answer has at most 99 posts.
func (s *Store) SwapDelivery(ctx context.Context, next pipeline.Placed) error {
	if n := len(next.At.Posts); n > maxPosts {
		return pipeline.Permanent(pipeline.ReasonStore, fmt.Errorf("swap delivery: %d posts are more than %d", n, maxPosts))
	}
	item, err := encode(deliveryItem{
		key: deliveryKey(next.MessageID), TTL: expiry(caseLife), Rev: next.Rev, Nonce: next.Nonce,
		Order: next.Order, Kind: next.Kind, At: next.At, UpdatedAt: stamp(next.UpdatedAt),
	})
	if err != nil {
		return err
	}
	writes := []write{{put: item, condition: revision(next.Rev), refused: pipeline.ErrConflict}}
	mine := expression.Name("pk").AttributeNotExists().
		Or(expression.Name("owner").Equal(expression.Value(next.MessageID)))
	seen := map[string]bool{}
	for _, p := range next.At.Posts {
		if p.ID == "" || seen[p.ID] {
			continue // not posted yet, or named twice: a transaction takes an item once
		}
		seen[p.ID] = true
		post, err := encode(postItem{postKey(p.ID), expiry(caseLife), next.MessageID})
		if err != nil {
			return err
		}
		writes = append(writes, write{put: post, condition: mine, refused: pipeline.ErrClaimed})
	}
	return s.commit(ctx, "swap delivery", next.Nonce, writes)
}

// PostOwner implements pipeline.Deliveries.
func (s *Store) PostOwner(ctx context.Context, postID string) (string, error) {
	var i postItem
	_, err := s.get(ctx, "read owner of post", postKey(postID), &i)
	return i.Owner, err
}
