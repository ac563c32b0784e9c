package bedrocktest

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream/eventstreamapi"
)

// Response is what a call is answered with: an error if ErrorType is set, a stream
// if Events is not nil, otherwise Body as JSON.
type Response struct {
	Status     int // 200 if zero
	ErrorType  string
	Message    string
	RetryAfter string // header of an error
	Events     []Event
	Body       any
	// Delay passes before anything is sent, or until the client leaves.
	Delay time.Duration
}

// Event is one frame of a stream.
type Event struct {
	// Delay passes before the frame is sent, or until the client leaves.
	Delay time.Duration
	// Type names an event, Exception a modelled exception, Code an unmodelled
	// error. None of them makes the event a pause.
	Type, Exception, Code string
	Payload               any
}

// Fail is an HTTP error of the service, such as 429 ThrottlingException.
func Fail(status int, errorType, message string) *Response {
	return &Response{Status: status, ErrorType: errorType, Message: message}
}

// JSON is a successful response.
func JSON(body any) *Response { return &Response{Body: body} }

// Stream is a stream of events that then ends as cleanly as HTTP can tell.
func Stream(events ...Event) *Response {
	return &Response{Events: append([]Event{}, events...)}
}

// Answer is a whole stream that says texts in one block and ends with end_turn.
func Answer(texts ...string) *Response {
	events := []Event{MessageStart()}
	length := 0
	for _, text := range texts {
		events = append(events, Text(0, text))
		length += len(text)
	}
	return Stream(append(events, BlockStop(0), Stop("end_turn"), Usage(10, length/4+1))...)
}

// MessageStart begins a message.
func MessageStart() Event { return Event{Type: "messageStart", Payload: object{"role": "assistant"}} }

// Text is a piece of text of a block. The service pads frames with a field p, which
// clients ignore.
func Text(block int, text string) Event {
	return Event{Type: "contentBlockDelta", Payload: object{
		"contentBlockIndex": block, "delta": object{"text": text}, "p": "abcdef",
	}}
}

// Reasoning is a piece of a model's thinking.
func Reasoning(block int, text string) Event {
	return Event{Type: "contentBlockDelta", Payload: object{
		"contentBlockIndex": block, "delta": object{"reasoningContent": object{"text": text}},
	}}
}

// Cite cites a search result of the request, counted from 0, in a block.
func Cite(block, result int) Event {
	return Event{Type: "contentBlockDelta", Payload: object{
		"contentBlockIndex": block,
		"delta": object{"citation": object{
			"title": "t", "source": "s",
			"location": object{"searchResultLocation": object{"searchResultIndex": result, "start": 0, "end": 1}},
		}},
	}}
}

// BlockStop ends a block.
func BlockStop(block int) Event {
	return Event{Type: "contentBlockStop", Payload: object{"contentBlockIndex": block}}
}

// Stop ends the message.
func Stop(reason string) Event {
	return Event{Type: "messageStop", Payload: object{"stopReason": reason}}
}

// Usage is the metadata that follows a message.
func Usage(input, output int) Event {
	return Event{Type: "metadata", Payload: object{
		"usage":   object{"inputTokens": input, "outputTokens": output, "totalTokens": input + output},
		"metrics": object{"latencyMs": 12},
	}}
}

// Exception is an exception inside a stream, such as throttlingException.
func Exception(name, message string) Event {
	return Event{Exception: name, Payload: object{"message": message}}
}

// Silence is a pause.
func Silence(d time.Duration) Event { return Event{Delay: d} }

// forever is longer than any test or rehearsal.
const forever = 24 * time.Hour

// Hang never ends by itself.
func Hang() Event { return Silence(forever) }

type object = map[string]any

func (resp *Response) write(w http.ResponseWriter, r *http.Request) {
	if !pause(r, resp.Delay) {
		return
	}
	w.Header().Set("X-Amzn-Requestid", "00000000-0000-4000-8000-000000000000")
	switch {
	case resp.ErrorType != "":
		if resp.RetryAfter != "" {
			w.Header().Set("Retry-After", resp.RetryAfter)
		}
		w.Header().Set("X-Amzn-Errortype", resp.ErrorType)
		writeJSON(w, resp.Status, object{"message": resp.Message})
	case resp.Events != nil:
		w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
		w.WriteHeader(http.StatusOK)
		resp.stream(w, r)
	default:
		writeJSON(w, resp.Status, resp.Body)
	}
}

func (resp *Response) stream(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	_ = control.Flush() // errors of a client that left end the handler below
	for _, e := range resp.Events {
		if !pause(r, e.Delay) {
			return
		}
		if message, ok := e.frame(); ok {
			if eventstream.NewEncoder().Encode(w, message) != nil {
				return
			}
			_ = control.Flush()
		}
	}
}

// frame returns the wire form of e. Header names are those of the SDK's own decoder.
func (e Event) frame() (eventstream.Message, bool) {
	var m eventstream.Message
	set := func(name, value string) { m.Headers.Set(name, eventstream.StringValue(value)) }
	switch {
	case e.Type != "":
		set(eventstreamapi.MessageTypeHeader, eventstreamapi.EventMessageType)
		set(eventstreamapi.EventTypeHeader, e.Type)
	case e.Exception != "":
		set(eventstreamapi.MessageTypeHeader, eventstreamapi.ExceptionMessageType)
		set(eventstreamapi.ExceptionTypeHeader, e.Exception)
	case e.Code != "":
		set(eventstreamapi.MessageTypeHeader, eventstreamapi.ErrorMessageType)
		set(eventstreamapi.ErrorCodeHeader, e.Code)
		set(eventstreamapi.ErrorMessageHeader, "scripted")
		return m, true
	default:
		return m, false
	}
	set(eventstreamapi.ContentTypeHeader, "application/json")
	payload, err := json.Marshal(e.Payload)
	if err != nil {
		panic("bedrocktest: " + err.Error()) // a test's own mistake
	}
	m.Payload = payload
	return m, true
}

// pause waits for d; it is false if the client has left.
func pause(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return r.Context().Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	if status == 0 {
		status = http.StatusOK
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client may have left
}
