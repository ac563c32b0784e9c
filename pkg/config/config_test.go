package config

import (
	"strings"
	"testing"
)

func TestMistakesNameTheVariable(t *testing.T) {
	const secret = "xapp-hunter2"
	tests := []struct {
		name string
		dst  any
		env  map[string]string
		want string // in the error; "" for none
	}{
		{"defaults", &Chat{}, nil, ""},
		{"empty counts as unset", &Chat{}, map[string]string{"MEMORY_TURNS": " "}, ""},
		{"not a number", &Chat{}, map[string]string{"MEMORY_TURNS": "many"}, "MEMORY_TURNS must be a whole number"},
		{"out of range", &Chat{}, map[string]string{"MEMORY_TURNS": "0"}, "MEMORY_TURNS is 0; it must be between 1 and 200"},
		{"no such choice", &Chat{}, map[string]string{"FOLLOW_UPS": "all"}, `FOLLOW_UPS is "all"; it must be one of asker, anyone, never`},
		{"level", &Log{}, map[string]string{"LOG_LEVEL": "loud"}, "LOG_LEVEL must be DEBUG, INFO, WARN or ERROR"},
		{"half of a pair", &Slack{}, map[string]string{"SLACK_BOT_TOKEN": "xoxb-1"}, "SLACK_BOT_TOKEN is set but SLACK_SIGNING_SECRET is not"},
		{"token of the wrong kind", &Slack{}, map[string]string{"SLACK_BOT_TOKEN": secret, "SLACK_SIGNING_SECRET": secret}, "SLACK_BOT_TOKEN must be a bot token"},
		{"not a URL", &DingTalk{}, map[string]string{"DINGTALK_API_URL": "api.dingtalk.com"}, "DINGTALK_API_URL must be an http or https URL"},
		{"guardrail without version", &Model{}, map[string]string{"GUARDRAIL_ID": "g"}, "GUARDRAIL_VERSION"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := LoadFrom(tt.dst, tt.env)
			if tt.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error %v, want one that contains %q", err, tt.want)
			}
			if strings.Contains(err.Error(), secret) {
				t.Fatalf("the error repeats a secret: %v", err)
			}
		})
	}
}

func TestDefaults(t *testing.T) {
	var s Slack
	if err := LoadFrom(&s, map[string]string{"SLACK_API_URL": "http://127.0.0.1:9/api"}); err != nil {
		t.Fatal(err)
	}
	if s.APIURL != "http://127.0.0.1:9/api/" || s.On() {
		t.Errorf("got %+v", s)
	}
	var d DingTalk
	if err := LoadFrom(&d, map[string]string{"DINGTALK_CLIENT_ID": "id", "DINGTALK_CLIENT_SECRET": "x"}); err != nil {
		t.Fatal(err)
	}
	if d.RobotCode != "" || !d.On() { // a robot that is not named is not checked
		t.Errorf("got %+v", d)
	}
}
