package main

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// documented are the manifest fields Slack documents
// (docs.slack.dev/reference/app-manifest), by path; * stands for list elements.
var documented = strings.Fields(`
_metadata.major_version _metadata.minor_version
display_information.name display_information.description display_information.long_description display_information.background_color
features.app_home.home_tab_enabled features.app_home.messages_tab_enabled features.app_home.messages_tab_read_only_enabled
features.agent_view.agent_description features.agent_view.suggested_prompts.*.title features.agent_view.suggested_prompts.*.message
features.bot_user.display_name features.bot_user.always_online
features.shortcuts.*.name features.shortcuts.*.type features.shortcuts.*.callback_id features.shortcuts.*.description
features.slash_commands.*.command features.slash_commands.*.description features.slash_commands.*.usage_hint
features.slash_commands.*.should_escape features.slash_commands.*.url
oauth_config.scopes.bot.*
settings.event_subscriptions.request_url settings.event_subscriptions.bot_events.*
settings.interactivity.is_enabled settings.interactivity.request_url
settings.org_deploy_enabled settings.socket_mode_enabled settings.token_rotation_enabled`)

func paths(prefix string, v any, out map[string]any) {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			paths(prefix+"."+key, value, out)
		}
	case []any:
		for _, value := range v {
			paths(prefix+".*", value, out)
		}
	default:
		out[strings.TrimPrefix(prefix, ".")] = v
	}
}

func printed(t *testing.T, args ...string) map[string]any {
	t.Helper()
	c := root()
	var out bytes.Buffer
	c.SetOut(&out)
	c.SetArgs(append([]string{"manifest", "slack"}, args...))
	if err := c.Execute(); err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := yaml.Unmarshal(out.Bytes(), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestManifestFieldsAreDocumented(t *testing.T) {
	for _, args := range [][]string{{"--url", "https://parley.example/"}, {"--socket"}} {
		got := map[string]any{}
		paths("", printed(t, args...), got)
		for path := range got {
			if !slices.Contains(documented, path) {
				t.Errorf("%v: field %s is not documented", args, path)
			}
		}
	}
}

func TestManifestLimits(t *testing.T) {
	got := map[string]any{}
	paths("", printed(t, "--url", "https://parley.example/"), got)
	for path, most := range map[string]int{
		"display_information.name": 35, "display_information.description": 140,
		"features.agent_view.agent_description": 300, "features.shortcuts.*.description": 150, "features.slash_commands.*.command": 32,
	} {
		if s, _ := got[path].(string); s == "" || len([]rune(s)) > most {
			t.Errorf("%s is %q, want 1 to %d characters", path, got[path], most)
		}
	}
	if s := got["display_information.long_description"].(string); len(s) < 174 || len(s) > 4000 {
		t.Errorf("long_description has %d characters, want 174 to 4000", len(s))
	}
	if got["settings.event_subscriptions.request_url"] != "https://parley.example/slack/events" {
		t.Errorf("request_url is %v", got["settings.event_subscriptions.request_url"])
	}
}

func TestManifestForSocketModeHasNoURLs(t *testing.T) {
	got := map[string]any{}
	paths("", printed(t, "--socket"), got)
	for path := range got {
		if strings.HasSuffix(path, "url") {
			t.Errorf("%s is set", path)
		}
	}
	if got["settings.socket_mode_enabled"] != true {
		t.Error("socket mode is off")
	}
}

// A home tab needs three things: to be switched on, its event, and presses on it.
func TestManifestHasAHomeTab(t *testing.T) {
	m := printed(t, "--socket")
	got := map[string]any{}
	paths("", m, got)
	if got["features.app_home.home_tab_enabled"] != true || got["settings.interactivity.is_enabled"] != true {
		t.Error("the home tab or interactivity is switched off")
	}
	events := m["settings"].(map[string]any)["event_subscriptions"].(map[string]any)["bot_events"].([]any)
	if !slices.Contains(events, any("app_home_opened")) {
		t.Error("nothing tells when it is opened")
	}
}

// Every right the app asks for, and every event it hears, is explained to the
// people who grant it.
func TestManifestIsExplained(t *testing.T) {
	page, err := os.ReadFile("../../docs/slack.md")
	if err != nil {
		t.Fatal(err)
	}
	settings := printed(t, "--socket")
	for _, path := range [][]string{{"oauth_config", "scopes", "bot"}, {"settings", "event_subscriptions", "bot_events"}} {
		var v any = settings
		for _, key := range path {
			v = v.(map[string]any)[key]
		}
		for _, name := range v.([]any) {
			if !bytes.Contains(page, []byte("`"+name.(string)+"`")) {
				t.Errorf("docs/slack.md does not say what %s is for", name)
			}
		}
	}
}
