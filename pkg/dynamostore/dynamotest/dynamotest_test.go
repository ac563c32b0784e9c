package dynamotest_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"parley/pkg/dynamostore/dynamotest"
)

type attributes = map[string]types.AttributeValue

func text(s string) types.AttributeValue   { return &types.AttributeValueMemberS{Value: s} }
func number(s string) types.AttributeValue { return &types.AttributeValueMemberN{Value: s} }

func at(pk, sk string) attributes { return attributes{"pk": text(pk), "sk": text(sk)} }

// with returns item with one more attribute.
func with(item attributes, name string, v types.AttributeValue) attributes {
	item[name] = v
	return item
}

// conduct is how a database answers one awkward request after "a"/"1" was put
// with n = 5 and s = "five": an error code, or "" for success. It holds for the
// fake and for DynamoDB Local.
type conduct struct {
	name string
	ask  func(ctx context.Context, c *dynamodb.Client, table string) error
	want string
}

const (
	invalid = "ValidationException"
	failed  = "ConditionalCheckFailedException"
)

// condition puts a/1 again, on a condition.
func condition(expression string, names map[string]string, values attributes) func(context.Context, *dynamodb.Client, string) error {
	return func(ctx context.Context, c *dynamodb.Client, table string) error {
		_, err := c.PutItem(ctx, &dynamodb.PutItemInput{
			TableName: &table, Item: seed(), ConditionExpression: &expression,
			ExpressionAttributeNames: names, ExpressionAttributeValues: values,
		})
		return err
	}
}

func seed() attributes { return with(with(at("a", "1"), "n", number("5")), "s", text("five")) }

func update(expression string, names map[string]string, values attributes) func(context.Context, *dynamodb.Client, string) error {
	return func(ctx context.Context, c *dynamodb.Client, table string) error {
		_, err := c.UpdateItem(ctx, &dynamodb.UpdateItemInput{
			TableName: &table, Key: at("a", "1"), UpdateExpression: &expression,
			ExpressionAttributeNames: names, ExpressionAttributeValues: values,
		})
		return err
	}
}

func put(item attributes) func(context.Context, *dynamodb.Client, string) error {
	return func(ctx context.Context, c *dynamodb.Client, table string) error {
		_, err := c.PutItem(ctx, &dynamodb.PutItemInput{TableName: &table, Item: item})
		return err
	}
}

func transact(token string, items ...func(table *string) types.TransactWriteItem) func(context.Context, *dynamodb.Client, string) error {
	return func(ctx context.Context, c *dynamodb.Client, table string) error {
		in := &dynamodb.TransactWriteItemsInput{ClientRequestToken: &token}
		for _, i := range items {
			in.TransactItems = append(in.TransactItems, i(&table))
		}
		_, err := c.TransactWriteItems(ctx, in)
		return err
	}
}

func putting(item attributes) func(*string) types.TransactWriteItem {
	return func(table *string) types.TransactWriteItem {
		return types.TransactWriteItem{Put: &types.Put{TableName: table, Item: item}}
	}
}

func query(expression string, values attributes) func(context.Context, *dynamodb.Client, string) error {
	return func(ctx context.Context, c *dynamodb.Client, table string) error {
		_, err := c.Query(ctx, &dynamodb.QueryInput{
			TableName: &table, KeyConditionExpression: &expression, ExpressionAttributeValues: values,
			ExpressionAttributeNames: map[string]string{"#p": "pk", "#s": "sk"},
		})
		return err
	}
}

var (
	n  = map[string]string{"#n": "n"}
	s  = map[string]string{"#s": "s"}
	x  = map[string]string{"#x": "x"}
	nx = map[string]string{"#n": "n", "#x": "x"}
	v5 = attributes{":v": number("5")}
	v6 = attributes{":v": number("6")}
)

