package deploy

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"parley/pkg/config"
	"parley/test/stack"
)

// reads is which structs of pkg/config each process reads.
var reads = map[string][]any{
	"IngressFunction":   {config.Ingress{}, config.Slack{}, config.DingTalk{}},
	"WorkerFunction":    {config.Worker{}, config.Chat{}, config.Model{}, config.Limits{}, config.Remember{}, config.Slack{}, config.DingTalk{}},
	"ControlFunction":   {config.Control{}, config.Home{}},
	"SyncFunction":      {config.Sync{}},
	"ResponderFunction": {config.Responder{}, config.Slack{}, config.DingTalk{}},
}

// unset are the names that a deployment leaves out, with the reason.
var unset = []struct{ function, names, why string }{
	{"*", "SLACK_SIGNING_SECRET SLACK_BOT_TOKEN SLACK_APP_TOKEN DINGTALK_CLIENT_ID DINGTALK_CLIENT_SECRET", "for local runs; here they are in the secret"},
	{"*", "SLACK_API_URL DINGTALK_API_URL DINGTALK_OAPI_URL", "for tests; the defaults are the platforms"},
	{"WorkerFunction", "SYSTEM_PROMPT", "for local runs; here it is in SSM"},
	{"WorkerFunction", "GROUP_MEMORY", "decides the conversation, which is the parser's business"},
	{"WorkerFunction", "DINGTALK_CORP_ID DINGTALK_CARD_TEMPLATE_ID DINGTALK_CARD_CALLBACK_URL", "the parser's and the poster's"},
	{"ResponderFunction", "DINGTALK_CORP_ID", "the parser's"},
	{"IngressFunction", "DINGTALK_CARD_TEMPLATE_ID DINGTALK_CARD_CALLBACK_URL", "the poster's"},
}

func isUnset(function, name string) bool {
	for _, u := range unset {
		if (u.function == "*" || u.function == function) && slices.Contains(strings.Fields(u.names), name) {
			return true
		}
	}
	return false
}

// names are the variables that structs read.
func names(structs []any) map[string]bool {
	all := map[string]bool{}
	for _, s := range structs {
		for _, f := range reflect.VisibleFields(reflect.TypeOf(s)) {
			if name, _, _ := strings.Cut(f.Tag.Get("env"), ","); name != "" {
				all[name] = true
			}
		}
	}
	return all
}

// Each function is told exactly what it reads: nothing is missing, and nothing is
// set that nobody looks at.
func TestEnvironment(t *testing.T) {
	eachInstallation(t, func(t *testing.T, s *stack.Stack) {
		for function, structs := range reads {
			if _, ok := s.Resources[function]; !ok {
				continue // an optional part
			}
			set, _ := at(s.Resources[function].Properties, "Environment", "Variables").(map[string]any)
			read := names(structs)
			for _, name := range slices.Sorted(maps.Keys(read)) {
				if _, ok := set[name]; ok == isUnset(function, name) {
					t.Errorf("%s reads %s: set is %v, excused is %v", function, name, ok, isUnset(function, name))
				}
			}
			for name := range set {
				if !read[name] {
					t.Errorf("%s is told %s and does not read it", function, name)
				}
			}
		}
	})
}

// The configuration that an untouched template gives loads.
func TestEnvironmentLoads(t *testing.T) {
	eachInstallation(t, func(t *testing.T, s *stack.Stack) {
		for function, structs := range reads {
			if _, ok := s.Resources[function]; !ok {
				continue // an optional part
			}
			environ := map[string]string{}
			for name, v := range at(s.Resources[function].Properties, "Environment", "Variables").(map[string]any) {
				// The address that CloudFormation would fill in.
				environ[name] = strings.Replace(fmt.Sprint(v), "Api.ApiEndpoint", "https://abc.execute-api.us-east-1.amazonaws.com", 1)
			}
			for _, c := range structs {
				dst := reflect.New(reflect.TypeOf(c))
				if err := config.LoadFrom(dst.Interface(), environ); err != nil {
					t.Errorf("%s: %v", function, err)
				}
			}
		}
	})
}

// A platform that is not installed has no secret, and so is off.
func TestPlatformsSwitchSecrets(t *testing.T) {
	for _, tt := range []struct{ platforms, slack, dingtalk string }{
		{"slack", "SlackSecret", ""},
		{"dingtalk", "", "DingTalkSecret"},
		{"slack+dingtalk", "SlackSecret", "DingTalkSecret"},
	} {
		s := resolve(t, map[string]string{"Platforms": tt.platforms})
		env := at(s.Resources["IngressFunction"].Properties, "Environment", "Variables")
		if at(env, "SLACK_SECRET_ARN") != tt.slack || at(env, "DINGTALK_SECRET_ARN") != tt.dingtalk {
			t.Errorf("%s: %v", tt.platforms, env)
		}
	}
}

// A Lambda environment is 4 KB in all.
func TestEnvironmentSize(t *testing.T) {
	long := maps.Clone(everything)
	long["SystemPrompt"] = strings.Repeat("x", 4000)
	s := resolve(t, long)
	for name := range reads {
		size := 0
		for k, v := range at(s.Resources[name].Properties, "Environment", "Variables").(map[string]any) {
			size += len(k) + len(fmt.Sprint(v))
		}
		if size > 3000 {
			t.Errorf("%s: %d bytes of environment", name, size)
		}
	}
}

// The connector reads what the ingress reads, and its secrets by reference.
func TestConnectorEnvironment(t *testing.T) {
	known := names([]any{config.Ingress{}, config.Slack{}, config.DingTalk{}, config.Log{}})
	s := resolve(t, everything)
	containers := list(at(s.Resources["ConnectorTask"].Properties, "ContainerDefinitions"))
	if len(containers) != 2 {
		t.Fatalf("%d containers", len(containers))
	}
	for _, c := range containers {
		for _, v := range append(list(at(c, "Environment")), list(at(c, "Secrets"))...) {
			name := at(v, "Name").(string)
			if !known[name] && name != "AWS_REGION" {
				t.Errorf("%v is told %s and does not read it", at(c, "Name"), name)
			}
			secret := strings.Contains(name, "SECRET") || strings.Contains(name, "TOKEN") || name == "DINGTALK_CLIENT_ID"
			if secret != (at(v, "ValueFrom") != nil) {
				t.Errorf("%s: a secret by value, or a value by reference", name)
			}
		}
	}
}
