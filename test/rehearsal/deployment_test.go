package rehearsal

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"parley/pkg/bedrock/bedrocktest"
	"parley/pkg/dingtalk/dingtest"
	"parley/pkg/slack/slacktest"
	"parley/test/runtimeapi"
	"parley/test/stack"
)

var rehearse = flag.Bool("rehearse", false, "run the rehearsal; it takes minutes")

// binaries are what is built, once, for this machine.
var binaries struct {
	dir   string
	built sync.Once
	err   error
}

func TestMain(m *testing.M) {
	flag.Parse()
	dir, err := os.MkdirTemp("", "rehearsal")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binaries.dir = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// build builds the functions as the Makefile does, and the command-line tool.
func build() error {
	binaries.built.Do(func() {
		var failed []error
		for _, target := range []string{"functions/ingress", "functions/worker", "functions/responder", "cmd/parley"} {
			cmd := exec.Command("go", "build", "-trimpath", "-tags", "lambda.norpc", "-ldflags", "-s -w",
				"-o", filepath.Join(binaries.dir, filepath.Base(target)), "./"+target)
			cmd.Dir = "../.."
			cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
			if out, err := cmd.CombinedOutput(); err != nil {
				failed = append(failed, fmt.Errorf("build %s: %s", target, out))
			}
		}
		binaries.err = errors.Join(failed...)
	})
	return binaries.err
}

// deployment is Parley, deployed.
type deployment struct {
	*testing.T
	cloud     *cloud
	stack     *stack.Stack
	slack     *slacktest.Server
	ding      *dingtest.Server
	bedrock   *bedrocktest.Server
	functions map[string]*runtimeapi.Function
	gates     map[string]*gate
	front     *httptest.Server
	queues    *sqs.Client
	secrets   map[string]map[string]string // by logical name
	log       lockedBuffer
}

// lockedBuffer gathers what the functions log.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// deploy deploys the template with both platforms, and takes it down with the test.
func deploy(t *testing.T) *deployment {
	t.Helper()
	return deployWith(t, nil)
}

// deployWith is deploy with parameters of the template.
func deployWith(t *testing.T, more map[string]string) *deployment {
	t.Helper()
	if !*rehearse {
		t.Skip("a rehearsal takes minutes; run it with -rehearse, or make rehearsal")
	}
	if err := build(); err != nil {
		t.Fatal(err)
	}
	tmpl, err := stack.Read("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	d := &deployment{T: t, functions: map[string]*runtimeapi.Function{}, gates: map[string]*gate{}}
	d.startPlatforms()
	parameters := map[string]string{"Platforms": "slack+dingtalk"}
	maps.Copy(parameters, more)
	d.secrets = map[string]map[string]string{
		"SlackSecret":    {"signing_secret": slacktest.DefaultSecret, "bot_token": slacktest.DefaultToken, "app_token": slacktest.DefaultApp},
		"DingTalkSecret": {"AppKey": d.ding.ClientID, "AppSecret": d.ding.Secret},
	}
	texts := map[string]string{}
	for name, values := range d.secrets {
		text, err := json.Marshal(values)
		if err != nil {
			t.Fatal(err)
		}
		texts[name] = string(text)
	}
	d.cloud, err = open(t.Context(), tmpl, parameters, os.Getenv("AWS_ENDPOINT_URL"), texts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.cloud.stop)
	d.front = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		newFront(d.stack, "IngressFunction", d.functions["IngressFunction"]).ServeHTTP(w, r)
	}))
	t.Cleanup(d.front.Close)
	d.cloud.physical["Api"] = d.front.URL
	model := httptest.NewServer(d.bedrock)
	t.Cleanup(model.CloseClientConnections)
	d.cloud.services["bedrock"] = model.URL
	if d.stack, err = tmpl.Resolve(parameters, d.cloud.pseudo(), d.cloud.ref); err != nil {
		t.Fatal(err)
	}
	d.queues = sqs.NewFromConfig(d.cloud.config("sqs"))
	for function, binary := range map[string]string{
		"IngressFunction": "ingress", "WorkerFunction": "worker", "ControlFunction": "worker", "SyncFunction": "worker", "ResponderFunction": "responder",
	} {
		if _, deployed := d.stack.Resources[function]; deployed {
			d.startFunction(function, binary)
		}
	}
	d.startMappings()
	t.Cleanup(d.inspect)
	return d
}

func (d *deployment) startPlatforms() {
	d.slack, d.ding, d.bedrock = slacktest.New(slacktest.Options{}), dingtest.New(dingtest.Options{}), &bedrocktest.Server{}
	_, stop, err := d.slack.Start()
	if err != nil {
		d.Fatal(err)
	}
	d.Cleanup(stop)
	d.ding.Start(d.T)
	d.slack.SetChannel(slacktest.Channel{ID: channel, Type: "channel"})
}