var conducts = []conduct{
	{"equal", condition("#n = :v", n, v5), ""},
	{"not equal", condition("#n = :v", n, v6), failed},
	{"equal in another spelling", condition("#n = :v", n, attributes{":v": number("5.0")}), ""},
	{"equal in another type", condition("#n = :v", n, attributes{":v": text("5")}), failed},
	{"unequal", condition("#n <> :v", n, v6), ""},
	{"unequal to what is not there", condition("#x <> :v", x, v6), ""},
	{"equal to what is not there", condition("#x = :v", x, v6), failed},
	{"less than what is not there", condition("#x < :v", x, v6), failed},
	{"less", condition("#n < :v", n, v6), ""},
	{"numbers are no strings", condition("#n < :v", n, attributes{":v": number("10")}), ""},
	{"less in another type", condition("#n < :v", n, attributes{":v": text("9")}), failed},
	{"at most", condition("#n <= :v", n, v5), ""},
	{"greater", condition("#n > :v", n, v5), failed},
	{"at least", condition("#n >= :v", n, v5), ""},
	{"between", condition("#n BETWEEN :a AND :b", n, attributes{":a": number("1"), ":b": number("5")}), ""},
	{"between the wrong way round", condition("#n BETWEEN :a AND :b", n, attributes{":a": number("5"), ":b": number("1")}), invalid},
	{"exists", condition("attribute_exists(#n)", n, nil), ""},
	{"exists not", condition("attribute_not_exists (#x)", x, nil), ""},
	{"begins", condition("begins_with(#s, :v)", s, attributes{":v": text("fi")}), ""},
	{"begins not", condition("begins_with(#s, :v)", s, attributes{":v": text("ve")}), failed},
	{"and binds closer than or", condition("attribute_exists(#n) OR attribute_exists(#x) AND attribute_exists(#x)", nx, nil), ""},
	{"brackets", condition("(attribute_exists(#n) OR attribute_exists(#x)) AND attribute_exists(#x)", nx, nil), failed},
	{"not", condition("NOT attribute_exists(#x) AND attribute_exists(#n)", nx, nil), ""},
	{"a name unused", condition("attribute_exists(#n)", nx, nil), invalid},
	{"a value unused", condition("attribute_exists(#n)", n, v5), invalid},
	{"a name undefined", condition("attribute_exists(#x)", n, nil), invalid},
	{"a value undefined", condition("#n = :w", n, v5), invalid},
	{"half a condition", condition("#n =", n, nil), invalid},
	{"two conditions", condition("attribute_exists(#n) attribute_exists(#n)", n, nil), invalid},
	{"nonsense", condition("#n LIKE :v", n, v5), invalid},

	{"an empty key", put(at("", "1")), invalid},
	{"no sort key", put(attributes{"pk": text("a")}), invalid},
	{"a number as key", put(attributes{"pk": number("1"), "sk": text("1")}), invalid},
	{"a long sort key", put(at("b", strings.Repeat("x", 1025))), invalid},
	{"an empty string", put(with(at("b", "1"), "s", text(""))), ""},
	{"not a number", put(with(at("b", "1"), "n", number("five"))), invalid},
	{"a number too long", put(with(at("b", "1"), "n", number(strings.Repeat("9", 40)))), invalid},
	{"an item too large", put(with(at("b", "1"), "s", text(strings.Repeat("x", 400<<10)))), invalid},

	{"set", update("SET #n = :v", n, v6), ""},
	{"set from what is there", update("SET #n = #n + :v", n, v6), ""},
	{"set from what is not there", update("SET #n = #x + :v", nx, v6), invalid},
	{"set with a default", update("SET #n = if_not_exists(#x, :v) - :v", nx, v6), ""},
	{"add", update("ADD #n :v", n, v6), ""},
	{"add to what is not there", update("ADD #x :v", x, v6), ""},
	{"add to a string", update("ADD #s :v", s, v6), invalid},
	{"add and set", update("ADD #n :v SET #x = :v REMOVE #s", map[string]string{"#n": "n", "#x": "x", "#s": "s"}, v6), ""},
	{"set a key", update("SET #k = :v", map[string]string{"#k": "sk"}, attributes{":v": text("2")}), invalid},
	{"an unknown clause", update("CHANGE #n :v", n, v6), invalid},

	{"one item twice", transact("twice", putting(at("b", "1")), putting(at("b", "1"))), invalid},
	{"a transaction", transact("token", putting(at("b", "1")), putting(at("b", "2"))), ""},
	{"a transaction repeated", transact("token", putting(at("b", "1")), putting(at("b", "2"))), ""},
	{"its token with other items", transact("token", putting(at("b", "3"))), "IdempotentParameterMismatchException"},

	{"query", query("#p = :p AND #s BETWEEN :a AND :b", attributes{":p": text("a"), ":a": text("0"), ":b": text("9")}), ""},
	{"query the wrong way round", query("#p = :p AND #s BETWEEN :a AND :b", attributes{":p": text("a"), ":a": text("9"), ":b": text("0")}), invalid},
	{"another table", func(ctx context.Context, c *dynamodb.Client, table string) error {
		_, err := c.GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String(table + "x"), Key: at("a", "1")})
		return err
	}, "ResourceNotFoundException"},
}

