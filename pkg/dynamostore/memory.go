package dynamostore

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

// maxAttachments is how many bytes of documents' text a turn remembers, so that
// an item stays far below DynamoDB's 400 KB whatever people attach.
const maxAttachments = 200 << 10

// turnItem is a turn as stored.
type turnItem struct {
	key
	TTL         int64           `json:"ttl"`
	SentAt      string          `json:"sent_at"`
	MessageID   string          `json:"message_id"`
	Author      chat.Author     `json:"author"`
	Question    string          `json:"question,omitempty"`
	Answer      string          `json:"answer,omitempty"`
	Citations   []chat.Citation `json:"citations,omitempty"`
	Usage       chat.Usage      `json:"usage"`
	Model       string          `json:"model,omitempty"`
	Profile     string          `json:"profile,omitempty"`
	Private     bool            `json:"private,omitempty"`
	Stopped     bool            `json:"stopped,omitempty"`
	Votes       []pipeline.Vote `json:"votes,omitempty"`
	Attachments string          `json:"attachments,omitempty"`
	AnsweredAt  string          `json:"answered_at,omitempty"`
}

// turnExpiry counts from the answer, not from the write: feedback must not keep a
// turn longer than the reset marker that hides it.
func (s *Store) turnExpiry(t pipeline.Turn) int64 {
	if t.AnsweredAt.IsZero() {
		return expiry(s.turnLife)
	}
	return t.AnsweredAt.Add(s.turnLife).Unix()
}

func (s *Store) newTurnItem(t pipeline.Turn) turnItem {
	return turnItem{
		key: turnKey(t.TurnKey), TTL: s.turnExpiry(t), SentAt: stamp(t.SentAt), MessageID: t.MessageID,
		Author: t.Author, Question: t.Question, Answer: t.Answer, Citations: t.Citations, Usage: t.Usage,
		Model: t.Model, Profile: t.Profile, Private: t.Private, Stopped: t.Stopped, Votes: t.Votes,
		Attachments: cut(t.Attachments, maxAttachments), AnsweredAt: stamp(t.AnsweredAt),
	}
}

func (i turnItem) record(conversation string) (pipeline.Turn, error) {
	t := pipeline.Turn{
		TurnKey: pipeline.TurnKey{Conversation: conversation, MessageID: i.MessageID},
		Author:  i.Author, Question: i.Question, Answer: i.Answer, Citations: i.Citations, Usage: i.Usage,
		Model: i.Model, Profile: i.Profile, Private: i.Private, Stopped: i.Stopped, Votes: i.Votes, Attachments: i.Attachments,
	}
	var err, err2 error
	t.SentAt, err = unstamp(i.SentAt)
	t.AnsweredAt, err2 = unstamp(i.AnsweredAt)
	return t, errors.Join(err, err2)
}

// expired reports whether the turn is gone for memory, removed yet or not.
func (i turnItem) expired() bool { return i.TTL <= time.Now().Unix() }

// Recent implements pipeline.Memory with one query, newest first, of at most
// w.Turns items.
func (s *Store) Recent(ctx context.Context, conversation string, w pipeline.Window) ([]pipeline.Turn, error) {
	from, to := turnSort(0), turnSort(math.MaxInt64)
	if !w.After.IsZero() {
		from = turnSort(nanos(w.After) + 1)
	}
	if !w.Before.IsZero() {
		// Keys of turns of that moment are longer, and so come after it.
		to = turnSort(nanos(w.Before))
	}
	if w.Turns <= 0 || w.Tokens <= 0 || from > to {
		return nil, nil
	}
	e, err := expression.NewBuilder().WithKeyCondition(
		expression.Key("pk").Equal(expression.Value(conversationKey(conversation))).
			And(expression.Key("sk").Between(expression.Value(from), expression.Value(to)))).Build()
	if err != nil {
		return nil, pipeline.Permanent(pipeline.ReasonStore, fmt.Errorf("read recent turns: %w", err))
	}
	out, err := s.client.Query(ctx, &dynamodb.QueryInput{
		TableName: &s.table, ConsistentRead: aws.Bool(true),
		KeyConditionExpression: e.KeyCondition(), ExpressionAttributeNames: e.Names(), ExpressionAttributeValues: e.Values(),
		ScanIndexForward: aws.Bool(false), Limit: aws.Int32(int32(min(w.Turns, math.MaxInt32))),
	})
	if err != nil {
		return nil, classify("read recent turns", err)
	}
	return window(conversation, out.Items, w.Tokens)
}

