package dynamotest

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	maxItem    = 400 << 10
	maxPage    = 1 << 20
	lag        = time.Second    // of reads that are not strongly consistent
	ttlLag     = 48 * time.Hour // between an item's expiry and its removal
	keyLimit   = 2048
	rangeLimit = 1024
)

// table has the string keys pk and sk, as all of Parley's, and removes items by
// their ttl.
type table struct {
	items map[keys]*row
	swept time.Time
}

type keys struct{ pk, sk string }

// row is an item and what it was before its last write.
type row struct {
	now, before item // nil where there is none
	changed     time.Time
}

// CreateTable makes an empty table with the string keys pk and sk, and a time to
// live on ttl.
func (s *Server) CreateTable(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tables[name] = &table{items: map[keys]*row{}}
}

// Keys lists the keys of every item in a table, "pk sk", in order.
func (s *Server) Keys(name string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.table(name)
	if err != nil {
		return nil
	}
	var out []string
	for k, r := range t.items {
		if r.now != nil {
			out = append(out, k.pk+" "+k.sk)
		}
	}
	slices.Sort(out)
	return out
}

func (s *Server) createTable(in struct {
	TableName string
	KeySchema []struct{ AttributeName, KeyType string }
}) (any, error) {
	if _, ok := s.tables[in.TableName]; ok {
		return nil, refuse("ResourceInUseException", "Table already exists: "+in.TableName)
	}
	if len(in.KeySchema) != 2 || in.KeySchema[0].AttributeName != "pk" || in.KeySchema[1].AttributeName != "sk" {
		return nil, invalid("the fake has tables with the keys pk and sk only")
	}
	s.tables[in.TableName] = &table{items: map[keys]*row{}}
	return s.describe(in.TableName), nil
}

func (s *Server) describeTable(in struct{ TableName string }) (any, error) {
	if _, err := s.table(in.TableName); err != nil {
		return nil, err
	}
	return map[string]any{"Table": s.describe(in.TableName)["TableDescription"]}, nil
}

func (s *Server) describe(name string) map[string]any {
	return map[string]any{"TableDescription": map[string]any{
		"TableName": name, "TableStatus": "ACTIVE", "ItemCount": len(s.tables[name].items),
		"TableArn":  "arn:aws:dynamodb:us-east-1:000000000000:table/" + name,
		"KeySchema": []map[string]string{{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}},
	}}
}

func (s *Server) table(name string) (*table, error) {
	t := s.tables[name]
	if t == nil {
		return nil, refuse("ResourceNotFoundException", "Requested resource not found: Table: "+name+" not found")
	}
	t.sweep()
	return t, nil
}

// sweep removes what expired long enough ago, about once a minute.
func (t *table) sweep() {
	if since := time.Since(t.swept); since >= 0 && since < time.Minute {
		return
	}
	t.swept = time.Now()
	for k, r := range t.items {
		if r.now != nil && removed(r.now) {
			delete(t.items, k)
		}
	}
}

// removed reports whether the time-to-live sweep has come by.
func removed(i item) bool {
	ttl, ok := i["ttl"]
	if !ok || ttl.kind() != "N" {
		return false
	}
	at, err := strconv.ParseInt(ttl.text(), 10, 64)
	return err == nil && time.Now().After(time.Unix(at, 0).Add(ttlLag))
}

func keysOf(i item) (keys, error) {
	pk, sk := i["pk"], i["sk"]
	switch {
	case pk.kind() != "S" || sk.kind() != "S":
		return keys{}, invalid("One of the required keys was not given a value of type S")
	case pk.text() == "" || sk.text() == "":
		return keys{}, invalid("One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value.")
	case len(pk.text()) > keyLimit || len(sk.text()) > rangeLimit:
		return keys{}, invalid("One or more parameter values were invalid: Size of a key has exceeded the maximum size limit")
	}
	return keys{pk.text(), sk.text()}, nil
}

func (t *table) read(k keys, consistent bool) item {
	r := t.items[k]
	switch {
	case r == nil:
		return nil
	case !consistent && time.Since(r.changed) < lag:
		return r.before
	}
	return r.now
}

func (t *table) write(k keys, i item) {
	r := t.items[k]
	if r == nil {
		r = &row{}
		t.items[k] = r
	}
	r.before, r.now, r.changed = r.now, i, time.Now()
}

type getInput struct {
	TableName      string
	Key            item
	ConsistentRead bool
	// What the fake does not know must not be asked for.
	ProjectionExpression json.RawMessage
}

func (s *Server) getItem(in getInput) (any, error) {
	t, err := s.table(in.TableName)
	if err != nil {
		return nil, err
	}
	k, err := keysOf(in.Key)
	switch {
	case err != nil:
		return nil, err
	case len(in.Key) != 2:
		return nil, invalid("The provided key element does not match the schema")
	case in.ProjectionExpression != nil:
		return nil, invalid("the fake does not know projections")
	}
	if i := t.read(k, in.ConsistentRead); i != nil {
		return map[string]any{"Item": i}, nil
	}
	return struct{}{}, nil
}

type queryInput struct {
	TableName              string
	KeyConditionExpression *string
	FilterExpression       *string
	ConsistentRead         bool
	ScanIndexForward       *bool
	Limit                  *int
	ExclusiveStartKey      item
	// What the fake does not know must not be asked for.
	IndexName, ProjectionExpression, Select json.RawMessage
	scope
}

func (s *Server) query(in queryInput) (any, error) {
	t, err := s.table(in.TableName)
	if err != nil {
		return nil, err
	}
	if in.IndexName != nil || in.ProjectionExpression != nil || in.Select != nil {
		return nil, invalid("the fake does not know indexes, projections and selections")
	}
	if in.KeyConditionExpression == nil || in.Limit != nil && *in.Limit < 1 {
		return nil, invalid("Either the KeyConditions or KeyConditionExpression parameter must be specified, and a Limit must be at least 1")
	}
	c := in.compiler()
	matches, filter := c.condition(in.KeyConditionExpression), c.condition(in.FilterExpression)
	if err := c.done(); err != nil {
		return nil, err
	}
	found := t.find(matches, in.ConsistentRead)
	if in.ScanIndexForward != nil && !*in.ScanIndexForward {
		slices.Reverse(found)
	}
	if in.ExclusiveStartKey != nil {
		found = after(found, in.ExclusiveStartKey)
	}
	return page(found, filter, in.Limit), nil
}

// find returns the items whose keys match, in order of the sort key.
func (t *table) find(matches condition, consistent bool) []item {
	var found []item
	for k := range t.items {
		if i := t.read(k, consistent); i != nil && matches(item{"pk": i["pk"], "sk": i["sk"]}) {
			found = append(found, i)
		}
	}
	slices.SortFunc(found, func(a, b item) int { return strings.Compare(a["sk"].text(), b["sk"].text()) })
	return found
}

func after(found []item, start item) []item {
	for n, i := range found {
		if i["sk"].text() == start["sk"].text() {
			return found[n+1:]
		}
	}
	return found
}

// page reads up to limit items and a megabyte, and then filters.
func page(found []item, filter condition, limit *int) map[string]any {
	items, size, scanned := []item{}, 0, 0
	out := map[string]any{}
	for _, i := range found {
		if limit != nil && scanned == *limit || size+i.size() > maxPage {
			last := found[scanned-1]
			out["LastEvaluatedKey"] = item{"pk": last["pk"], "sk": last["sk"]}
			break
		}
		scanned++
		size += i.size()
		if filter(i) {
			items = append(items, i)
		}
	}
	out["Items"], out["Count"], out["ScannedCount"] = items, len(items), scanned
	return out
}