// TestConduct holds the fake, and the emulator if it is there, to the same answers.
func TestConduct(t *testing.T) { hold(t, dynamotest.New().Client()) }

func TestConductOnEmulator(t *testing.T) {
	endpoint := os.Getenv("PARLEY_TEST_DYNAMODB_URL")
	if endpoint == "" {
		t.Skip("PARLEY_TEST_DYNAMODB_URL is not set; make test-emulators sets it")
	}
	hold(t, dynamodb.New(dynamodb.Options{
		Region: "us-east-1", BaseEndpoint: &endpoint, Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	}))
}

func hold(t *testing.T, client *dynamodb.Client) {
	t.Helper()
	table := createTable(t, client)
	for _, c := range conducts {
		if err := put(seed())(t.Context(), client, table); err != nil {
			t.Fatal(err)
		}
		if got := code(c.ask(t.Context(), client, table)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	wantValues(t, client, table)
	wantPages(t, client, table)
}

func createTable(t *testing.T, client *dynamodb.Client) string {
	t.Helper()
	name := "t" + rand.Text()
	_, err := client.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: &name, BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String("pk"), AttributeType: types.ScalarAttributeTypeS},
			{AttributeName: aws.String("sk"), AttributeType: types.ScalarAttributeTypeS},
		},
		KeySchema: []types.KeySchemaElement{
			{AttributeName: aws.String("pk"), KeyType: types.KeyTypeHash}, {AttributeName: aws.String("sk"), KeyType: types.KeyTypeRange},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func code(err error) string {
	var refused smithy.APIError
	if err == nil || !errors.As(err, &refused) {
		return strings.TrimSuffix(fmt.Sprint(err), "<nil>")
	}
	return refused.ErrorCode()
}

// wantValues checks what updates leave and return.
func wantValues(t *testing.T, client *dynamodb.Client, table string) {
	t.Helper()
	for _, c := range []struct{ expression, want string }{
		{"SET #n = #n + :v", "5.5"},
		{"ADD #n :v", "6"},
		{"SET #n = if_not_exists(#n, :v) - :v", "5.5"},
	} {
		if c.expression == "SET #n = #n + :v" {
			if err := put(seed())(t.Context(), client, table); err != nil {
				t.Fatal(err)
			}
		}
		out, err := client.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
			TableName: &table, Key: at("a", "1"), UpdateExpression: &c.expression, ReturnValues: types.ReturnValueUpdatedNew,
			ExpressionAttributeNames: n, ExpressionAttributeValues: attributes{":v": number("0.5")},
		})
		if err != nil {
			t.Fatal(err)
		}
		got, ok := out.Attributes["n"].(*types.AttributeValueMemberN)
		if !ok || strings.TrimSuffix(got.Value, ".0") != c.want || len(out.Attributes) != 1 {
			t.Errorf("%s leaves %v, want %s", c.expression, out.Attributes, c.want)
		}
	}
}

