package dynamotest

import (
	"maps"
	"math/big"
	"regexp"
	"slices"
	"strings"
)

// expression reads one of DynamoDB's expressions, with the names and values it
// may use. Its grammar is what Parley's expressions need: comparisons, BETWEEN,
// AND, OR, NOT, attribute_exists, attribute_not_exists, begins_with; SET with +,
// - and if_not_exists, REMOVE, ADD. Paths are single names, all behind "#",
// because the fake does not keep DynamoDB's list of reserved words.
type expression struct {
	tokens []string
	names  map[string]string
	values map[string]value
	used   map[string]bool
}

// condition holds for an item or not.
type condition func(item) bool

// operand is a value of an item, or one given; ok is false if there is none.
type operand func(item) (v value, ok bool)

var tokenPattern = regexp.MustCompile(`[A-Za-z_]+|[#:][A-Za-z0-9_]+|<>|<=|>=|[<>=(),+-]|\S`)

func tokens(text string) []string { return tokenPattern.FindAllString(text, -1) }

// scope is what all expressions of one request share.
type scope struct {
	ExpressionAttributeNames  map[string]string
	ExpressionAttributeValues map[string]value
}

// compiler reads the expressions of one request. done refuses names and values
// that no expression used.
type compiler struct {
	scope
	used map[string]bool
	err  error
}

func (s scope) compiler() *compiler {
	c := &compiler{scope: s, used: map[string]bool{}}
	for _, v := range s.ExpressionAttributeValues {
		if err := v.check(); err != nil {
			c.err = err
		}
	}
	return c
}

func (c *compiler) done() error {
	if c.err != nil {
		return c.err
	}
	for _, name := range slices.Concat(slices.Sorted(maps.Keys(c.ExpressionAttributeNames)), slices.Sorted(maps.Keys(c.ExpressionAttributeValues))) {
		if !c.used[name] {
			return invalid("Value provided in ExpressionAttributeNames or -Values unused in expressions: %s", name)
		}
	}
	return nil
}

// syntax is how a parser gives up, from any depth.
type syntax struct{ err error }

// parse runs f on text and keeps the first mistake.
func (c *compiler) parse(text string, f func(*expression)) {
	defer func() {
		if s, ok := recover().(syntax); ok && c.err == nil {
			c.err = s.err
		}
	}()
	e := &expression{tokens(text), c.ExpressionAttributeNames, c.ExpressionAttributeValues, c.used}
	f(e)
	if len(e.tokens) > 0 {
		e.fail("unexpected %q", e.tokens[0])
	}
}

// condition compiles a condition; none always holds.
func (c *compiler) condition(text *string) condition {
	cond := func(item) bool { return true }
	if text != nil {
		c.parse(*text, func(e *expression) { cond = e.or() })
	}
	return cond
}

func (e *expression) fail(format string, args ...any) {
	panic(syntax{invalid("Invalid expression (or one the fake does not know): "+format, args...)})
}

func (e *expression) peek() string {
	if len(e.tokens) == 0 {
		return ""
	}
	return e.tokens[0]
}

func (e *expression) next() string {
	t := e.peek()
	if t == "" {
		e.fail("it ends early")
	}
	e.tokens = e.tokens[1:]
	return t
}

// accept takes the next token if it is word, in any case.
func (e *expression) accept(word string) bool {
	if !strings.EqualFold(e.peek(), word) {
		return false
	}
	e.tokens = e.tokens[1:]
	return true
}

func (e *expression) expect(word string) {
	if !e.accept(word) {
		e.fail("%q where %q belongs", e.peek(), word)
	}
}

func (e *expression) or() condition {
	left := e.and()
	for e.accept("OR") {
		a, b := left, e.and()
		left = func(i item) bool { return a(i) || b(i) }
	}
	return left
}

func (e *expression) and() condition {
	left := e.not()
	for e.accept("AND") {
		a, b := left, e.not()
		left = func(i item) bool { return a(i) && b(i) }
	}
	return left
}

func (e *expression) not() condition {
	if e.accept("NOT") {
		c := e.not()
		return func(i item) bool { return !c(i) }
	}
	if e.accept("(") {
		c := e.or()
		e.expect(")")
		return c
	}
	switch strings.ToLower(e.peek()) {
	case "attribute_exists", "attribute_not_exists", "begins_with":
		return e.function(strings.ToLower(e.next()))
	}
	return e.comparison()
}

func (e *expression) function(name string) condition {
	e.expect("(")
	attribute := e.path()
	var prefix operand
	if name == "begins_with" {
		e.expect(",")
		prefix = e.operand()
	}
	e.expect(")")
	return func(i item) bool {
		v, ok := i[attribute]
		if prefix == nil {
			return ok == (name == "attribute_exists")
		}
		p, has := prefix(i)
		return ok && has && v.kind() == "S" && strings.HasPrefix(v.text(), p.text())
	}
}

