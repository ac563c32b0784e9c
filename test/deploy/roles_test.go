package deploy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"parley/test/stack"
)

// grant is something a role may do, and why it must.
type grant struct{ action, resource, why string }

// The queue actions Lambda's poller and the stages' own settlement take.
func polls(queue string) []grant {
	return []grant{
		{"sqs:ReceiveMessage", queue + ".Arn", "Lambda's poller receives with the function's role"},
		{"sqs:DeleteMessage", queue + ".Arn", "the poller deletes what was handled"},
		{"sqs:GetQueueAttributes", queue + ".Arn", "the poller reads the queue's visibility"},
		{"sqs:ChangeMessageVisibility", queue + ".Arn", "heartbeat, backoff"},
	}
}

func logs(group string) []grant {
	return []grant{
		{"logs:CreateLogStream", group + ".Arn", "Lambda writes logs with the function's role"},
		{"logs:PutLogEvents", group + ".Arn", "the same"},
	}
}

func secrets() []grant {
	return []grant{
		{"secretsmanager:GetSecretValue", "SlackSecret", "pkg/secrets"},
		{"secretsmanager:GetSecretValue", "DingTalkSecret", "pkg/secrets"},
	}
}

const profile, model = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/global.", "::foundation-model/"

const knowledgeBase = "arn:aws:bedrock:us-east-1:123456789012:knowledge-base/KnowledgeBase"

// mayInvoke is what calling a model through the global profile takes.
func mayInvoke(id string) []grant {
	const converse = "bedrock:InvokeModelWithResponseStream" // is ConverseStream's action
	return []grant{
		{converse, profile + id, "the profile"},
		{converse, "arn:aws:bedrock:us-east-1" + model + id, "the model behind it, here"},
		{converse, "arn:aws:bedrock:*" + model + id, "the model wherever the profile sends the call"},
		{converse, "arn:aws:bedrock:::foundation-model/" + id, "a global profile is checked without a region too"},
	}
}

