package dynamotest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"strings"
)

// item is an item as the protocol writes it.
type item map[string]value

// value is an attribute value as the protocol writes it: one type and its content.
type value map[string]json.RawMessage

// kind is the value's type, such as "S".
func (v value) kind() string {
	for k := range v {
		return k
	}
	return ""
}

// text is the content of a string, number or binary value.
func (v value) text() string {
	var s string
	_ = json.Unmarshal(v[v.kind()], &s) // checked when it came in
	return s
}

func number(n *big.Rat) value {
	text := n.RatString()
	if !n.IsInt() {
		text = strings.TrimRight(n.FloatString(38), "0")
	}
	raw, _ := json.Marshal(text) // a string always encodes
	return value{"N": raw}
}

func (v value) rat() *big.Rat {
	r, _ := new(big.Rat).SetString(v.text())
	return r
}

// size is what DynamoDB counts, roughly: the length of the content.
func (i item) size() int {
	n := 0
	for name, v := range i {
		n += len(name) + len(v[v.kind()])
	}
	return n
}

// check validates values that came in, and what they contain.
func (v value) check() error {
	if len(v) != 1 {
		return invalid("Supplied AttributeValue has more than one datatypes set, or none")
	}
	switch kind := v.kind(); kind {
	case "S", "N", "B":
		var s string
		if json.Unmarshal(v[kind], &s) != nil {
			return invalid("The value of %s is not a string", kind)
		}
		if _, ok := new(big.Rat).SetString(s); kind == "N" && (!ok || len(strings.Trim(s, "-0.")) > 39) {
			return invalid("A value provided cannot be converted into a number")
		}
		if _, err := base64.StdEncoding.DecodeString(s); kind == "B" && err != nil {
			return invalid("A binary value is not base64")
		}
	case "BOOL", "NULL":
	case "L":
		var l []value
		if json.Unmarshal(v[kind], &l) != nil {
			return invalid("A list is not one")
		}
		for _, e := range l {
			if err := e.check(); err != nil {
				return err
			}
		}
	case "M":
		var m item
		if json.Unmarshal(v[kind], &m) != nil {
			return invalid("A map is not one")
		}
		return m.check()
	default:
		return invalid("the fake does not know values of type %s", kind)
	}
	return nil
}

func (i item) check() error {
	for _, v := range i {
		if err := v.check(); err != nil {
			return err
		}
	}
	return nil
}

func (i item) clone() item { return maps.Clone(i) }

// compare orders two values of one ordered type; ok is false for others, which
// conditions take as not fulfilled.
func compare(a, b value) (c int, ok bool) {
	if a.kind() != b.kind() {
		return 0, false
	}
	switch a.kind() {
	case "S", "B":
		return strings.Compare(a.text(), b.text()), true
	case "N":
		return a.rat().Cmp(b.rat()), true
	}
	return 0, false
}

func equal(a, b value) bool {
	if c, ok := compare(a, b); ok {
		return c == 0
	}
	return a.kind() == b.kind() && bytes.Equal(a[a.kind()], b[b.kind()])
}
