package dynamotest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// single is one write: the input of PutItem, UpdateItem and DeleteItem, and an
// action of a transaction.
type single struct {
	TableName                           string
	Item, Key                           item
	ConditionExpression                 *string
	UpdateExpression                    *string
	ReturnValues                        string
	ReturnValuesOnConditionCheckFailure string
	scope
}

// plan is a write that was read and understood, but not made.
type plan struct {
	table  *table
	keys   keys
	holds  bool // its condition does
	before item
	after  item // nil deletes
	check  bool // it writes nothing
	in     single
}

const tokenLife = 10 * time.Minute

type tokenEntry struct {
	request string
	at      time.Time
}

func (s *Server) plan(action string, in single) (plan, error) {
	t, err := s.table(in.TableName)
	if err != nil {
		return plan{}, err
	}
	key := in.Key
	if action == "PutItem" {
		key = in.Item
	} else if len(key) != 2 {
		return plan{}, invalid("The provided key element does not match the schema")
	}
	k, err := keysOf(key)
	if err != nil {
		return plan{}, err
	}
	p := plan{table: t, keys: k, before: t.read(k, true), in: in}
	c := in.compiler()
	holds := c.condition(in.ConditionExpression)
	var change update
	if action == "UpdateItem" && in.UpdateExpression != nil {
		change = c.update(*in.UpdateExpression)
	}
	if err := c.done(); err != nil {
		return plan{}, err
	}
	p.holds = holds(p.before)
	return p, p.apply(action, change)
}

// apply computes what the item becomes.
func (p *plan) apply(action string, change update) error {
	switch action {
	case "PutItem":
		p.after = p.in.Item
	case "UpdateItem":
		p.after = p.before.clone()
		if p.after == nil {
			p.after = item{"pk": p.in.Key["pk"], "sk": p.in.Key["sk"]}
		}
		if change != nil && p.holds {
			if err := change(p.before, p.after); err != nil {
				return err
			}
		}
	case "ConditionCheck":
		p.check = true
		if p.in.ConditionExpression == nil {
			return invalid("A ConditionCheck needs a condition")
		}
	}
	if p.after.size() > maxItem {
		return invalid("Item size has exceeded the maximum allowed size")
	}
	return p.after.check()
}

func (p plan) make() {
	if !p.check {
		p.table.write(p.keys, p.after)
	}
}

// seen is what a failed condition may show of the item.
func (p plan) seen() item {
	if p.in.ReturnValuesOnConditionCheckFailure == "ALL_OLD" {
		return p.before
	}
	return nil
}

func (s *Server) writeItem(action string, in single, conflict bool) (any, error) {
	p, err := s.plan(action, in)
	if err != nil {
		return nil, err
	}
	if conflict {
		return nil, refuse("TransactionConflictException", "Transaction is ongoing for the item")
	}
	if !p.holds {
		return nil, &refusal{status: http.StatusBadRequest, code: "ConditionalCheckFailedException", message: "The conditional request failed", item: p.seen()}
	}
	p.make()
	switch in.ReturnValues {
	case "", "NONE":
		return struct{}{}, nil
	case "ALL_OLD":
		return map[string]any{"Attributes": p.before}, nil
	case "ALL_NEW":
		return map[string]any{"Attributes": p.after}, nil
	case "UPDATED_NEW":
		changed := item{}
		for name, v := range p.after {
			if old, ok := p.before[name]; name != "pk" && name != "sk" && (!ok || !equal(old, v)) {
				changed[name] = v
			}
		}
		return map[string]any{"Attributes": changed}, nil
	}
	return nil, invalid("the fake does not know ReturnValues %s", in.ReturnValues)
}

type transaction struct {
	ClientRequestToken string
	TransactItems      []map[string]single // one action each
}

func (s *Server) transact(in transaction, conflict bool) (any, error) {
	if n := len(in.TransactItems); n < 1 || n > 100 {
		return nil, invalid("Member must have length less than or equal to 100, and at least 1")
	}
	request, err := json.Marshal(in.TransactItems)
	if err != nil {
		return nil, err
	}
	if done, ok := s.tokens[in.ClientRequestToken]; ok && time.Since(done.at) < tokenLife {
		if done.request != string(request) {
			return nil, refuse("IdempotentParameterMismatchException", "The token was used with other parameters")
		}
		return struct{}{}, nil
	}
	plans, err := s.plans(in)
	if err != nil {
		return nil, err
	}
	if err := cancelled(plans, conflict); err != nil {
		return nil, err
	}
	for _, p := range plans {
		p.make()
	}
	if in.ClientRequestToken != "" {
		s.tokens[in.ClientRequestToken] = tokenEntry{string(request), time.Now()}
	}
	return struct{}{}, nil
}

func (s *Server) plans(in transaction) ([]plan, error) {
	actions := map[string]string{"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheck"}
	var plans []plan
	seen := map[string]bool{}
	for _, t := range in.TransactItems {
		if len(t) != 1 {
			return nil, invalid("TransactItems can only contain one of Check, Put, Update or Delete")
		}
		for name, one := range t {
			p, err := s.plan(actions[name], one)
			if err != nil {
				return nil, err
			}
			id := fmt.Sprint(one.TableName, p.keys)
			if seen[id] {
				return nil, invalid("Transaction request cannot include multiple operations on one item")
			}
			seen[id] = true
			plans = append(plans, p)
		}
	}
	return plans, nil
}

// cancelled says why a transaction is not made: a reason for each action.
func cancelled(plans []plan, conflict bool) error {
	reasons := make([]reason, len(plans))
	failed := false
	for i, p := range plans {
		reasons[i].Code = "None"
		switch {
		case conflict && i == len(plans)-1:
			reasons[i], failed = reason{Code: "TransactionConflict", Message: "Transaction is ongoing for the item"}, true
		case !p.holds && !conflict:
			reasons[i], failed = reason{"ConditionalCheckFailed", "The conditional request failed", p.seen()}, true
		}
	}
	if !failed {
		return nil
	}
	return &refusal{
		status: http.StatusBadRequest, code: "TransactionCanceledException",
		message: "Transaction cancelled, please refer cancellation reasons for specific reasons", reasons: reasons,
	}
}
