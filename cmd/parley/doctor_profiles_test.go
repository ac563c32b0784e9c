package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/go-cmp/cmp"

	"parley/pkg/config"
	"parley/pkg/profiles"
)

// A file is checked without an account: one line for each mistake.
func TestDoctorReadsProfiles(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "handbook"), 0o700); err != nil {
		t.Fatal(err)
	}
	good := `profiles:
  - { name: hr, match: { slack: { channels: [C0HR] } }, knowledge: { docs: handbook } }
  - { name: ops, match: { slack: { channels: [C0OPS] } }, knowledge: { filter: { equals: { key: team, value: ops } } } }
`
	for _, tt := range []struct{ name, text, want string }{
		{"good", good, "  ok    profiles           hr, ops\n  ok    room               219 of the 8192 bytes that an SSM parameter takes (4096 in the standard tier)\n"},
		{"two mistakes", strings.NewReplacer("C0OPS", "C0HR", "name: hr", "name: HR").Replace(good),
			"  WRONG profiles           DIR:2: \"HR\" cannot be a profile's name; it takes up to 32 small letters, digits and hyphens, and is not default\n" +
				"  WRONG profiles           DIR:3: C0HR has two profiles, \"HR\" and \"ops\"; take it out of one\n" +
				"  ok    room               218 of the 8192 bytes that an SSM parameter takes (4096 in the standard tier)\n"},
		{"no folder", strings.Replace(good, "docs: handbook", "docs: nowhere", 1), "knowledge: there is no folder"},
		{"no filter", strings.Replace(good, "equals:", "likes:", 1), "likes"},
		{"large", good + strings.Repeat("# a long prompt\n", 1000), "off   room               16219 bytes are for one machine; an SSM parameter takes 8192"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(dir, "profiles.yaml")
			if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			checks, err := fileChecks(path)
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			err = examine(t.Context(), &out, checks)
			got := strings.ReplaceAll(out.String(), path, "DIR")
			if !strings.Contains(got, tt.want) || (err != nil) != strings.Contains(got, "WRONG") {
				t.Errorf("%v\n%s", err, cmp.Diff(tt.want, got))
			}
		})
	}
}

// theStack is a deployment with one model and one knowledge base of a profile.
var theStack = deployedStack{
	id:      "arn:aws:cloudformation:eu-central-1:123456789012:stack/parley/1",
	outputs: map[string]string{"KnowledgeBaseId": "DEPLOYED01", "ProfilesParameter": "/parley/profiles"},
	parameters: map[string]string{
		"ModelProfile": "eu", "FoundationModelId": "vendor.small", "OtherFoundationModelId": "vendor.other",
		"ProfileModelArns": "arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.vendor.big," +
			"arn:aws:bedrock:eu-*::foundation-model/vendor.big,arn:aws:bedrock:eu-central-1::foundation-model/vendor.here",
		"ProfileKnowledgeBaseArns": "arn:aws:bedrock:eu-central-1:123456789012:knowledge-base/TERRAFORM1",
	},
}

// bedrockSays answers for Bedrock's inference profiles and knowledge bases.
func bedrockSays(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, id, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	_, model, _ := strings.Cut(id, ".")
	switch {
	case strings.HasPrefix(r.URL.Path, "/inference-profiles/"):
		fmt.Fprintf(w, `{"inferenceProfileArn":"arn:aws:bedrock:eu-central-1:123456789012:inference-profile/%s","models":[
			{"modelArn":"arn:aws:bedrock:eu-central-1::foundation-model/%[2]s"},{"modelArn":"arn:aws:bedrock:eu-west-1::foundation-model/%[2]s"}]}`, id, model)
	case strings.HasPrefix(r.URL.Path, "/knowledgebases/"):
		fmt.Fprintf(w, `{"knowledgeBase":{"knowledgeBaseId":%q,"status":"ACTIVE"}}`, id)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// What profiles name must be within the worker's permissions: what is missing is
// said so that it can be pasted.
func TestDoctorChecksPermissionsOfProfiles(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(bedrockSays))
	defer server.Close()
	cfg := aws.Config{Region: "eu-central-1", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("id", "key", "")}
	answers := check{"model", func(context.Context) (string, error) { return "it answers", nil }}
	const models = "the worker may not call it; add "
	for id, want := range map[string]string{
		"eu.vendor.small":  "it answers, for hr, ops",
		"eu.vendor.other":  "it answers, for hr, ops",
		"eu.vendor.big":    "it answers, for hr, ops",
		"vendor.here":      "it answers, for hr, ops",
		"vendor.elsewhere": "vendor.elsewhere, for hr, ops: " + models + "arn:aws:bedrock:eu-central-1::foundation-model/vendor.elsewhere to ProfileModelArns and deploy",
		"eu.vendor.new": "eu.vendor.new, for hr, ops: " + models + "arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.vendor.new," +
			"arn:aws:bedrock:eu-central-1::foundation-model/vendor.new,arn:aws:bedrock:eu-west-1::foundation-model/vendor.new to ProfileModelArns and deploy",
	} {
		said, err := profileModelCheck(cfg, theStack, profiles.Named{ID: id, By: []string{"hr", "ops"}}, answers).find(t.Context())
		if got := either(said, err); got != want {
			t.Errorf("-want +got\n%s", cmp.Diff(want, got))
		}
	}
	for id, want := range map[string]string{
		"DEPLOYED01": "DEPLOYED01 is ACTIVE, with 0 sources, for hr",
		"TERRAFORM1": "TERRAFORM1 is ACTIVE, with 0 sources, for hr",
		"UNKNOWN001": "UNKNOWN001, for hr: the worker may not search it; add arn:aws:bedrock:eu-central-1:123456789012:knowledge-base/UNKNOWN001 to ProfileKnowledgeBaseArns and deploy",
	} {
		said, err := profileBaseCheck(cfg, theStack, profiles.Named{ID: id, By: []string{"hr"}}).find(t.Context())
		if got := either(said, err); got != want {
			t.Errorf("-want +got\n%s", cmp.Diff(want, got))
		}
	}
}

func either(said string, err error) string {
	if err != nil {
		return err.Error()
	}
	return said
}

// A stack without the parameter has nothing to check; a file for it needs it.
func TestDoctorWithoutProfilesParameter(t *testing.T) {
	for file, off := range map[string]bool{"": true, "profiles.yaml": false} {
		checks, err := deployedProfileChecks(t.Context(), aws.Config{}, deployedStack{}, file, config.Model{})
		if err != nil || len(checks) != 1 {
			t.Fatalf("%d checks: %v", len(checks), err)
		}
		if _, err = checks[0].find(t.Context()); errors.As(err, new(errOff)) != off {
			t.Errorf("%q: %v", file, err)
		}
	}
}
