// Package dynamostore keeps pipeline's records on one Amazon DynamoDB table:
// cases, memory, deliveries, quotas and what belongs to a person.
//
// It promises what those contracts promise: compare-and-swap with the effects in
// one transaction, strongly consistent reads, one query for a window of memory.
// It never scans, needs no index, and rewrites nothing that grows. A write whose
// answer was lost and which the SDK repeats finds itself by its nonce.
//
// The table has the string keys pk and sk, and its time to live on ttl (seconds).
// What is in it:
//
//	C#<conversation>  T#<nanoseconds>#<message>  a turn: question and answer
//	C#<conversation>  META                       the conversation's markers
//	M#<message>       CASE                       the work on a message
//	M#<message>       DELIVERY                   where its answer stands
//	P#<post>          POST                       the message a platform post answers
//	V#<day>           <key of a turn>            a turn that was voted on that day
//	Q#<scope>         D#<day>                    what was used on a day
//	U#<person>        SETTINGS                   what a person chose for themselves
//	U#<person>        T#<nanoseconds>#<message>  where a turn is that the person asked for
package dynamostore

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"parley/pkg/pipeline"
)

// How long records live from their last write, besides turns. Cases and
// deliveries outlive the retention of queue and dead letters together.
const (
	caseLife  = 30 * 24 * time.Hour
	quotaLife = 40 * 24 * time.Hour
)

// Store is a table. It is safe for concurrent use.
type Store struct {
	client   *dynamodb.Client
	table    string
	turnLife time.Duration
}

// The contracts that Store implements.
var (
	_ pipeline.Cases      = (*Store)(nil)
	_ pipeline.Memory     = (*Store)(nil)
	_ pipeline.Deliveries = (*Store)(nil)
	_ pipeline.Quotas     = (*Store)(nil)
	_ pipeline.Ratings    = (*Store)(nil)
	_ pipeline.People     = (*Store)(nil)
)

// New returns the store in table, reached through client. Turns live turnLife
// from their last write.
func New(client *dynamodb.Client, table string, turnLife time.Duration) *Store {
	return &Store{client: client, table: table, turnLife: turnLife}
}

// key is the primary key of an item, which every record embeds.
type key struct {
	PK string `json:"pk"`
	SK string `json:"sk"`
}

func caseKey(message string) key                 { return key{"M#" + message, "CASE"} }
func deliveryKey(message string) key             { return key{"M#" + message, "DELIVERY"} }
func postKey(post string) key                    { return key{"P#" + post, "POST"} }
func metaKey(conversation string) key            { return key{"C#" + conversation, "META"} }
func quotaKey(scope, day string) key             { return key{"Q#" + scope, "D#" + day} }
func settingsKey(person string) key              { return key{"U#" + person, "SETTINGS"} }
func conversationKey(conversation string) string { return "C#" + conversation }

func turnKey(k pipeline.TurnKey) key {
	return key{conversationKey(k.Conversation), turnSort(nanos(k.SentAt)) + "#" + k.MessageID}
}

// turnSort begins the sort keys of all turns of one moment.
func turnSort(ns int64) string { return fmt.Sprintf("T#%019d", ns) }

// nanos is t on the platform's clock; nobody asked anything before 1970.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return max(t.UnixNano(), 0)
}

func fromNanos(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}

func (k key) attributes() map[string]types.AttributeValue {
	return map[string]types.AttributeValue{
		"pk": &types.AttributeValueMemberS{Value: k.PK},
		"sk": &types.AttributeValueMemberS{Value: k.SK},
	}
}

// The records' types carry JSON tags; items use the same names.
func jsonNames(o *attributevalue.EncoderOptions)        { o.TagKey = "json" }
func jsonNamesDecoded(o *attributevalue.DecoderOptions) { o.TagKey = "json" }

func encode(record any) (map[string]types.AttributeValue, error) {
	item, err := attributevalue.MarshalMapWithOptions(record, jsonNames)
	if err != nil {
		return nil, pipeline.Permanent(pipeline.ReasonStore, fmt.Errorf("encode item: %w", err))
	}
	return item, nil
}

func decode(item map[string]types.AttributeValue, record any) error {
	if err := attributevalue.UnmarshalMapWithOptions(item, record, jsonNamesDecoded); err != nil {
		return pipeline.Permanent(pipeline.ReasonStore, fmt.Errorf("decode item: %w", err))
	}
	return nil
}

// get reads the item at k into record, strongly consistent; ok is false if there
// is none.
func (s *Store) get(ctx context.Context, op string, k key, record any) (ok bool, err error) {
	out, err := s.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &s.table, Key: k.attributes(), ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return false, classify(op, err)
	}
	if len(out.Item) == 0 {
		return false, nil
	}
	return true, decode(out.Item, record)
}

// stamp writes a time as people read it, "" for the zero time.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// unstamp reads what stamp wrote.
func unstamp(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return t, pipeline.Permanent(pipeline.ReasonStore, fmt.Errorf("decode item: %w", err))
	}
	return t, nil
}

// expiry is the value of ttl for a record that lives for life from now.
func expiry(life time.Duration) int64 { return time.Now().Add(life).Unix() }

// cut shortens text to at most n bytes, at a rune.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "")
}
