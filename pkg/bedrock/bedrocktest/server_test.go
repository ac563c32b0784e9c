package bedrocktest_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/types"
	"github.com/aws/smithy-go"

	"parley/pkg/bedrock/bedrocktest"
)

func says(role types.ConversationRole, blocks ...types.ContentBlock) types.Message {
	return types.Message{Role: role, Content: blocks}
}

func text(s string) types.ContentBlock { return &types.ContentBlockMemberText{Value: s} }

var (
	user      = types.ConversationRoleUser
	assistant = types.ConversationRoleAssistant
	picture   = &types.ContentBlockMemberImage{Value: types.ImageBlock{
		Format: types.ImageFormatPng, Source: &types.ImageSourceMemberBytes{Value: []byte("x")}}}
	document = &types.ContentBlockMemberDocument{Value: types.DocumentBlock{
		Name: aws.String("doc 1"), Format: types.DocumentFormatTxt, Source: &types.DocumentSourceMemberBytes{Value: []byte("x")}}}
)

// TestIsAsStrictAsTheService sends what the service or its models refuse.
func TestIsAsStrictAsTheService(t *testing.T) {
	_, config := bedrocktest.Start(t)
	client := bedrockruntime.NewFromConfig(config)
	for _, test := range []struct {
		says     string // "" if it is to be taken
		messages []types.Message
		system   []types.SystemContentBlock
	}{
		{"", []types.Message{says(user, text("a")), says(assistant, text("b")), says(user, document, picture, text("c"))}, nil},
		{"at least one message", nil, nil},
		{"roles must alternate", []types.Message{says(assistant, text("a"))}, nil},
		{"roles must alternate", []types.Message{says(user, text("a")), says(user, text("b"))}, nil},
		{"must be the user's", []types.Message{says(user, text("a")), says(assistant, text("b"))}, nil},
		{"non-empty", []types.Message{says(user, text(" \n"))}, nil},
		{"non-empty", []types.Message{says(user, text("a"))}, []types.SystemContentBlock{&types.SystemContentBlockMemberText{Value: ""}}},
		{"must not be empty", []types.Message{says(user, []types.ContentBlock{}...)}, nil},
		{"needs a text block", []types.Message{says(user, document)}, nil},
		{"too many documents", []types.Message{says(user, text("a"), document, document, document, document, document, document)}, nil},
		{"the user's only", []types.Message{says(user, text("a")), says(assistant, text("b"), picture), says(user, text("c"))}, nil},
	} {
		out, err := client.Converse(t.Context(), &bedrockruntime.ConverseInput{
			ModelId: aws.String("m"), Messages: test.messages, System: test.system})
		var api smithy.APIError
		switch {
		case test.says == "":
			if err != nil || out.StopReason != types.StopReasonEndTurn {
				t.Errorf("got %v", err)
			}
		case !errors.As(err, &api) || api.ErrorCode() != "ValidationException" || !strings.Contains(api.ErrorMessage(), test.says):
			t.Errorf("want %q, got %v", test.says, err)
		}
	}
}

func TestRecordsCallsAndServesARNs(t *testing.T) {
	fake, config := bedrocktest.Start(t)
	client := bedrockruntime.NewFromConfig(config)
	const arn = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-haiku-4-5"
	fake.Queue(bedrocktest.OpConverse, bedrocktest.Fail(403, "AccessDeniedException", "no"))
	for range 2 {
		_, err := client.Converse(t.Context(), &bedrockruntime.ConverseInput{
			ModelId: aws.String(arn), Messages: []types.Message{says(user, text("hello"))}})
		if denied := new(types.AccessDeniedException); len(fake.Calls("")) == 1 && !errors.As(err, &denied) {
			t.Errorf("the queued response was %v", err)
		} else if len(fake.Calls("")) == 2 && err != nil {
			t.Errorf("the queue is empty, and yet %v", err)
		}
	}
	call := fake.Calls(bedrocktest.OpConverse)[1]
	if call.Model != arn || bedrocktest.LastText(call) != "hello" || call.Header.Get("Authorization") == "" {
		t.Errorf("recorded %+v", call)
	}
}

func TestUnknownPathIs404(t *testing.T) {
	_, config := bedrocktest.Start(t)
	request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, *config.BaseEndpoint+"/moon", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := config.HTTPClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusNotFound {
		t.Errorf("status %d", response.StatusCode)
	}
}
