package deploy

import (
	"slices"
	"strings"
	"testing"

	"parley/test/stack"
)

// What holds people's data or their credentials outlives the stack, unless
// somebody decides otherwise.
func TestRetained(t *testing.T) {
	s := resolve(t, everything)
	for name, r := range s.Resources {
		switch r.Type {
		case "AWS::DynamoDB::Table", "AWS::SecretsManager::Secret", "AWS::S3::Bucket", "AWS::KMS::Key":
			if r.DeletionPolicy != "Retain" {
				t.Errorf("%s is deleted with the stack", name)
			}
		}
	}
	table := s.Resources["Table"].Properties
	if table["DeletionProtectionEnabled"] != true || at(table, "PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled") != true {
		t.Error("the table can be lost")
	}
	if at(table, "TimeToLiveSpecification", "AttributeName") != "ttl" || at(table, "OnDemandThroughput", "MaxWriteRequestUnits") == nil {
		t.Error("the table grows, or its bill does, without bound")
	}
}

// A new secret must not be one that anybody knows: a request signed with an empty
// or published secret would be taken for genuine.
func TestNewSecretsAreRandom(t *testing.T) {
	s := resolve(t, everything)
	for name, proves := range map[string]string{"SlackSecret": "signing_secret", "DingTalkSecret": "AppSecret"} {
		g := at(s.Resources[name].Properties, "GenerateSecretString")
		if at(g, "GenerateStringKey") != proves || strings.Contains(at(g, "SecretStringTemplate").(string), proves) {
			t.Errorf("%s: %s is not drawn at random", name, proves)
		}
	}
}

func TestFunctions(t *testing.T) {
	eachInstallation(t, func(t *testing.T, s *stack.Stack) {
		for name, r := range s.Resources {
			if r.Type != "AWS::Serverless::Function" {
				continue
			}
			p := r.Properties
			if p["Runtime"] != "provided.al2023" || r.Metadata["BuildMethod"] != "makefile" || p["CodeUri"] != "." {
				t.Errorf("%s is built otherwise than the rest", name)
			}
			group, _ := at(p, "LoggingConfig", "LogGroup").(string)
			if at(p, "LoggingConfig", "LogFormat") != "JSON" || s.Resources[group].Properties["RetentionInDays"] == nil {
				t.Errorf("%s does not log in JSON to a group of its own with an end", name)
			}
			// Lambda drops lines below this level, and takes metrics for INFO.
			if level := at(p, "LoggingConfig", "ApplicationLogLevel"); level != "INFO" && level != "DEBUG" {
				t.Errorf("%s: level %v filters metrics out", name, level)
			}
			if p["Policies"] != nil || p["Role"] == nil {
				t.Errorf("%s has a role that SAM made", name)
			}
		}
	})
}

func TestRoutes(t *testing.T) {
	want := map[string]bool{
		"POST /slack/events": true, "POST /slack/commands": true, "POST /slack/interactions": true,
		"POST /dingtalk/messages": true, "POST /dingtalk/cards": true, "GET /healthz": true,
	}
	s := resolve(t, nil)
	events := s.Resources["IngressFunction"].Properties["Events"].(map[string]any)
	for name, e := range events {
		route := at(e, "Properties", "Method").(string) + " " + at(e, "Properties", "Path").(string)
		if !want[route] || at(e, "Properties", "ApiId") != "Api" {
			t.Errorf("%s is a route too many: %s", name, route)
		}
		delete(want, route)
	}
	for route := range want {
		t.Errorf("no route %s", route)
	}
	settings := s.Resources["Api"].Properties["DefaultRouteSettings"]
	if at(settings, "ThrottlingRateLimit") == nil || at(settings, "ThrottlingBurstLimit") == nil || at(s.Resources["Api"].Properties, "AccessLogSettings", "Format") == nil {
		t.Error("the front door is not throttled, or not logged")
	}
}

// With a key of one's own, everything that can be encrypted with it is.
func TestCustomerManagedKey(t *testing.T) {
	s := resolve(t, everything)
	for name, r := range s.Resources {
		var key any
		switch r.Type {
		case "AWS::Logs::LogGroup":
			if key = r.Properties["KmsKeyId"]; key == "Key.Arn" {
				key = "Key"
			}
			if group := r.Properties["LogGroupName"].(string); !strings.HasPrefix(group, "/aws/") || !strings.Contains(group, "/parley-") {
				t.Errorf("%s is outside what the key's policy lets logs use: %s", name, group)
			}
		case "AWS::SecretsManager::Secret":
			key = r.Properties["KmsKeyId"]
		case "AWS::SQS::Queue":
			key = r.Properties["KmsMasterKeyId"]
		case "AWS::DynamoDB::Table":
			key = at(r.Properties, "SSESpecification", "KMSMasterKeyId")
		default:
			continue
		}
		if key != "Key" {
			t.Errorf("%s is encrypted with %v", name, key)
		}
	}
}