// wantPages reads a partition in pages, both ways.
func wantPages(t *testing.T, client *dynamodb.Client, table string) {
	t.Helper()
	for i := range 7 {
		if err := put(at("pages", fmt.Sprint(i)))(t.Context(), client, table); err != nil {
			t.Fatal(err)
		}
	}
	for _, forward := range []bool{true, false} {
		var got []string
		var start attributes
		for pages := 0; pages < 4; pages++ {
			out, err := client.Query(t.Context(), &dynamodb.QueryInput{
				TableName: &table, KeyConditionExpression: aws.String("#p = :p"), ConsistentRead: aws.Bool(true),
				ExpressionAttributeNames: map[string]string{"#p": "pk"}, ExpressionAttributeValues: attributes{":p": text("pages")},
				Limit: aws.Int32(3), ScanIndexForward: &forward, ExclusiveStartKey: start,
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range out.Items {
				got = append(got, i["sk"].(*types.AttributeValueMemberS).Value)
			}
			if start = out.LastEvaluatedKey; start == nil {
				break
			}
		}
		want := map[bool]string{true: "0123456", false: "6543210"}[forward]
		if strings.Join(got, "") != want {
			t.Errorf("forward %v: pages hold %v, want %s", forward, got, want)
		}
	}
}

// What the fake does not know it refuses: a test must not pass for want of it.
func TestRefusesTheUnknown(t *testing.T) {
	client := dynamotest.New().Client()
	table := createTable(t, client)
	ctx := t.Context()
	_, scan := client.Scan(ctx, &dynamodb.ScanInput{TableName: &table})
	_, projection := client.GetItem(ctx, &dynamodb.GetItemInput{TableName: &table, Key: at("a", "1"), ProjectionExpression: aws.String("n")})
	_, index := client.Query(ctx, &dynamodb.QueryInput{TableName: &table, IndexName: aws.String("i"), KeyConditionExpression: aws.String("#p = :p"),
		ExpressionAttributeNames: map[string]string{"#p": "pk"}, ExpressionAttributeValues: attributes{":p": text("a")}})
	for what, err := range map[string]error{
		"a scan": scan, "a projection": projection, "an index": index,
		"a bare name": condition("n = :v", nil, v5)(ctx, client, table),
		"a function":  condition("contains(#s, :v)", s, attributes{":v": text("i")})(ctx, client, table),
		"a set":       put(with(at("a", "1"), "s", &types.AttributeValueMemberSS{Value: []string{"x"}}))(ctx, client, table),
	} {
		if err == nil {
			t.Errorf("%s was accepted", what)
		}
	}
}

// Reads that are not strongly consistent lag; expired items stay for two days.
func TestTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := dynamotest.New().Client()
		table := createTable(t, client)
		read := func(consistent bool) bool {
			out, err := client.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: &table, Key: at("a", "1"), ConsistentRead: &consistent})
			if err != nil {
				t.Fatal(err)
			}
			return len(out.Item) > 0
		}
		expires := time.Now().Add(time.Hour).Unix()
		if err := put(with(at("a", "1"), "ttl", number(fmt.Sprint(expires))))(t.Context(), client, table); err != nil {
			t.Fatal(err)
		}
		if !read(true) || read(false) {
			t.Error("at once: want it in a consistent read alone")
		}
		time.Sleep(2 * time.Second)
		if !read(false) {
			t.Error("after two seconds: want it in every read")
		}
		time.Sleep(40 * time.Hour)
		if !read(true) {
			t.Error("40 hours later: expired, but not removed yet")
		}
		time.Sleep(10 * time.Hour)
		if read(true) {
			t.Error("50 hours later: want it removed")
		}
	})
}

// Over a socket the fake is the same server.
func TestStart(t *testing.T) {
	server := dynamotest.New()
	endpoint, stop, err := server.Start()
	if err != nil {
		t.Fatal(err)
	}
	client := dynamodb.New(dynamodb.Options{
		Region: "us-east-1", BaseEndpoint: &endpoint, Retryer: aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	})
	hold(t, client)
	server.Inject(func(string) dynamotest.Fault { return dynamotest.Fault{Lost: true} })
	table := "t"
	server.CreateTable(table)
	if err := put(at("a", "1"))(t.Context(), client, table); err == nil {
		t.Error("no error for a lost answer")
	}
	if keys := server.Keys(table); len(keys) != 1 {
		t.Errorf("the put without an answer left %v", keys)
	}
	stop()
	if _, err := http.Get(endpoint); err == nil {
		t.Error("the server answers after it was stopped")
	}
}
