package dynamostore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"parley/pkg/pipeline"
)

// write is one action of a commit: exactly one of put, drop and check is set.
type write struct {
	put, drop, check map[string]types.AttributeValue // an item, or keys of one
	condition        expression.ConditionBuilder
	refused          error // what the condition's failure means
}

// Bounds of waiting for somebody else's transaction on the same item: about half
// a second in all.
const (
	conflictTries = 7
	conflictWait  = 8 * time.Millisecond // doubled each time, with jitter
)

// commit performs writes together or not at all. The first is the record that
// carries nonce: when its condition fails because this very write was already
// made (the SDK repeats a write whose answer was lost), that is success.
func (s *Store) commit(ctx context.Context, op, nonce string, writes []write) error {
	items := make([]types.TransactWriteItem, len(writes))
	for i, w := range writes {
		item, err := s.action(w)
		if err != nil {
			return pipeline.Permanent(pipeline.ReasonStore, fmt.Errorf("%s: %w", op, err))
		}
		items[i] = item
	}
	for try := 1; ; try++ {
		err := s.send(ctx, items)
		refused, conflict := judge(err, nonce, writes)
		switch {
		case err == nil || refused == errMine:
			return nil
		case refused != nil:
			return fmt.Errorf("%s: %w", op, refused)
		case !conflict || try == conflictTries:
			return classify(op, err)
		}
		if err := sleep(ctx, conflictWait<<try); err != nil {
			return classify(op, err)
		}
	}
}

// errMine: the condition failed because the write had been made before.
var errMine = errors.New("written already")

// send makes one write as such, which costs half, and more as a transaction. A
// transaction's token is drawn by the SDK for each call, so that repeats of one
// call are one transaction.
func (s *Store) send(ctx context.Context, items []types.TransactWriteItem) error {
	if len(items) > 1 {
		_, err := s.client.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: items})
		return err
	}
	p := items[0].Put
	_, err := s.client.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: p.TableName, Item: p.Item, ConditionExpression: p.ConditionExpression,
		ExpressionAttributeNames: p.ExpressionAttributeNames, ExpressionAttributeValues: p.ExpressionAttributeValues,
		ReturnValuesOnConditionCheckFailure: p.ReturnValuesOnConditionCheckFailure,
	})
	return err
}

func (s *Store) action(w write) (types.TransactWriteItem, error) {
	var item types.TransactWriteItem
	var e expression.Expression
	if w.condition.IsSet() {
		var err error
		if e, err = expression.NewBuilder().WithCondition(w.condition).Build(); err != nil {
			return item, err
		}
	}
	old := types.ReturnValuesOnConditionCheckFailureAllOld
	switch {
	case w.put != nil:
		item.Put = &types.Put{
			TableName: &s.table, Item: w.put, ConditionExpression: e.Condition(),
			ExpressionAttributeNames: e.Names(), ExpressionAttributeValues: e.Values(),
			ReturnValuesOnConditionCheckFailure: old,
		}
	case w.drop != nil:
		item.Delete = &types.Delete{TableName: &s.table, Key: w.drop}
	default:
		item.ConditionCheck = &types.ConditionCheck{
			TableName: &s.table, Key: w.check, ConditionExpression: e.Condition(),
			ExpressionAttributeNames: e.Names(), ExpressionAttributeValues: e.Values(),
			ReturnValuesOnConditionCheckFailure: old,
		}
	}
	return item, nil
}

// judge reads why writes were refused. conflict means that another transaction
// was on one of the items, and nothing was written.
func judge(err error, nonce string, writes []write) (refused error, conflict bool) {
	var single *types.ConditionalCheckFailedException
	if errors.As(err, &single) {
		return refusal(0, single.Item, nonce, writes), false
	}
	var busy *types.TransactionConflictException
	if errors.As(err, &busy) {
		return nil, true
	}
	var canceled *types.TransactionCanceledException
	if !errors.As(err, &canceled) {
		return nil, false
	}
	for i, r := range canceled.CancellationReasons {
		if aws.ToString(r.Code) == "ConditionalCheckFailed" && i < len(writes) {
			return refusal(i, r.Item, nonce, writes), false
		}
	}
	return nil, slices.ContainsFunc(canceled.CancellationReasons, func(r types.CancellationReason) bool {
		return aws.ToString(r.Code) == "TransactionConflict"
	})
}

func refusal(i int, met map[string]types.AttributeValue, nonce string, writes []write) error {
	if i == 0 && nonce != "" && nonceOf(met) == nonce {
		return errMine
	}
	return writes[i].refused
}

// sleep waits about d.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d/2 + rand.N(d)):
		return nil
	}
}