// Every alarm tells the topic, and the dead letters each have one.
func TestAlarms(t *testing.T) {
	s := resolve(t, everything)
	watched := map[string]bool{}
	for name, r := range s.Resources {
		if r.Type != "AWS::CloudWatch::Alarm" {
			continue
		}
		p := r.Properties
		if at(p, "AlarmActions", 0) != everything["AlarmTopicArn"] {
			t.Errorf("%s tells nobody", name)
		}
		for _, d := range list(p["Dimensions"]) {
			watched[p["MetricName"].(string)+" "+at(d, "Value").(string)] = true
		}
	}
	for _, want := range []string{
		"ApproximateNumberOfMessagesVisible RequestsDeadLetters.QueueName", "ApproximateNumberOfMessagesVisible RepliesDeadLetters.QueueName",
		"ApproximateAgeOfOldestMessage RequestsQueue.QueueName", "ApproximateAgeOfOldestMessage RepliesQueue.QueueName",
		"Errors IngressFunction", "Errors WorkerFunction", "Errors ControlFunction", "Errors ResponderFunction",
		"Errors SyncFunction", "SyncsFailed parley-sync",
		"Throttles WorkerFunction", "AckLatency parley-ingress", "5xx Api",
		"InvocationThrottles global.anthropic.claude-haiku-4-5-20251001-v1:0", "CPUUtilization Connector.Name",
	} {
		if !watched[want] {
			t.Errorf("nobody watches %s", want)
		}
	}
}

// The connector has no way in.
func TestConnectorIsClosed(t *testing.T) {
	s := resolve(t, everything)
	if s.Resources["OutboundOnly"].Properties["SecurityGroupIngress"] != nil {
		t.Error("the connector's group lets something in")
	}
	for name, r := range s.Resources {
		if r.Type == "AWS::EC2::NatGateway" || r.Type == "AWS::ElasticLoadBalancingV2::LoadBalancer" {
			t.Errorf("%s is not needed and not free", name)
		}
	}
	for _, c := range list(at(s.Resources["ConnectorTask"].Properties, "ContainerDefinitions")) {
		if at(c, "ReadonlyRootFilesystem") != true || at(c, "User") == nil || at(c, "User") == "0" || at(c, "PortMappings") != nil {
			t.Errorf("container %v can write, is root, or listens", at(c, "Name"))
		}
	}
}

// Every source is read at least weekly unless somebody decides otherwise: a schedule
// of the template's own sends rounds to the queue that the sync function reads, with a
// body that no deduplication takes for the last one.
func TestKeptFresh(t *testing.T) {
	for name, tt := range map[string]struct {
		parameters map[string]string
		fresh      bool
	}{
		"a knowledge base of the stack": {map[string]string{"CreateKnowledgeBase": "true"}, true},
		"an existing one":               {map[string]string{"KnowledgeBaseId": "ABCDEFGHIJ"}, true},
		"by hand":                       {map[string]string{"CreateKnowledgeBase": "true", "KnowledgeSyncSchedule": ""}, false},
		"none":                          {nil, false},
	} {
		s := resolve(t, tt.parameters)
		schedule, ok := s.Resources["SyncSchedule"]
		_, handled := s.Resources["SyncFunction"]
		if ok != tt.fresh || handled != tt.fresh {
			t.Errorf("%s: scheduled is %v, handled is %v", name, ok, handled)
		}
		if !ok {
			continue
		}
		p := schedule.Properties
		if p["ScheduleExpression"] != "cron(0 3 ? * SUN *)" || at(p, "Target", "Arn") != "SyncQueue.Arn" || at(p, "Target", "SqsParameters", "MessageGroupId") == nil {
			t.Errorf("%s: the schedule is %v", name, p)
		}
		if !strings.Contains(at(p, "Target", "Input").(string), "<aws.scheduler.scheduled-time>") || s.Resources["SyncQueue"].Properties["ContentBasedDeduplication"] != true {
			t.Errorf("%s: rounds are not told apart", name)
		}
		if rounds := mappings(t, s); !slices.ContainsFunc(rounds, func(m mapping) bool { return m.function == "SyncFunction" && m.queue == "SyncQueue" }) {
			t.Errorf("%s: nobody reads the rounds", name)
		}
	}
}
