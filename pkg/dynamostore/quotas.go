package dynamostore

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"parley/pkg/pipeline"
)

// quotaItem is a counter.
type quotaItem struct {
	N int64 `json:"n"`
}

// Reserve implements pipeline.Quotas with one conditional update, because a
// condition cannot add: the limit less the amount is what may stand there.
func (s *Store) Reserve(ctx context.Context, scope, day string, amount, limit int64) (int64, bool, error) {
	if amount > limit {
		var i quotaItem
		_, err := s.get(ctx, "reserve quota", quotaKey(scope, day), &i)
		return i.N, false, err
	}
	n := expression.Name("n")
	e, err := quotaUpdate(amount).
		WithCondition(n.AttributeNotExists().Or(n.LessThanEqual(expression.Value(limit - amount)))).Build()
	if err != nil {
		return 0, false, pipeline.Permanent(pipeline.ReasonStore, fmt.Errorf("reserve quota: %w", err))
	}
	out, err := s.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.table, Key: quotaKey(scope, day).attributes(),
		ConditionExpression: e.Condition(), UpdateExpression: e.Update(),
		ExpressionAttributeNames: e.Names(), ExpressionAttributeValues: e.Values(),
		ReturnValues:                        types.ReturnValueUpdatedNew,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	var i quotaItem
	var full *types.ConditionalCheckFailedException
	switch {
	case errors.As(err, &full):
		err = decode(full.Item, &i)
		return i.N, false, err
	case err != nil:
		return 0, false, classify("reserve quota", err)
	}
	err = decode(out.Attributes, &i)
	return i.N, err == nil, err
}

// Settle implements pipeline.Quotas. It is one attempt: a repeat after a lost
// answer could give the same amount back twice.
func (s *Store) Settle(ctx context.Context, scope, day string, delta int64) error {
	e, err := quotaUpdate(delta).Build()
	if err != nil {
		return pipeline.Permanent(pipeline.ReasonStore, fmt.Errorf("settle quota: %w", err))
	}
	_, err = s.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.table, Key: quotaKey(scope, day).attributes(), UpdateExpression: e.Update(),
		ExpressionAttributeNames: e.Names(), ExpressionAttributeValues: e.Values(),
	}, func(o *dynamodb.Options) { o.Retryer = aws.NopRetryer{} })
	if err != nil {
		return classify("settle quota", err)
	}
	return nil
}

func quotaUpdate(n int64) expression.Builder {
	return expression.NewBuilder().WithUpdate(
		expression.Add(expression.Name("n"), expression.Value(n)).
			Set(expression.Name("ttl"), expression.Value(expiry(quotaLife))))
}
