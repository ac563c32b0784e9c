package main

import (
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/spf13/cobra"
	"gopkg.in/yaml.v3"
)

func manifestCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "manifest",
		Short: "Print the app manifest for a platform",
		Args:  noArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(slackManifestCommand())
	return c
}

func slackManifestCommand() *cobra.Command {
	var address, name string
	var socket bool
	c := &cobra.Command{
		Use:   "slack",
		Short: "Print the manifest to create the Slack app from",
		Long: `Prints an app manifest. Paste it at https://api.slack.com/apps under "Create New
App", "From a manifest". After that Slack asks to verify the request URL, for which
Parley must be running there.`,
		Example: `  parley manifest slack --url https://abc123.execute-api.eu-central-1.amazonaws.com
  parley manifest slack --socket > manifest.yaml`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if (address == "") != socket {
				return usagef("say where Parley is reached with --url https://..., or --socket if it has no public address")
			}
			if u, err := url.Parse(address); address != "" && (err != nil || u.Scheme != "https" || u.Host == "") {
				return usagef("--url is %q; Slack needs an https URL", address)
			}
			return writeManifest(c.OutOrStdout(), name, strings.TrimRight(address, "/"))
		},
	}
	c.Flags().StringVar(&address, "url", "", "public address of Parley, such as the stack's output ApiUrl")
	c.Flags().BoolVar(&socket, "socket", false, "for Socket Mode, without a public address")
	c.Flags().StringVar(&name, "name", "Parley", "name of the app, at most 35 characters")
	return c
}

func writeManifest(w io.Writer, name, address string) error {
	if n := len([]rune(name)); n == 0 || n > 35 {
		return usagef("--name has %d characters; Slack allows 1 to 35", n)
	}
	enc := yaml.NewEncoder(w)
	enc.SetIndent(2)
	if err := enc.Encode(slackManifest(name, address)); err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	return enc.Close()
}

// object is one level of a manifest.
type object = map[string]any

// slackManifest is the manifest of the agent_view generation, for HTTP at address,
// or for Socket Mode where address is empty. Field names and limits:
// docs.slack.dev/reference/app-manifest.
func slackManifest(name, address string) object {
	socket := address == ""
	command := object{
		"command": "/parley", "description": "Ask privately, or say help, reset or usage",
		"usage_hint": "[question | help | reset]", "should_escape": true,
	}
	events := object{"bot_events": []string{
		"agent_session_stopped", "agent_session_title_changed", "app_context_changed", "app_home_opened",
		"app_mention", "message.channels", "message.groups", "message.im", "message.mpim",
	}}
	interactivity := object{"is_enabled": true}
	if !socket {
		command["url"] = address + "/slack/commands"
		events["request_url"] = address + "/slack/events"
		interactivity["request_url"] = address + "/slack/interactions"
	}
	return object{
		"_metadata": object{"major_version": 2, "minor_version": 1},
		"display_information": object{
			"name":        name,
			"description": "Answers questions in threads and direct messages.",
			"long_description": "Parley answers mentions and direct messages with a large language model that runs in your own AWS account. " +
				"It reads only the conversations it was invited to, keeps its answers in threads, remembers each conversation by itself, and forgets it when told to.",
			"background_color": "#1F3A5F",
		},
		"features": object{
			"app_home": object{"home_tab_enabled": true, "messages_tab_enabled": true, "messages_tab_read_only_enabled": false},
			"agent_view": object{
				"agent_description": "Ask a question, attach a document, or have a thread summarised.",
				"suggested_prompts": []object{
					{"title": "Summarise", "message": "Summarise what I am looking at in five bullet points."},
					{"title": "Draft a reply", "message": "Draft a short and friendly reply to the last message."},
				},
			},
			"bot_user":       object{"display_name": strings.ToLower(strings.ReplaceAll(name, " ", "-")), "always_online": true},
			"slash_commands": []object{command},
			"shortcuts": []object{{
				"name": "Remember this thread", "type": "message", "callback_id": "remember_thread",
				"description": "Keep the thread's question and answer as knowledge",
			}},
		},
		"oauth_config": object{"scopes": object{"bot": []string{
			"app_mentions:read", "assistant:write", "channels:history", "chat:write", "commands", "files:read", "files:write",
			"groups:history", "im:history", "mpim:history",
		}}},
		"settings": object{
			"event_subscriptions":    events,
			"interactivity":          interactivity,
			"org_deploy_enabled":     false,
			"socket_mode_enabled":    socket,
			"token_rotation_enabled": false,
		},
	}
}
