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
		{"half open", &Chat{}, map[string]string{"EXTERNAL": "some"}, `EXTERNAL is "some"; it must be one of refuse, allow`},
		{"level", &Log{}, map[string]string{"LOG_LEVEL": "loud"}, "LOG_LEVEL must be DEBUG, INFO, WARN or ERROR"},
		{"half of a pair", &Slack{}, map[string]string{"SLACK_BOT_TOKEN": "xoxb-1"}, "SLACK_BOT_TOKEN is set but SLACK_SIGNING_SECRET is not"},
		{"token of the wrong kind", &Slack{}, map[string]string{"SLACK_BOT_TOKEN": secret, "SLACK_SIGNING_SECRET": secret}, "SLACK_BOT_TOKEN must be a bot token"},
		{"not a URL", &DingTalk{}, map[string]string{"DINGTALK_API_URL": "api.dingtalk.com"}, "DINGTALK_API_URL must be an http or https URL"},
		{"no limits", &Limits{}, nil, ""},
		{"budget", &Limits{}, map[string]string{"BUDGET_USER": "lots"}, "BUDGET_USER must be a number"},
		{"budget below nothing", &Limits{}, map[string]string{"BUDGET_CHANNEL": "-1"}, "BUDGET_CHANNEL must be between 0"},
		{"part of a token", &Limits{}, map[string]string{"BUDGET_WORKSPACE": "2.5"}, "tokens are a whole number"},
		{"part of a dollar", &Limits{}, map[string]string{"BUDGET_WORKSPACE": "2.5", "BUDGET_UNIT": "money", "PRICES": "{}"}, ""},
		{"money without prices", &Limits{}, map[string]string{"BUDGET_UNIT": "money"}, "BUDGET_UNIT is money, which needs a price table in PRICES"},
		{"concurrency", &Limits{}, map[string]string{"USER_CONCURRENCY": "-1"}, "USER_CONCURRENCY is -1; it must be between 0 and 1000"},
		{"models to choose from", &Model{}, map[string]string{"MODEL_CHOICES": "Thorough=a.b:0, 快 = c.d ,"}, ""},
		{"choice without id", &Model{}, map[string]string{"MODEL_CHOICES": "a.b:0"}, "MODEL_CHOICES must be like"},
		{"admins by name", &Admins{}, map[string]string{"ADMINS": "U012ABCDEF, ann"}, "ADMINS names \"ann\"; it must be Slack user ids"},
		{"choice twice", &Model{}, map[string]string{"MODEL_CHOICES": "A=b,A=c"}, "MODEL_CHOICES names A twice"},
		{"too many choices", &Model{}, map[string]string{"MODEL_CHOICES": "A=b,B=b,C=b,D=b,E=b"}, "room for 4"},
		{"long name", &Model{}, map[string]string{"MODEL_CHOICES": strings.Repeat("n", 31) + "=b"}, "more than 30 characters"},
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

func TestBudgetsAsCounted(t *testing.T) {
	l := Limits{Budget: Budget{BudgetUser: 2.5, BudgetWorkspace: 100, BudgetUnit: "money"}}
	if u, c, w := l.Budgets(); u != 2_500_000 || c != 0 || w != 100_000_000 {
		t.Errorf("in money: %d, %d, %d", u, c, w)
	}
	l.BudgetUnit, l.BudgetUser = "tokens", 20_000
	if u, _, w := l.Budgets(); u != 20_000 || w != 100 {
		t.Errorf("in tokens: %d, %d", u, w)
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

// Replies in threads are passed on wherever somebody may want them.
func TestForwards(t *testing.T) {
	for _, tt := range []struct {
		followUps, profiles string
		want                bool
	}{{"asker", "", true}, {"anyone", "", true}, {"never", "", false}, {"never", "/parley/profiles", true}} {
		i := Ingress{FollowUps: tt.followUps, Profiles: tt.profiles}
		if got := i.Forwards(); got != tt.want {
			t.Errorf("%+v: %v", tt, got)
		}
	}
}
