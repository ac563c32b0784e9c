package rehearsal

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"

	"parley/test/runtimeapi"
	"parley/test/stack"
)

// front is an HTTP API in front of a function: its routes, and events and answers
// in payload version 2.0 (API Gateway developer guide, "Working with AWS Lambda
// proxy integrations for HTTP APIs").
type front struct {
	function *runtimeapi.Function
	routes   map[string]time.Duration // "POST /path" to the integration's timeout
}

func newFront(s *stack.Stack, function string, f *runtimeapi.Function) *front {
	fr := &front{function: f, routes: map[string]time.Duration{}}
	events, _ := s.Resources[function].Properties["Events"].(map[string]any)
	for _, e := range events {
		p := e.(map[string]any)["Properties"].(map[string]any)
		fr.routes[p["Method"].(string)+" "+p["Path"].(string)] = milliseconds(p["TimeoutInMillis"])
	}
	return fr
}

// ServeHTTP implements http.Handler.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	timeout, ok := f.routes[r.Method+" "+r.URL.Path]
	if !ok {
		gatewayError(w, http.StatusNotFound, "Not Found")
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client has left
	}
	event, err := json.Marshal(gatewayEvent(r, body))
	if err != nil {
		gatewayError(w, http.StatusInternalServerError, "Internal Server Error")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	result, err := f.function.Invoke(ctx, event)
	if ctx.Err() != nil {
		gatewayError(w, http.StatusServiceUnavailable, "Service Unavailable")
		return
	}
	var answer struct {
		StatusCode      int
		Headers         map[string]string
		Body            string
		IsBase64Encoded bool
	}
	if err != nil || json.Unmarshal(result.Payload, &answer) != nil || answer.StatusCode == 0 {
		gatewayError(w, http.StatusInternalServerError, "Internal Server Error")
		return
	}
	for name, value := range answer.Headers {
		w.Header().Set(name, value)
	}
	out := []byte(answer.Body)
	if answer.IsBase64Encoded {
		out, _ = base64.StdEncoding.DecodeString(answer.Body)
	}
	w.WriteHeader(answer.StatusCode)
	_, _ = w.Write(out) // the client has left if it fails
}

func gatewayError(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"message": message})
}

// gatewayEvent is r as the gateway hands it over. Bodies that are not JSON or text
// come in base64: forms do.
func gatewayEvent(r *http.Request, body []byte) map[string]any {
	headers := map[string]string{"host": "api.example"}
	for name, values := range r.Header {
		headers[strings.ToLower(name)] = strings.Join(values, ",")
	}
	kind := headers["content-type"]
	text := strings.HasPrefix(kind, "application/json") || strings.HasPrefix(kind, "text/") || kind == ""
	event := map[string]any{
		"version": "2.0", "routeKey": r.Method + " " + r.URL.Path, "rawPath": r.URL.Path, "rawQueryString": r.URL.RawQuery,
		"headers": headers, "isBase64Encoded": !text, "body": string(body),
		"requestContext": map[string]any{
			"accountId": "123456789012", "apiId": "api", "domainName": "api.example", "requestId": "rehearsal", "routeKey": r.Method + " " + r.URL.Path,
			"stage": "$default", "timeEpoch": time.Now().UnixMilli(),
			"http": map[string]any{"method": r.Method, "path": r.URL.Path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": r.UserAgent()},
		},
	}
	if !text {
		event["body"] = base64.StdEncoding.EncodeToString(body)
	}
	return event
}