// roles is everything the functions may do, in the installation that has all
// parts. It is the import law of functions/* read as IAM.
var roles = map[string][]grant{
	"IngressRole": slices.Concat(logs("IngressLogs"), secrets(), []grant{
		{"sqs:SendMessage", "RequestsQueue.Arn", "sqsqueue: questions"},
		{"sqs:SendMessage", "ControlQueue.Arn", "sqsqueue: stops, edits, retries"},
	}),
	"WorkerRole": slices.Concat(logs("WorkerLogs"), secrets(), polls("RequestsQueue"), mayInvoke("anthropic.claude-haiku-4-5-20251001-v1:0"), mayInvoke("amazon.nova-2-lite-v1:0"), mayInvoke("amazon.nova-2-pro-v1:0"), []grant{
		{"sqs:SendMessage", "RepliesQueue.Arn", "snapshots"},
		{"sqs:SendMessage", "RequestsDeadLetters.Arn", "burial"},
		{"sqs:SendMessage", "RequestsQueue.Arn", "a replayed retry or edit asks its question again"},
		{"dynamodb:GetItem", "Table.Arn", "dynamostore: cases, turns, markers"},
		{"dynamodb:PutItem", "Table.Arn", "dynamostore: cases, turns, within transactions"},
		{"dynamodb:UpdateItem", "Table.Arn", "dynamostore: markers, quotas"},
		{"dynamodb:DeleteItem", "Table.Arn", "dynamostore: a withdrawn turn"},
		{"dynamodb:ConditionCheckItem", "Table.Arn", "dynamostore: no commit after a stop"},
		{"dynamodb:Query", "Table.Arn", "dynamostore: a window of memory"},
		{"ssm:GetParameter", "arn:aws:ssm:us-east-1:123456789012:parameter/Prompt", "the system prompt"},
		{"ssm:GetParameter", "arn:aws:ssm:us-east-1:123456789012:parameter/parley/profiles", "the profiles"},
		{"bedrock:InvokeModelWithResponseStream", profileModel, "a profile's own model"},
		{"bedrock:InvokeModelWithResponseStream", profileModel + "-fast", "another"},
		{"bedrock:Retrieve", profileBase, "bedrock: passages for a profile"},
		{"bedrock:Retrieve", knowledgeBase, "bedrock: passages"},
		{"bedrock:IngestKnowledgeBaseDocuments", knowledgeBase, "bedrock: a thread is remembered"},
		{"bedrock:StartIngestionJob", knowledgeBase, "AWS checks direct ingestion for it too"},
		{"bedrock:GetKnowledgeBaseDocuments", knowledgeBase, "bedrock: whether it can be found"},
		{"bedrock:DeleteKnowledgeBaseDocuments", knowledgeBase, "bedrock: a thread is forgotten"},
		{"bedrock:ApplyGuardrail", "arn:aws:bedrock:us-east-1:123456789012:guardrail/Guardrail.GuardrailId", "bedrock: a call that names a guardrail"},
	}),
	// The dead letters are for admins, who look through them and send them back.
	"ControlRole": slices.Concat(logs("ControlLogs"), polls("ControlQueue"), polls("RequestsDeadLetters"), polls("RepliesDeadLetters"), []grant{
		{"sqs:GetQueueAttributes", "RequestsQueue.Arn", "how much waits, for admins"},
		{"sqs:GetQueueAttributes", "RepliesQueue.Arn", "the same"},
		{"sqs:SendMessage", "RequestsQueue.Arn", "asks a question again"},
		{"sqs:SendMessage", "RepliesQueue.Arn", "says what became of the gesture"},
		{"sqs:SendMessage", "RequestsDeadLetters.Arn", "burial"},
		{"dynamodb:GetItem", "Table.Arn", "dynamostore: cases, turns"},
		{"dynamodb:PutItem", "Table.Arn", "dynamostore: cases, feedback"},
		{"dynamodb:UpdateItem", "Table.Arn", "dynamostore: the stop marker"},
		{"ssm:GetParameter", "arn:aws:ssm:us-east-1:123456789012:parameter/parley/profiles", "the profiles: which budget the Home tab shows"},
		{"dynamodb:DeleteItem", "Table.Arn", "dynamostore: a withdrawn turn"},
		{"dynamodb:Query", "Table.Arn", "dynamostore: the newest turn, for its passages; what a person asked"},
	}),
	"ScheduleRole": {{"sqs:SendMessage", "SyncQueue.Arn", "Scheduler begins a round"}},
	"SyncRole": slices.Concat(logs("SyncLogs"), polls("SyncQueue"), []grant{
		{"sqs:SendMessage", "RepliesQueue.Arn", "tells a channel what failed"},
		{"bedrock:ListDataSources", knowledgeBase, "bedrock: what there is to read"},
		{"bedrock:ListIngestionJobs", knowledgeBase, "bedrock: when it was read"},
		{"bedrock:GetIngestionJob", knowledgeBase, "bedrock: why it was not"},
		{"bedrock:StartIngestionJob", knowledgeBase, "bedrock: reads it"},
		{"bedrock:ListKnowledgeBaseDocuments", knowledgeBase, "bedrock: how old threads are"},
		{"bedrock:DeleteKnowledgeBaseDocuments", knowledgeBase, "bedrock: removes those whose time has come"},
	}),
	"ResponderRole": slices.Concat(logs("ResponderLogs"), secrets(), polls("RepliesQueue"), []grant{
		{"sqs:SendMessage", "RepliesDeadLetters.Arn", "burial"},
		{"dynamodb:GetItem", "Table.Arn", "dynamostore: deliveries"},
		{"dynamodb:PutItem", "Table.Arn", "dynamostore: deliveries and post owners"},
	}),
}

// statements are those of a role's inline policies, with Effect Allow.
func statements(r stack.Resource) []any {
	var all []any
	for _, p := range list(r.Properties["Policies"]) {
		all = append(all, list(at(p, "PolicyDocument", "Statement"))...)
	}
	return all
}

func TestRoles(t *testing.T) {
	s := resolve(t, everything)
	for role, want := range roles {
		got := map[string]bool{}
		for _, st := range statements(s.Resources[role]) {
			for _, action := range list(at(st, "Action")) {
				for _, resource := range list(at(st, "Resource")) {
					got[fmt.Sprint(action, " on ", resource)] = true
				}
			}
		}
		for _, g := range want {
			key := g.action + " on " + g.resource
			if !got[key] {
				t.Errorf("%s may not %s, but must: %s", role, key, g.why)
			}
			delete(got, key)
		}
		for _, extra := range slices.Sorted(maps.Keys(got)) {
			t.Errorf("%s may %s, for no reason given", role, extra)
		}
	}
}

