package deploy

import (
	"fmt"
	"testing"

	"parley/test/stack"
)

const templateFile = "../../template.yaml"

func readTemplate(t *testing.T) *stack.Template {
	t.Helper()
	tmpl, err := stack.Read(templateFile)
	if err != nil {
		t.Fatal(err)
	}
	return tmpl
}

// everything switches every optional part on.
var everything = map[string]string{
	"Platforms": "slack+dingtalk", "FallbackFoundationModelId": "amazon.nova-2-lite-v1:0",
	"OtherFoundationModelId": "amazon.nova-2-pro-v1:0",
	"ProfilesParameter":      "/parley/profiles", "ProfileModelArns": profileModel + "," + profileModel + "-fast",
	"ProfileKnowledgeBaseArns": profileBase,
	"CreateKnowledgeBase":      "true", "KnowledgeConfluenceUrl": "https://example.atlassian.net",
	"KnowledgeConfluenceSecretArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:c",
	"KnowledgeWebUrl":              "https://example.com/docs", "CreateGuardrail": "true", "Approvers": "U012ABCDEF", "Admins": "U012ABCDEF",
	"AlarmTopicArn": "arn:aws:sns:us-east-1:123456789012:alarms", "CustomerManagedKey": "true",
	"Tracing": "true", "ModelInvocationLogging": "true", "ConnectorImage": "example/parley:1",
	"ConnectorPlatforms": "slack+dingtalk",
}

// What the profiles of an installation may use besides.
const (
	profileModel = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/terraform"
	profileBase  = "arn:aws:bedrock:us-east-1:123456789012:knowledge-base/TERRAFORM1"
)

// installations are the parameters that the tests look at the template with.
var installations = map[string]map[string]string{
	"defaults":   nil,
	"dingtalk":   {"Platforms": "dingtalk"},
	"everything": everything,
	"existing parts": {
		"Platforms":         "slack+dingtalk",
		"SlackSecretArn":    "arn:aws:secretsmanager:us-east-1:123456789012:secret:s",
		"DingTalkSecretArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:d",
		"KnowledgeBaseId":   "ABCDEFGHIJ", "KnowledgeWebUrl": "https://example.com", "Approvers": "U012ABCDEF, U345GHIJK",
		"GuardrailId": "abc123", "GuardrailVersion": "3", "ConnectorImage": "example/parley:1",
		"ApplicationInferenceProfileArn": "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc",
	},
	"model in region": {"ModelProfile": "none", "Platforms": "slack+dingtalk", "ConnectorImage": "example/parley:1", "ConnectorPlatforms": "dingtalk"},
}

var pseudo = stack.Pseudo{
	"AWS::Region": "us-east-1", "AWS::AccountId": "123456789012", "AWS::Partition": "aws", "AWS::StackName": "parley",
}

// named makes Ref and GetAtt readable: "Table", "Table.Arn".
func named(resource, attribute string) (any, error) {
	if attribute == "" {
		return resource, nil
	}
	return resource + "." + attribute, nil
}

func resolve(t *testing.T, parameters map[string]string) *stack.Stack {
	t.Helper()
	s, err := readTemplate(t).Resolve(parameters, pseudo, named)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// eachInstallation runs f on every installation's resources.
func eachInstallation(t *testing.T, f func(t *testing.T, s *stack.Stack)) {
	for name, parameters := range installations {
		t.Run(name, func(t *testing.T) { f(t, resolve(t, parameters)) })
	}
}

// at walks maps by key and lists by index; nil where there is nothing.
func at(v any, path ...any) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[step]
		case int:
			l, _ := v.([]any)
			if step >= len(l) {
				return nil
			}
			v = l[step]
		}
	}
	return v
}

// number reads a number that may be written as one or come from a parameter.
func number(t *testing.T, v any) int {
	t.Helper()
	var n int
	if _, err := fmt.Sscan(fmt.Sprint(v), &n); err != nil {
		t.Errorf("%v is not a number", v)
	}
	return n
}

// list makes one value a list of one, as IAM does.
func list(v any) []any {
	if l, ok := v.([]any); ok {
		return l
	}
	return []any{v}
}

// Every installation resolves: no reference to a resource that its condition
// leaves out.
func TestEveryInstallationResolves(t *testing.T) {
	eachInstallation(t, func(t *testing.T, s *stack.Stack) {
		if len(s.Resources) < 30 || len(s.Outputs) < 8 {
			t.Errorf("%d resources, %d outputs", len(s.Resources), len(s.Outputs))
		}
	})
}
