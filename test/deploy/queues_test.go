package deploy

import (
	"fmt"
	"strings"
	"testing"

	"parley/test/stack"
)

// mapping is an event source mapping with its two ends.
type mapping struct {
	function, queue string
	properties      map[string]any
}

func mappings(t *testing.T, s *stack.Stack) []mapping {
	t.Helper()
	var all []mapping
	for name, r := range s.Resources {
		events, _ := r.Properties["Events"].(map[string]any)
		for _, e := range events {
			if at(e, "Type") != "SQS" {
				continue
			}
			p := at(e, "Properties").(map[string]any)
			all = append(all, mapping{name, strings.TrimSuffix(p["Queue"].(string), ".Arn"), p})
		}
	}
	return all
}

// The design's table of numbers.
func TestQueueNumbers(t *testing.T) {
	want := map[string]struct {
		function                                string
		timeout, visibility, batch, concurrency int
		retention, maxReceives                  int
		deadLetters                             string
	}{
		"RequestsQueue": {"WorkerFunction", 300, 360, 1, 20, 4 * 86400, 100, "RequestsDeadLetters"},
		"ControlQueue":  {"ControlFunction", 30, 90, 1, 5, 4 * 86400, 10, "RequestsDeadLetters"},
		"RepliesQueue":  {"ResponderFunction", 30, 90, 10, 5, 86400, 100, "RepliesDeadLetters"},
	}
	s := resolve(t, nil)
	got := mappings(t, s)
	if len(got) != len(want) {
		t.Fatalf("%d mappings, want %d", len(got), len(want))
	}
	for _, m := range got {
		w, q, f := want[m.queue], s.Resources[m.queue].Properties, s.Resources[m.function].Properties
		check := func(what string, got any, want any) {
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s: %s is %v, want %v", m.queue, what, got, want)
			}
		}
		check("function", m.function, w.function)
		check("timeout", f["Timeout"], w.timeout)
		check("visibility", q["VisibilityTimeout"], w.visibility)
		check("batch size", m.properties["BatchSize"], w.batch)
		check("concurrency", at(m.properties, "ScalingConfig", "MaximumConcurrency"), w.concurrency)
		check("retention", q["MessageRetentionPeriod"], w.retention)
		check("maxReceiveCount", at(q, "RedrivePolicy", "maxReceiveCount"), w.maxReceives)
		check("dead letters", at(q, "RedrivePolicy", "deadLetterTargetArn"), w.deadLetters+".Arn")
		check("dead letters' retention", s.Resources[w.deadLetters].Properties["MessageRetentionPeriod"], 14*86400)
	}
}

// Lambda refuses a mapping whose queue shows messages again before the function
// may have ended, and needs partial batches reported to keep the others' success.
func TestMappings(t *testing.T) {
	eachInstallation(t, func(t *testing.T, s *stack.Stack) {
		for _, m := range mappings(t, s) {
			timeout := number(t, s.Resources[m.function].Properties["Timeout"])
			if v := number(t, s.Resources[m.queue].Properties["VisibilityTimeout"]); v < timeout {
				t.Errorf("%s is visible again after %d s; %s may run %d s", m.queue, v, m.function, timeout)
			}
			if at(m.properties, "FunctionResponseTypes", 0) != "ReportBatchItemFailures" {
				t.Errorf("%s does not report batch item failures", m.function)
			}
			if m.properties["FilterCriteria"] != nil {
				t.Errorf("%s filters: what a filter does not match is deleted", m.function)
			}
		}
		for name, r := range s.Resources {
			if r.Properties["ReservedConcurrentExecutions"] != nil {
				t.Errorf("%s reserves concurrency: throttled receives count against maxReceiveCount", name)
			}
		}
	})
}

func TestEveryQueue(t *testing.T) {
	eachInstallation(t, func(t *testing.T, s *stack.Stack) {
		tls := list(s.Resources["QueuesOverTls"].Properties["Queues"])
		queues := 0
		for name, r := range s.Resources {
			if r.Type != "AWS::SQS::Queue" {
				continue
			}
			queues++
			p := r.Properties
			if p["FifoQueue"] != true || !strings.HasSuffix(p["QueueName"].(string), ".fifo") {
				t.Errorf("%s is not FIFO", name)
			}
			if p["DeduplicationScope"] != "messageGroup" || p["FifoThroughputLimit"] != "perMessageGroupId" {
				t.Errorf("%s has one throughput limit for all conversations", name)
			}
			if p["SqsManagedSseEnabled"] != true && p["KmsMasterKeyId"] != "Key" {
				t.Errorf("%s is not encrypted", name)
			}
			found := false
			for _, q := range tls {
				found = found || q == name
			}
			if !found {
				t.Errorf("%s can be used without TLS", name)
			}
		}
		if queues < 5 || len(tls) != queues {
			t.Errorf("%d queues, %d of them over TLS only", queues, len(tls))
		}
	})
}

// Only the queues that bury their messages there may do so.
func TestRedriveAllowPolicies(t *testing.T) {
	s := resolve(t, nil)
	for name, r := range s.Resources {
		if r.Type != "AWS::SQS::Queue" || r.Properties["RedrivePolicy"] == nil {
			continue
		}
		dlq := strings.TrimSuffix(at(r.Properties, "RedrivePolicy", "deadLetterTargetArn").(string), ".Arn")
		arn := "arn:aws:sqs:us-east-1:123456789012:" + r.Properties["QueueName"].(string)
		allowed := false
		for _, a := range list(at(s.Resources[dlq].Properties, "RedriveAllowPolicy", "sourceQueueArns")) {
			allowed = allowed || a == arn
		}
		if !allowed {
			t.Errorf("%s is not allowed to bury in %s", name, dlq)
		}
	}
}
