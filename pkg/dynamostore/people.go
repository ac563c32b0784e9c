package dynamostore

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"parley/pkg/pipeline"
)

// settingsItem is what a person chose.
type settingsItem struct {
	key
	pipeline.Settings
}

// Settings implements pipeline.People.
func (s *Store) Settings(ctx context.Context, person string) (pipeline.Settings, error) {
	var i settingsItem
	_, err := s.get(ctx, "read settings", settingsKey(person), &i)
	return i.Settings, err
}

// SaveSettings implements pipeline.People.
func (s *Store) SaveSettings(ctx context.Context, person string, v pipeline.Settings) error {
	item, err := encode(settingsItem{settingsKey(person), v})
	if err != nil {
		return err
	}
	if _, err := s.client.PutItem(ctx, &dynamodb.PutItemInput{TableName: &s.table, Item: item}); err != nil {
		return classify("save settings", err)
	}
	return nil
}

// askedItem says where a turn is. It is written with the turn and lives as long.
type askedItem struct {
	key
	TTL          int64  `json:"ttl"`
	Conversation string `json:"conversation"`
	SentAt       string `json:"sent_at"`
	MessageID    string `json:"message_id"`
}

func (s *Store) newAskedItem(person string, t pipeline.Turn) askedItem {
	k := key{"U#" + person, turnSort(nanos(t.SentAt)) + "#" + t.MessageID}
	return askedItem{k, s.turnExpiry(t), t.Conversation, stamp(t.SentAt), t.MessageID}
}

// Asked implements pipeline.People with one query, newest first.
func (s *Store) Asked(ctx context.Context, person string, most int) ([]pipeline.TurnKey, error) {
	if most <= 0 {
		return nil, nil
	}
	e, err := expression.NewBuilder().WithKeyCondition(
		expression.Key("pk").Equal(expression.Value(settingsKey(person).PK)).
			And(expression.Key("sk").Between(expression.Value(turnSort(0)), expression.Value(turnSort(math.MaxInt64))))).Build()
	if err != nil {
		return nil, pipeline.Permanent(pipeline.ReasonStore, fmt.Errorf("read what a person asked: %w", err))
	}
	out, err := s.client.Query(ctx, &dynamodb.QueryInput{
		TableName: &s.table, ConsistentRead: aws.Bool(true),
		KeyConditionExpression: e.KeyCondition(), ExpressionAttributeNames: e.Names(), ExpressionAttributeValues: e.Values(),
		ScanIndexForward: aws.Bool(false), Limit: aws.Int32(int32(min(most, math.MaxInt32))),
	})
	if err != nil {
		return nil, classify("read what a person asked", err)
	}
	var keys []pipeline.TurnKey
	for _, item := range out.Items {
		var i askedItem
		if err := decode(item, &i); err != nil {
			return nil, err
		}
		if i.TTL <= time.Now().Unix() {
			continue
		}
		sent, err := unstamp(i.SentAt)
		if err != nil {
			return nil, err
		}
		keys = append(keys, pipeline.TurnKey{Conversation: i.Conversation, SentAt: sent, MessageID: i.MessageID})
	}
	return keys, nil
}