// startFunction starts a function as the template describes it: its variables,
// its timeout, its handler, and through a gate its role.
func (d *deployment) startFunction(name, binary string) {
	allowed, err := permissionsOf(d.stack, d.stack.Resources[name].Properties["Role"])
	if err != nil {
		d.Fatal(err)
	}
	g, err := newGate(name, d.cloud.account, allowed, d.cloud.services)
	if err != nil {
		d.Fatal(err)
	}
	d.Cleanup(g.server.Close)
	p := d.stack.Resources[name].Properties
	// What tests redirect; everything else is the template's.
	env := map[string]string{
		"AWS_ENDPOINT_URL": g.server.URL, "SLACK_API_URL": d.slack.APIURL(),
		"DINGTALK_API_URL": d.ding.APIURL, "DINGTALK_OAPI_URL": d.ding.OAPIURL,
	}
	for k, v := range p["Environment"].(map[string]any)["Variables"].(map[string]any) {
		env[k] = fmt.Sprint(v)
	}
	f := runtimeapi.New(runtimeapi.Config{
		Binary: filepath.Join(binaries.dir, binary), Name: fmt.Sprint(p["FunctionName"]), Handler: fmt.Sprint(p["Handler"]),
		Timeout: seconds(p["Timeout"]), Memory: int(seconds(p["MemorySize"]) / time.Second), Env: env, Log: &d.log, Concurrency: 6,
	})
	d.Cleanup(f.Close)
	d.functions[name], d.gates[name] = f, g
}

// startMappings polls as the template's event source mappings do.
func (d *deployment) startMappings() {
	ctx, cancel := context.WithCancel(context.Background())
	var polling sync.WaitGroup
	d.Cleanup(func() {
		cancel()
		for _, f := range d.functions {
			f.Close() // what still runs is cut short
		}
		polling.Wait()
	})
	for name, f := range d.functions {
		events, _ := d.stack.Resources[name].Properties["Events"].(map[string]any)
		for _, e := range events {
			e := e.(map[string]any)
			if e["Type"] != "SQS" {
				continue
			}
			p := e["Properties"].(map[string]any)
			arn := fmt.Sprint(p["Queue"])
			m := mapping{
				client: d.queues, queueURL: d.queueURL(arn), queueARN: arn, function: f, batchSize: int(seconds(p["BatchSize"]) / time.Second),
				concurrency: min(4, int(seconds(p["ScalingConfig"].(map[string]any)["MaximumConcurrency"])/time.Second)),
				report:      func(err error) { fmt.Fprintf(&d.log, "%s: invocation failed: %v\n", name, err) },
			}
			polling.Go(func() { m.run(ctx) })
		}
	}
}

func (d *deployment) queueURL(arn string) string {
	for _, id := range d.cloud.physical {
		if strings.HasPrefix(id, "http") && strings.HasSuffix(arn, ":"+filepath.Base(id)) {
			return id
		}
	}
	d.Fatalf("no queue %s", arn)
	return ""
}

// inspect fails the test for what must not happen in any rehearsal.
func (d *deployment) inspect() {
	for _, g := range d.gates {
		for _, r := range g.refusals() {
			d.Errorf("the template's role is too narrow: %s", r)
		}
	}
	for _, v := range slices.Concat(d.slack.Violations(), d.ding.Violations()) {
		d.Errorf("a platform was misused: %s", v)
	}
	for _, secret := range []string{slacktest.DefaultToken, slacktest.DefaultSecret, d.ding.Secret} {
		if strings.Contains(d.log.String(), secret) {
			d.Error("a secret is in the log")
		}
	}
	if d.Failed() {
		d.Logf("the functions' log:\n%s", d.log.String())
	}
}

// send has Slack send an event, and returns the status it is answered with.
func (d *deployment) send(in slacktest.Inbound) int {
	d.Helper()
	r, err := in.Request(d.front.URL)
	if err != nil {
		d.Fatal(err)
	}
	return d.do(r)
}

func (d *deployment) do(r *http.Request) int {
	d.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		d.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// eventually waits until ok, at most for limit.
func (d *deployment) eventually(what string, limit time.Duration, ok func() bool) {
	d.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	timeout := time.NewTimer(cmp.Or(limit, 30*time.Second))
	defer timeout.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-timeout.C:
			d.Fatalf("%s: not within %v", what, cmp.Or(limit, 30*time.Second))
		}
	}
}
