package pipelinetest_test

import (
	"encoding/json"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

// module is the path of this module.
const module = "parley"

// A law says what the packages that match may import of this module and of the
// outside world. Laws are tried in order; the first that matches counts.
type law struct {
	packages string   // a path.Match pattern below the module
	inside   []string // patterns of packages of this module
	outside  []string // prefixes of other modules' packages
	why      string
}

var (
	aws  = "github.com/aws/aws-sdk-go-v2"
	smth = "github.com/aws/smithy-go"
)

var laws = []law{
	{"pkg/chat", nil, nil, "the vocabulary depends on nothing"},
	{"pkg/phrase", nil, nil, "sentences depend on nothing"},
	{"pkg/pipeline", []string{"pkg/chat", "pkg/phrase", "pkg/scrub"}, nil, "the core names no vendor"},
	{"pkg/config", nil, []string{"github.com/caarlos0/env"}, "configuration is plain data"},
	{"pkg/markdown", nil, []string{"github.com/yuin/goldmark"}, "text in, text out"},
	{"pkg/extract", nil, []string{"github.com/ledongthuc/pdf", "golang.org/x/net/html", "golang.org/x/text/encoding"}, "bytes in, text out"},
	{"pkg/notes", []string{"pkg/chat", "pkg/pipeline"}, nil, "one technology: files"},
	{"pkg/profiles", []string{"pkg/chat", "pkg/pipeline"}, []string{"gopkg.in/yaml.v3"}, "one technology: the file of profiles"},
	{"pkg/scrub", nil, nil, "text in, text out"},
	{"pkg/demo", []string{"pkg/chat", "pkg/pipeline", "pkg/phrase"}, nil, "the demo model needs nothing"},
	{"pkg/slack", []string{"pkg/chat", "pkg/pipeline", "pkg/phrase"}, nil, "the ingress function links this: standard library only"},
	{"pkg/slack/slackapi", []string{"pkg/chat", "pkg/pipeline", "pkg/phrase", "pkg/markdown", "pkg/slack"}, []string{"github.com/slack-go/slack"}, "one technology: Slack"},
	{"pkg/slack/slacksocket", []string{"pkg/chat", "pkg/pipeline", "pkg/slack"}, []string{"github.com/slack-go/slack", "github.com/gorilla/websocket"}, "one technology: Slack"},
	{"pkg/slack/slacktest", []string{"pkg/slack"}, []string{"github.com/gorilla/websocket"}, "a fake speaks the wire, not our types"},
	{"pkg/slack/blockpicture", nil, nil, "blocks in, a picture out"},
	{"pkg/dingtalk", []string{"pkg/chat", "pkg/pipeline", "pkg/phrase"}, nil, "the ingress function links this: standard library only"},
	{"pkg/dingtalk/dingapi", []string{"pkg/chat", "pkg/pipeline", "pkg/phrase", "pkg/markdown", "pkg/dingtalk"}, []string{"golang.org/x/sync"}, "one technology: DingTalk"},
	{"pkg/dingtalk/dingstream", []string{"pkg/chat", "pkg/pipeline", "pkg/dingtalk"}, []string{"github.com/gorilla/websocket"}, "one technology: DingTalk"},
	{"pkg/dingtalk/dingtest", []string{"pkg/dingtalk"}, []string{"github.com/gorilla/websocket"}, "a fake speaks the wire, not our types"},
	{"pkg/webchat", []string{"pkg/chat", "pkg/pipeline", "pkg/phrase"}, []string{"github.com/yuin/goldmark"}, "the local page"},
	{"pkg/sqlitestore", []string{"pkg/chat", "pkg/pipeline"}, []string{"modernc.org/sqlite", "golang.org/x/sync", "golang.org/x/sys"}, "one technology: SQLite"},
	{"pkg/docindex", []string{"pkg/chat", "pkg/pipeline", "pkg/extract"}, []string{"github.com/yuin/goldmark", "golang.org/x/net/html", "modernc.org/sqlite"}, "one technology: the local index"},
	{"pkg/awsjson", nil, []string{aws, smth}, "one protocol, no service"},
	{"pkg/sqsqueue", []string{"pkg/chat", "pkg/pipeline", "pkg/sqsqueue/sqssend"}, []string{aws, smth}, "one technology: SQS"},
	{"pkg/sqsqueue/sqssend", []string{"pkg/chat", "pkg/pipeline", "pkg/awsjson"}, []string{aws, smth}, "the ingress function links this: no generated client"},
	{"pkg/sqsqueue/sqslambda", []string{"pkg/chat", "pkg/pipeline", "pkg/sqsqueue"}, []string{"github.com/aws/aws-lambda-go"}, "Lambda's batches of SQS"},
	{"pkg/sqsqueue/sqstest", nil, []string{aws, smth, "github.com/aws/aws-lambda-go/events"}, "a fake speaks the wire, also that of Lambda's event source mapping"},
	{"pkg/dynamostore", []string{"pkg/chat", "pkg/pipeline"}, []string{aws, smth}, "one technology: DynamoDB"},
	{"pkg/bedrock", []string{"pkg/chat", "pkg/pipeline", "pkg/phrase"}, []string{aws, smth}, "one technology: Bedrock"},
	{"pkg/secrets", []string{"pkg/awsjson", "pkg/pipeline"}, []string{aws, "golang.org/x/sync"}, "one technology: Secrets Manager"},
	{"pkg/emf", []string{"pkg/pipeline"}, nil, "metrics are lines on stdout"},
	{"pkg/*/*test", []string{"pkg/*"}, []string{aws, smth, "github.com/gorilla/websocket"}, "a fake speaks the wire"},
	{"pkg/pipelinetest", []string{"pkg/chat", "pkg/pipeline", "pkg/phrase"}, []string{"github.com/google/go-cmp", "pgregory.net/rapid", "go.uber.org/goleak"}, "suites know contracts, not implementations"},
	{"functions/ingress", []string{"pkg/chat", "pkg/config", "pkg/pipeline", "pkg/secrets", "pkg/slack", "pkg/dingtalk", "pkg/sqsqueue/sqssend", "pkg/emf"}, []string{aws, "github.com/aws/aws-lambda-go"}, "the function's IAM policy, read as imports: it sends to queues"},
	{"functions/internal/deployed", []string{"pkg/config", "pkg/emf", "pkg/pipeline", "pkg/secrets", "pkg/slack/slackapi", "pkg/dingtalk/dingapi", "pkg/sqsqueue/sqslambda"}, []string{aws, "github.com/aws/aws-lambda-go"}, "what the functions behind queues share; a part of their mains"},
	{"functions/worker", []string{"functions/internal/deployed", "pkg/*", "pkg/slack/slackapi", "pkg/dingtalk/dingapi", "pkg/sqsqueue/sqslambda"}, []string{aws, smth, "github.com/aws/aws-lambda-go"}, "queues, table, model, and the reading half of the platforms"},
	{"functions/responder", []string{"functions/internal/deployed", "pkg/chat", "pkg/config", "pkg/pipeline", "pkg/secrets", "pkg/slack", "pkg/slack/slackapi", "pkg/dingtalk", "pkg/dingtalk/dingapi", "pkg/sqsqueue", "pkg/sqsqueue/sqslambda", "pkg/dynamostore", "pkg/emf"}, []string{aws, smth, "github.com/aws/aws-lambda-go"}, "queues, table, and the posting half of the platforms; never a model"},
	{"functions/*", []string{"pkg/*"}, []string{aws, smth, "github.com/aws/aws-lambda-go"}, "deployment's own functions"},
	{"cmd/*", []string{"*", "*/*", "*/*/*"}, []string{""}, "mains wire everything"},
	{"cmd/*/*", []string{"*", "*/*", "*/*/*"}, []string{""}, "mains wire everything"},
	{"test/*", []string{"*", "*/*", "*/*/*"}, []string{""}, "tests of the whole wire everything"},
}

// forbidden are dependencies that must not be reached even indirectly.
var forbidden = []struct{ pkg, dependency, why string }{
	{"functions/ingress", "github.com/aws/aws-sdk-go-v2/service/dynamodb", "cold start: the ack path touches no database"},
	{"functions/ingress", "github.com/aws/aws-sdk-go-v2/service/bedrockruntime", "cold start: the ack path touches no model"},
	{"functions/ingress", "github.com/aws/aws-sdk-go-v2/service/sqs", "cold start: a generated client is prepared before main"},
	{"functions/ingress", "github.com/aws/aws-sdk-go-v2/service/secretsmanager", "the same"},
	{"functions/ingress", "github.com/slack-go/slack", "cold start, and its event parser rejects whole events"},
	{"functions/ingress", "github.com/aws/aws-sdk-go-v2/config", "cold start: the configuration is built by hand"},
	{"functions/ingress", "gopkg.in/yaml.v3", "cold start: which profile a message has is the worker's business"},
	{"functions/responder", "github.com/aws/aws-sdk-go-v2/service/bedrockruntime", "the responder never calls a model"},
	{"functions/worker", "modernc.org/sqlite", "Lambda has no disk to keep"},
}

// listed is what go list says of a package.
type listed struct {
	ImportPath string
	Imports    []string
	Deps       []string
	Standard   bool
}

func list(t *testing.T) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,Deps", module+"/...")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var p listed
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

func TestImportLaw(t *testing.T) {
	packages := list(t)
	for _, p := range packages {
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		l, ok := lawFor(name)
		if !ok {
			t.Errorf("%s has no law: add one, with a reason", name)
			continue
		}
		for _, imported := range p.Imports {
			if breach := l.breach(imported); breach {
				t.Errorf("%s imports %s, but: %s", name, imported, l.why)
			}
		}
	}
	for _, f := range forbidden {
		for _, p := range packages {
			if p.ImportPath == module+"/"+f.pkg && slices.Contains(p.Deps, f.dependency) {
				t.Errorf("%s reaches %s, but: %s", f.pkg, f.dependency, f.why)
			}
		}
	}
}

func lawFor(name string) (law, bool) {
	for _, l := range laws {
		if ok, _ := path.Match(l.packages, name); ok {
			return l, true
		}
	}
	return law{}, false
}

// breach reports whether a package under l must not import imported.
func (l law) breach(imported string) bool {
	if inside, ok := strings.CutPrefix(imported, module+"/"); ok {
		return !slices.ContainsFunc(l.inside, func(pattern string) bool {
			ok, _ := path.Match(pattern, inside)
			return ok
		})
	}
	first, _, _ := strings.Cut(imported, "/")
	if !strings.Contains(first, ".") {
		return false // the standard library
	}
	return !slices.ContainsFunc(l.outside, func(prefix string) bool { return strings.HasPrefix(imported, prefix) })
}

// The matcher itself: a law that lets everything through would prove nothing.
func TestImportLawMatches(t *testing.T) {
	tests := []struct {
		pkg, imported string
		breach        bool
	}{
		{"pkg/chat", "strings", false},
		{"pkg/chat", "parley/pkg/pipeline", true},
		{"pkg/pipeline", "parley/pkg/chat", false},
		{"pkg/pipeline", "parley/pkg/sqlitestore", true},
		{"pkg/pipeline", "github.com/slack-go/slack", true},
		{"pkg/slack", "github.com/slack-go/slack", true},
		{"pkg/slack/slackapi", "github.com/slack-go/slack", false},
		{"pkg/slack/slackapi", "parley/pkg/dingtalk", true},
		{"pkg/sqlitestore", "github.com/aws/aws-sdk-go-v2/service/sqs", true},
		{"pkg/sqsqueue", "parley/pkg/dynamostore", true},
		{"functions/ingress", "parley/pkg/dynamostore", true},
		{"functions/responder", "parley/pkg/bedrock", true},
		{"cmd/parley", "parley/pkg/sqlitestore", false},
		{"pkg/slack/slacktest", "parley/pkg/slack", false},
		{"pkg/sqsqueue/sqstest", "parley/pkg/pipeline", true},
	}
	for _, tt := range tests {
		l, ok := lawFor(tt.pkg)
		if !ok {
			t.Errorf("%s has no law", tt.pkg)
		} else if got := l.breach(tt.imported); got != tt.breach {
			t.Errorf("%s importing %s: breach is %v, want %v", tt.pkg, tt.imported, got, tt.breach)
		}
	}
}