// wildcards are the only resources that name more than one thing.
var wildcards = []struct{ resource, inside, why string }{
	{"*", "Trace", "X-Ray has no resources to name"},
	{"*", "Key", "a key's policy is about that key"},
	{"*", "QueuesOverTls", "a queue's policy is about that queue; it only denies"},
	{"*", "InvocationLoggingRole", "the setting is the account's; it has no ARN"},
	{"*", "ConnectorStartRole", "ecr:GetAuthorizationToken has no resource"},
	{"arn:aws:ecr:us-east-1:123456789012:repository/*", "ConnectorStartRole", "the image may be in any of the account's repositories"},
	{"arn:aws:bedrock:*::foundation-model/anthropic.claude-haiku-4-5-20251001-v1:0", "WorkerRole", "a global profile sends calls to any region"},
	{"arn:aws:bedrock:*::foundation-model/amazon.nova-2-lite-v1:0", "WorkerRole", "the same"},
	{"arn:aws:bedrock:*::foundation-model/amazon.nova-2-pro-v1:0", "WorkerRole", "the same"},
	{"Documents.Arn/*", "KnowledgeRole", "the documents"},
	{"Documents.Arn/*", "DocumentsOverTls", "it only denies"},
}

func TestNoWildcards(t *testing.T) {
	eachInstallation(t, func(t *testing.T, s *stack.Stack) {
		for name, r := range s.Resources {
			walk(r.Properties, func(m map[string]any) {
				if m["Effect"] == nil {
					return
				}
				for _, res := range list(m["Resource"]) {
					if res, _ := res.(string); strings.Contains(res, "*") && !excusedWildcard(name, res) {
						t.Errorf("%s names %s", name, res)
					}
				}
				for _, a := range list(m["Action"]) {
					if a, _ := a.(string); strings.HasSuffix(a, ":*") && m["Effect"] == "Allow" && name != "Key" {
						t.Errorf("%s allows %s", name, a)
					}
				}
			})
			if r.Properties["ManagedPolicyArns"] != nil {
				t.Errorf("%s takes policies that AWS may widen", name)
			}
		}
	})
}

func excusedWildcard(name, resource string) bool {
	for _, w := range wildcards {
		if w.inside == name && w.resource == resource {
			return true
		}
	}
	return false
}

func walk(v any, f func(map[string]any)) {
	switch v := v.(type) {
	case map[string]any:
		f(v)
		for _, e := range v {
			walk(e, f)
		}
	case []any:
		for _, e := range v {
			walk(e, f)
		}
	}
}

// The models' ARNs are only good through the profile that was chosen.
func TestModelPermissions(t *testing.T) {
	for _, tt := range []struct {
		name       string
		parameters map[string]string
		modelID    string
		resources  []string
	}{
		{"geographic profile", map[string]string{"ModelProfile": "eu", "FoundationModelId": "amazon.nova-lite-v1:0"}, "eu.amazon.nova-lite-v1:0", []string{
			"arn:aws:bedrock:us-east-1:123456789012:inference-profile/eu.amazon.nova-lite-v1:0",
			"arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0",
			"arn:aws:bedrock:eu-*::foundation-model/amazon.nova-lite-v1:0",
			"arn:aws:bedrock:::foundation-model/amazon.nova-lite-v1:0",
		}},
		{"no profile", map[string]string{"ModelProfile": "none", "FoundationModelId": "amazon.nova-lite-v1:0"}, "amazon.nova-lite-v1:0", []string{
			"arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0",
		}},
		{"application profile", map[string]string{
			"ModelProfile": "us", "FoundationModelId": "amazon.nova-lite-v1:0",
			"ApplicationInferenceProfileArn": "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc",
		}, "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc", []string{
			"arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-lite-v1:0",
			"arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc",
			"arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0",
			"arn:aws:bedrock:us-*::foundation-model/amazon.nova-lite-v1:0",
			"arn:aws:bedrock:::foundation-model/amazon.nova-lite-v1:0",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := resolve(t, tt.parameters)
			if id := at(s.Resources["WorkerFunction"].Properties, "Environment", "Variables", "MODEL_ID"); id != tt.modelID {
				t.Errorf("MODEL_ID is %v, want %s", id, tt.modelID)
			}
			var got []string
			for _, st := range statements(s.Resources["WorkerRole"]) {
				if at(st, "Action") != "bedrock:InvokeModelWithResponseStream" {
					continue
				}
				through := at(st, "Condition", "StringEquals", "bedrock:InferenceProfileArn")
				for _, r := range list(at(st, "Resource")) {
					got = append(got, r.(string))
					if strings.Contains(r.(string), ":foundation-model/") && tt.parameters["ModelProfile"] != "none" && !strings.HasSuffix(fmt.Sprint(list(through)[0]), "amazon.nova-lite-v1:0") {
						t.Errorf("%s may be called past the profile", r)
					}
				}
			}
			slices.Sort(got)
			slices.Sort(tt.resources)
			if !slices.Equal(got, tt.resources) {
				t.Errorf("may call\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.resources, "\n"))
			}
		})
	}
}
