package deploy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// examples are values each parameter with a pattern takes and refuses.
var examples = map[string]struct{ good, bad []string }{
	"SlackSecretArn":                 {[]string{"", "arn:aws:secretsmanager:eu-central-1:123456789012:secret:slack-AbCdEf", "arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:x"}, []string{"slack", "arn:aws:secretsmanager:eu-central-1:12345:secret:x", "arn:aws:ssm:eu-central-1:123456789012:secret:x"}},
	"DingTalkSecretArn":              {[]string{"", "arn:aws:secretsmanager:eu-central-1:123456789012:secret:d"}, []string{"dingtalk"}},
	"DingTalkRobotCode":              {[]string{"", "dingabc123_XY-z"}, []string{"ding abc", "机器人"}},
	"DingTalkCorpId":                 {[]string{"", "ding0123456789abcdef"}, []string{"ding/0"}},
	"DingTalkCardTemplateId":         {[]string{"", "1a2b3c4d-5e6f.schema"}, []string{"a b"}},
	"FoundationModelId":              {[]string{"anthropic.claude-haiku-4-5-20251001-v1:0", "anthropic.claude-haiku-5-5", "openai.gpt-oss-120b-1:0", "deepseek.v3.1", "eurollm.model-1"}, []string{"", "claude", "global.anthropic.claude-haiku-5-5", "us.amazon.nova-lite-v1:0", "us-gov.amazon.nova-lite-v1:0", "arn:aws:bedrock:us-east-1::foundation-model/x.y"}},
	"FallbackFoundationModelId":      {[]string{"", "amazon.nova-2-lite-v1:0"}, []string{"eu.amazon.nova-2-lite-v1:0", "nova"}},
	"OtherFoundationModelId":         {[]string{"", "amazon.nova-2-lite-v1:0"}, []string{"eu.amazon.nova-2-lite-v1:0", "nova"}},
	"OtherModelName":                 {[]string{"Thorough", "更细致"}, []string{"", "a=b", "a,b"}},
	"ApplicationInferenceProfileArn": {[]string{"", "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3d4e5f6"}, []string{"a1b2c3", "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-lite-v1:0"}},
	"Language":                       {[]string{"en", "zh", "zh-CN"}, []string{"", "English", "e", "zh_CN"}},
	"Prices":                         {[]string{"", `{"anthropic.claude-haiku-4-5":{"input":1,"output":5}}`}, []string{"1.25", "{"}},
	"ProfilesParameter":              {[]string{"", "/parley/profiles", "/profiles"}, []string{"parley-profiles", "/parley/", "/par ley"}},
	"ProfileModelArns":               {[]string{"", profileModel, profileModel + ",arn:aws:bedrock:eu-*::foundation-model/anthropic.claude-haiku-4-5-20251001-v1:0,arn:aws:bedrock:::foundation-model/amazon.nova-lite-v1:0"}, []string{"anthropic.claude", profileModel + ",", "*", profileModel + " " + profileModel, "arn:aws:bedrock:us-east-1::foundation-model/*"}},
	"ProfileKnowledgeBaseArns":       {[]string{"", profileBase, profileBase + "," + profileBase}, []string{"TERRAFORM1", profileBase + ",", "arn:aws:bedrock:us-east-1:123456789012:knowledge-base/*"}},
	"KnowledgeBaseId":                {[]string{"", "ABCDE12345"}, []string{"abcde12345", "ABCDE1234", "arn:aws:bedrock:us-east-1:1:knowledge-base/ABCDE12345"}},
	"KnowledgeWebUrl":                {[]string{"", "https://example.com/docs/"}, []string{"example.com", "https://example.com/a b"}},
	"KnowledgeConfluenceUrl":         {[]string{"", "https://example.atlassian.net"}, []string{"http://example.atlassian.net", "https://example.atlassian.net/wiki"}},
	"KnowledgeConfluenceSecretArn":   {[]string{"", "arn:aws:secretsmanager:eu-central-1:123456789012:secret:c"}, []string{"c"}},
	"KnowledgeSyncSchedule":          {[]string{"", "cron(0 3 ? * SUN *)", "rate(1 day)"}, []string{"weekly", "0 3 * * 0"}},
	"NoticeChannel":                  {[]string{"", "slack:C012ABCDEF", "dingtalk:cid6KeBBLoveMJOGXoYKF5x7EeiodoA=="}, []string{"C012ABCDEF", "slack:#general", "slack:", "dingtalk:group", "web:x"}},
	"KnowledgeBaseFilter":            {[]string{"", `{"equals":{"key":"team","value":"it"}}`}, []string{"team=it"}},
	"RerankModelArn":                 {[]string{"", "arn:aws:bedrock:us-east-1::foundation-model/cohere.rerank-v3-5:0"}, []string{"cohere.rerank-v3-5:0"}},
	"Admins":                         {[]string{"", "U012ABCDEF", "U012ABCDEF, W345GHIJK"}, []string{"ann", "B012BOT", "U012ABCDEF U345GHIJK", "U012ABCDEF,"}},
	"Approvers":                      {[]string{"", "U012ABCDEF", "U012ABCDEF, U345GHIJK,manager4821"}, []string{"U012ABCDEF U345GHIJK", "U012ABCDEF,", ","}},
	"CitationBaseUrl":                {[]string{"", "https://docs.example.com/"}, []string{"docs.example.com", "s3://bucket"}},
	"GuardrailId":                    {[]string{"", "a1b2c3d4e5f6"}, []string{"A1B2", "arn:aws:bedrock:us-east-1:1:guardrail/a1"}},
	"GuardrailVersion":               {[]string{"", "1", "42", "DRAFT"}, []string{"0", "v1", "draft"}},
	"AlarmTopicArn":                  {[]string{"", "arn:aws:sns:us-east-1:123456789012:alarms"}, []string{"alarms", "arn:aws:sqs:us-east-1:123456789012:alarms"}},
	"ConnectorImage":                 {[]string{"", "123456789012.dkr.ecr.eu-central-1.amazonaws.com/parley:1.2.3", "example/parley@sha256:" + strings.Repeat("a", 64)}, []string{"parley", "Parley:1", "parley@sha256:abc"}},
}

func TestParameterPatterns(t *testing.T) {
	parameters := readTemplate(t).Parameters
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		p := parameters[name]
		if p.Description == "" {
			t.Errorf("%s has no description", name)
		}
		if err := p.Check(fmt.Sprint(p.Default)); err != nil {
			t.Errorf("%s refuses its own default: %v", name, err)
		}
		if p.AllowedPattern == "" {
			continue
		}
		if !strings.HasPrefix(p.ConstraintDescription, "must be ") || !strings.HasSuffix(p.ConstraintDescription, ".") {
			t.Errorf("%s does not say in a sentence what it must be: %q", name, p.ConstraintDescription)
		}
		e, ok := examples[name]
		if !ok {
			t.Errorf("%s has a pattern and no examples", name)
		}
		for _, v := range e.good {
			if p.Check(v) != nil {
				t.Errorf("%s refuses %q", name, v)
			}
		}
		for _, v := range e.bad {
			if p.Check(v) == nil {
				t.Errorf("%s takes %q", name, v)
			}
		}
	}
}

// A parameter that takes free text without a pattern or bounds is a typo away
// from a stack that fails half-way.
func TestParametersAreConstrained(t *testing.T) {
	for name, p := range readTemplate(t).Parameters {
		if p.AllowedPattern == "" && p.AllowedValues == nil && p.MinValue == nil && p.MaxLength == nil {
			t.Errorf("%s takes anything", name)
		}
	}
}
