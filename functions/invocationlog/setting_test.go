package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/bedrock"
)

// account is one account's setting behind Bedrock's REST protocol.
type account struct {
	config json.RawMessage // null while nothing is set
	sets   int
}

func (a *account) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/logging/modelinvocations" {
		http.NotFound(w, r)
		return
	}
	switch r.Method {
	case http.MethodPut:
		var in struct {
			LoggingConfig json.RawMessage `json:"loggingConfig"`
		}
		body, _ := io.ReadAll(r.Body)
		if json.Unmarshal(body, &in) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		a.config, a.sets = in.LoggingConfig, a.sets+1
		_, _ = w.Write([]byte("{}"))
	case http.MethodDelete:
		a.config = nil
		_, _ = w.Write([]byte("{}"))
	default:
		out, _ := json.Marshal(map[string]json.RawMessage{"loggingConfig": a.config})
		_, _ = w.Write(out)
	}
}

// roundTrip has CloudFormation send a request and returns what it is answered.
func roundTrip(t *testing.T, a *account, kind cfn.RequestType, id, group, before string) cfn.Response {
	t.Helper()
	server := httptest.NewServer(a)
	defer server.Close()
	var answered cfn.Response
	callback := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if err := json.NewDecoder(r.Body).Decode(&answered); err != nil {
			t.Error(err)
		}
	}))
	defer callback.Close()
	s := setting{bedrock.NewFromConfig(aws.Config{
		Region: "us-east-1", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
	})}
	e := cfn.Event{
		RequestType: kind, RequestID: "r", ResponseURL: callback.URL, PhysicalResourceID: id, LogicalResourceID: "InvocationLogging", StackID: "s",
		ResourceProperties:    map[string]any{"LogGroupName": group, "RoleArn": "arn:aws:iam::123456789012:role/r"},
		OldResourceProperties: map[string]any{"LogGroupName": before},
	}
	if _, err := cfn.LambdaWrap(s.handle)(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	return answered
}

func TestLifeOfTheSetting(t *testing.T) {
	a := &account{}
	r := roundTrip(t, a, cfn.RequestCreate, "", "/aws/bedrock/parley", "")
	if r.Status != cfn.StatusSuccess || r.PhysicalResourceID != "/aws/bedrock/parley" {
		t.Fatalf("create: %+v", r)
	}
	for _, want := range []string{`"logGroupName":"/aws/bedrock/parley"`, `"roleArn":"arn:aws:iam::123456789012:role/r"`, `"textDataDeliveryEnabled":true`, `"imageDataDeliveryEnabled":false`} {
		if !strings.Contains(string(a.config), want) {
			t.Errorf("set %s, without %s", a.config, want)
		}
	}
	if r := roundTrip(t, a, cfn.RequestCreate, "", "/aws/bedrock/parley", ""); r.Status != cfn.StatusSuccess || a.sets != 2 {
		t.Errorf("again: %+v", r)
	}
	if r := roundTrip(t, a, cfn.RequestUpdate, "/aws/bedrock/parley", "/aws/bedrock/new", "/aws/bedrock/parley"); r.PhysicalResourceID != "/aws/bedrock/new" {
		t.Errorf("update: %+v", r)
	}
	// CloudFormation then removes the old one, which is not there any more.
	if r := roundTrip(t, a, cfn.RequestDelete, "/aws/bedrock/parley", "/aws/bedrock/parley", ""); r.Status != cfn.StatusSuccess || a.config == nil {
		t.Errorf("clean-up took the new setting away: %+v", r)
	}
	if r := roundTrip(t, a, cfn.RequestDelete, "/aws/bedrock/new", "/aws/bedrock/new", ""); r.Status != cfn.StatusSuccess || a.config != nil {
		t.Errorf("delete: %+v, %s", r, a.config)
	}
}

// The account's own setting is neither replaced nor removed, wherever it logs to.
func TestAnothersSettingStays(t *testing.T) {
	for _, others := range []string{
		`{"cloudWatchConfig":{"logGroupName":"/theirs","roleArn":"arn:aws:iam::123456789012:role/theirs"}}`,
		`{"s3Config":{"bucketName":"theirs"}}`,
	} {
		a := &account{config: json.RawMessage(others)}
		r := roundTrip(t, a, cfn.RequestCreate, "", "/aws/bedrock/parley", "")
		if r.Status != cfn.StatusFailed || !strings.Contains(r.Reason, "ModelInvocationLogging=false") {
			t.Errorf("create: %+v", r)
		}
		// A failed creation is rolled back with whatever id it ended with.
		if r := roundTrip(t, a, cfn.RequestDelete, r.PhysicalResourceID, "/aws/bedrock/parley", ""); r.Status != cfn.StatusSuccess || string(a.config) != others {
			t.Errorf("roll-back: %+v, %s", r, a.config)
		}
	}
}