func (e *expression) comparison() condition {
	left := e.operand()
	op := e.next()
	if strings.EqualFold(op, "BETWEEN") {
		low := e.operand()
		e.expect("AND")
		high := e.operand()
		if l, ok := low(nil); ok {
			if h, ok := high(nil); ok {
				if c, ok := compare(l, h); !ok || c > 0 {
					e.fail("The BETWEEN operator requires upper bound to be greater than or equal to lower bound")
				}
			}
		}
		return both(holds(low, "<=", left), holds(left, "<=", high))
	}
	if !slices.Contains([]string{"=", "<>", "<", "<=", ">", ">="}, op) {
		e.fail("operator %q", op)
	}
	return holds(left, op, e.operand())
}

func both(a, b condition) condition { return func(i item) bool { return a(i) && b(i) } }

// holds compares. An attribute that is not there fulfils "<>" alone.
func holds(left operand, op string, right operand) condition {
	return func(i item) bool {
		a, ok := left(i)
		b, ok2 := right(i)
		if op == "=" || op == "<>" {
			return (ok && ok2 && equal(a, b)) == (op == "=")
		}
		c, ordered := compare(a, b)
		if !ok || !ok2 || !ordered {
			return false
		}
		switch op {
		case "<":
			return c < 0
		case "<=":
			return c <= 0
		case ">":
			return c > 0
		}
		return c >= 0
	}
}

// path reads a name.
func (e *expression) path() string {
	t := e.next()
	name, ok := e.names[t]
	if !ok {
		e.fail("attribute %q: the fake wants each name behind # and defined", t)
	}
	e.used[t] = true
	return name
}

// operand reads a value or a name.
func (e *expression) operand() operand {
	if !strings.HasPrefix(e.peek(), ":") {
		name := e.path()
		return func(i item) (value, bool) { v, ok := i[name]; return v, ok }
	}
	v := e.given()
	return func(item) (value, bool) { return v, true }
}

func (e *expression) given() value {
	t := e.next()
	v, ok := e.values[t]
	if !ok {
		e.fail("value %q is not defined", t)
	}
	e.used[t] = true
	return v
}

// update changes an item; it reads what was there before.
type update func(before, after item) error

// update compiles an update expression.
func (c *compiler) update(text string) update {
	var all []update
	c.parse(text, func(e *expression) {
		for e.peek() != "" {
			clause := strings.ToUpper(e.next())
			all = append(all, e.clause(clause))
			for e.accept(",") {
				all = append(all, e.clause(clause))
			}
		}
	})
	return func(before, after item) error {
		for _, u := range all {
			if err := u(before, after); err != nil {
				return err
			}
		}
		return nil
	}
}

func (e *expression) clause(kind string) update {
	if kind != "SET" && kind != "REMOVE" && kind != "ADD" {
		e.fail("clause %q", kind)
	}
	name := e.path()
	if name == "pk" || name == "sk" {
		e.fail("Cannot update attribute %s. This attribute is part of the key", name)
	}
	switch kind {
	case "REMOVE":
		return func(_, after item) error { delete(after, name); return nil }
	case "ADD":
		n := e.given()
		return func(before, after item) error { return add(before, after, name, n) }
	}
	e.expect("=")
	set := e.sum()
	return func(before, after item) error {
		v, err := set(before)
		after[name] = v
		return err
	}
}

func add(before, after item, name string, n value) error {
	old, ok := before[name]
	if n.kind() != "N" || ok && old.kind() != "N" {
		return invalid("An operand in the update expression has an incorrect data type")
	}
	total := n.rat()
	if ok {
		total = new(big.Rat).Add(total, old.rat())
	}
	after[name] = number(total)
	return nil
}

// sum reads the right side of a SET: one operand, or two with + or -.
func (e *expression) sum() func(item) (value, error) {
	left := e.term()
	if op := e.peek(); op == "+" || op == "-" {
		e.next()
		right := e.term()
		return func(i item) (value, error) {
			a, ok := left(i)
			b, ok2 := right(i)
			if !ok || !ok2 || a.kind() != "N" || b.kind() != "N" {
				return nil, invalid("An operand in the update expression has an incorrect data type, or is not there")
			}
			if op == "-" {
				return number(new(big.Rat).Sub(a.rat(), b.rat())), nil
			}
			return number(new(big.Rat).Add(a.rat(), b.rat())), nil
		}
	}
	return func(i item) (value, error) {
		v, ok := left(i)
		if !ok {
			return nil, invalid("The provided expression refers to an attribute that does not exist in the item")
		}
		return v, nil
	}
}

func (e *expression) term() operand {
	if !e.accept("if_not_exists") {
		return e.operand()
	}
	e.expect("(")
	name := e.path()
	e.expect(",")
	other := e.operand()
	e.expect(")")
	return func(i item) (value, bool) {
		if v, ok := i[name]; ok {
			return v, true
		}
		return other(i)
	}
}
