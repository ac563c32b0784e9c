package dingstream

import (
	"encoding/json"
	"net/http"
)

// frame is what the gateway sends. Header values are strings, but anything is
// taken.
type frame struct {
	Type    string                     `json:"type"`
	Headers map[string]json.RawMessage `json:"headers"`
	Data    json.RawMessage            `json:"data"`
}

func (f frame) header(name string) string {
	var s string
	_ = json.Unmarshal(f.Headers[name], &s)
	return s
}

// data is the JSON within the string that Data is.
func (f frame) data() string {
	var s string
	if json.Unmarshal(f.Data, &s) != nil {
		return string(f.Data)
	}
	return s
}

// Types of frames, and topics of the type SYSTEM.
const (
	typeSystem   = "SYSTEM"
	typeEvent    = "EVENT"
	typeCallback = "CALLBACK"

	systemPing       = "ping"
	systemDisconnect = "disconnect"
)

// ack is the answer to a frame.
type ack struct {
	Code    int               `json:"code"`
	Headers map[string]string `json:"headers"`
	Message string            `json:"message"`
	Data    string            `json:"data"`
}

// noResponse is the data of an acknowledgement that says nothing: what a robot
// would say there is not shown.
const noResponse = `{"response":null}`

func (f frame) ack(code int, data string) ack {
	return ack{code, map[string]string{"contentType": "application/json", "messageId": f.header("messageId")}, http.StatusText(code), data}
}