// window takes turns, newest first, as long as they fit, and returns them oldest
// first.
func window(conversation string, items []map[string]types.AttributeValue, tokens int) ([]pipeline.Turn, error) {
	var turns []pipeline.Turn
	for _, item := range items {
		var i turnItem
		if err := decode(item, &i); err != nil {
			return nil, err
		}
		if i.expired() {
			continue
		}
		t, err := i.record(conversation)
		if err != nil {
			return nil, err
		}
		if tokens -= t.EstimateTokens(); tokens < 0 {
			break
		}
		turns = append(turns, t)
	}
	slices.Reverse(turns)
	return turns, nil
}

// Turn implements pipeline.Memory.
func (s *Store) Turn(ctx context.Context, k pipeline.TurnKey) (pipeline.Turn, bool, error) {
	var i turnItem
	ok, err := s.get(ctx, "read turn", turnKey(k), &i)
	if err != nil || !ok || i.expired() {
		return pipeline.Turn{}, false, err
	}
	t, err := i.record(k.Conversation)
	return t, err == nil, err
}

// metaItem is what a conversation has besides turns. Markers are nanoseconds, so
// that conditions can compare them.
type metaItem struct {
	ResetBefore int64 `json:"reset_before,omitempty"`
	StopBefore  int64 `json:"stop_before,omitempty"`
}

// Markers implements pipeline.Memory.
func (s *Store) Markers(ctx context.Context, conversation string) (pipeline.Markers, error) {
	var m metaItem
	if _, err := s.get(ctx, "read markers", metaKey(conversation), &m); err != nil {
		return pipeline.Markers{}, err
	}
	return pipeline.Markers{ResetBefore: fromNanos(m.ResetBefore), StopBefore: fromNanos(m.StopBefore)}, nil
}

// Mark implements pipeline.Memory: one conditional update for each marker given.
func (s *Store) Mark(ctx context.Context, conversation string, m pipeline.Markers) error {
	for name, at := range map[string]time.Time{"reset_before": m.ResetBefore, "stop_before": m.StopBefore} {
		if at.IsZero() {
			continue
		}
		if err := s.mark(ctx, metaKey(conversation), name, nanos(at)); err != nil {
			return err
		}
	}
	return nil
}

// mark sets a marker unless a later one stands. Markers outlive every turn that
// was asked before them and may still be answered.
func (s *Store) mark(ctx context.Context, k key, name string, at int64) error {
	e, err := expression.NewBuilder().
		WithCondition(expression.Name(name).AttributeNotExists().Or(expression.Name(name).LessThan(expression.Value(at)))).
		WithUpdate(expression.Set(expression.Name(name), expression.Value(at)).
			Set(expression.Name("ttl"), expression.Value(expiry(s.turnLife+caseLife)))).Build()
	if err != nil {
		return pipeline.Permanent(pipeline.ReasonStore, fmt.Errorf("set marker: %w", err))
	}
	_, err = s.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.table, Key: k.attributes(),
		ConditionExpression: e.Condition(), UpdateExpression: e.Update(),
		ExpressionAttributeNames: e.Names(), ExpressionAttributeValues: e.Values(),
	})
	var later *types.ConditionalCheckFailedException
	if err == nil || errors.As(err, &later) {
		return nil
	}
	return classify("set marker", err)
}
