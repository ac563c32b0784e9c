package dynamostore

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"parley/pkg/pipeline"
)

// votedItem names a turn under the day on which it was last voted on, so that what
// was voted on since is found without a scan of everything that was ever said.
type votedItem struct {
	key
	TTL    int64  `json:"ttl"`
	TurnPK string `json:"turn_pk"`
	TurnSK string `json:"turn_sk"`
}

func votedKey(day time.Time) string { return "V#" + day.UTC().Format("20060102") }

// voted is the write that names t under the day of its newest vote; ok is false for
// a turn without votes.
func (s *Store) voted(t pipeline.Turn) (w write, ok bool, err error) {
	if len(t.Votes) == 0 {
		return w, false, nil
	}
	turn := turnKey(t.TurnKey)
	w.put, err = encode(votedItem{
		key: key{votedKey(t.Votes[len(t.Votes)-1].At), turn.PK + " " + turn.SK},
		TTL: s.turnExpiry(t), TurnPK: turn.PK, TurnSK: turn.SK,
	})
	return w, err == nil, err
}

// Rated implements pipeline.Ratings with one query for each day since.
func (s *Store) Rated(ctx context.Context, since time.Time) iter.Seq2[pipeline.Turn, error] {
	return func(yield func(pipeline.Turn, error) bool) {
		seen := map[key]bool{}
		for day := since.UTC().Truncate(24 * time.Hour); !day.After(time.Now()); day = day.AddDate(0, 0, 1) {
			for v, err := range s.votedOn(ctx, day) {
				turn := key{v.TurnPK, v.TurnSK}
				if err == nil && seen[turn] {
					continue
				}
				seen[turn] = true
				t, ok, err := s.ratedTurn(ctx, turn, since, err)
				if (ok || err != nil) && (!yield(t, err) || err != nil) {
					return
				}
			}
		}
	}
}

// votedOn reads the turns that were voted on on a day; an error ends it.
func (s *Store) votedOn(ctx context.Context, day time.Time) iter.Seq2[votedItem, error] {
	return func(yield func(votedItem, error) bool) {
		e, err := expression.NewBuilder().WithKeyCondition(expression.Key("pk").Equal(expression.Value(votedKey(day)))).Build()
		if err != nil {
			yield(votedItem{}, pipeline.Permanent(pipeline.ReasonStore, fmt.Errorf("read votes: %w", err)))
			return
		}
		var from map[string]types.AttributeValue
		for first := true; first || from != nil; first = false {
			out, err := s.client.Query(ctx, &dynamodb.QueryInput{
				TableName: &s.table, ConsistentRead: aws.Bool(true), ExclusiveStartKey: from,
				KeyConditionExpression: e.KeyCondition(), ExpressionAttributeNames: e.Names(), ExpressionAttributeValues: e.Values(),
			})
			if err != nil {
				yield(votedItem{}, classify("read votes", err))
				return
			}
			for _, item := range out.Items {
				var v votedItem
				if err := decode(item, &v); !yield(v, err) || err != nil {
					return
				}
			}
			if from = out.LastEvaluatedKey; len(from) == 0 {
				return
			}
		}
	}
}

// ratedTurn reads a turn that was voted on; ok is false where it is gone or was
// voted on before since only. err is what reading of it has failed with.
func (s *Store) ratedTurn(ctx context.Context, k key, since time.Time, err error) (t pipeline.Turn, ok bool, _ error) {
	if err != nil {
		return t, false, err
	}
	var i turnItem
	ok, err = s.get(ctx, "read turn", k, &i)
	if err != nil || !ok || i.expired() {
		return t, false, err
	}
	t, err = i.record(k.PK[len(conversationKey("")):])
	return t, err == nil && t.RatedSince(since), err
}
