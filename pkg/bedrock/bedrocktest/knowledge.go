package bedrocktest

// knowledge is the state of the fake's knowledge bases.
type knowledge struct{}

func (k *knowledge) respond(c Call) *Response {
	return Fail(404, "ResourceNotFoundException", "no such "+c.Operation)
}
