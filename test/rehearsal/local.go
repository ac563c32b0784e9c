package rehearsal

import (
	"fmt"
	"maps"
	"net/http/httptest"
	"slices"
	"strings"
	"time"

	"parley/pkg/dynamostore/dynamotest"
	"parley/pkg/sqsqueue/sqstest"
	"parley/test/stack"
)

// localAccount is the account of the fakes.
const localAccount account = "000000000000"

// fakes are Parley's own, for tests that make them misbehave.
var fakes struct {
	queues *sqstest.Server
	tables *dynamotest.Server
	vault  *vault
}

// openLocal makes what s keeps on Parley's fakes, by the template's properties.
func openLocal(t *stack.Template, parameters map[string]string, secrets map[string]string) (*cloud, error) {
	c := &cloud{account: localAccount, stack: "parley", services: map[string]string{}, physical: map[string]string{}}
	s, err := t.Resolve(parameters, c.pseudo(), c.ref) // for the names alone
	if err != nil {
		return nil, err
	}
	fakes.queues, fakes.tables, fakes.vault = sqstest.New(), dynamotest.New(), newVault()
	sqsURL, stopQueues, err := fakes.queues.Start()
	if err != nil {
		return nil, err
	}
	tableURL, stopTables, err := fakes.tables.Start()
	if err != nil {
		stopQueues()
		return nil, err
	}
	config := httptest.NewServer(fakes.vault)
	c.stop = func() { stopQueues(); stopTables(); config.Close() }
	c.services["sqs"], c.services["dynamodb"] = sqsURL, tableURL
	c.services["secretsmanager"], c.services["ssm"] = config.URL, config.URL

	if err := c.createQueues(s); err != nil {
		return nil, err
	}
	fakes.tables.CreateTable("Table")
	for logical, value := range secrets {
		c.physical[logical] = c.account.arn("secretsmanager", "secret:"+logical)
		fakes.vault.put(c.physical[logical], value)
	}
	c.physical["Prompt"] = named(s, "Prompt", "Name")
	fakes.vault.set(c.physical["Prompt"], named(s, "Prompt", "Value"))
	return c, nil
}

// createQueues makes the dead-letter queues first, as CloudFormation would.
func (c *cloud) createQueues(s *stack.Stack) error {
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(s.Resources)), func(n string) bool { return s.Resources[n].Type != "AWS::SQS::Queue" })
	slices.SortStableFunc(names, func(a, b string) int { return depth(s, a) - depth(s, b) })
	for _, name := range names {
		p := s.Resources[name].Properties
		q := sqstest.Config{Name: fmt.Sprint(p["QueueName"]), DedupByGroup: p["DeduplicationScope"] == "messageGroup"}
		if p["VisibilityTimeout"] != nil {
			q.Visibility = seconds(p["VisibilityTimeout"])
		}
		if redrive, ok := p["RedrivePolicy"].(map[string]any); ok {
			target := strings.TrimSuffix(fmt.Sprint(redrive["deadLetterTargetArn"]), ".Arn")
			q.DeadLetters, q.MaxReceives = named(s, target, "QueueName"), int(seconds(redrive["maxReceiveCount"])/time.Second)
		}
		url, err := fakes.queues.CreateQueue(q)
		if err != nil {
			return fmt.Errorf("create %s: %w", name, err)
		}
		c.physical[name] = url
	}
	return nil
}

func depth(s *stack.Stack, queue string) int {
	if s.Resources[queue].Properties["RedrivePolicy"] == nil {
		return 0
	}
	return 1
}

// seconds reads a number of the template's.
func seconds(v any) time.Duration {
	var n int
	if _, err := fmt.Sscan(fmt.Sprint(v), &n); err != nil {
		panic(fmt.Sprintf("%v is not a number", v)) // test/deploy would have failed
	}
	return time.Duration(n) * time.Second
}

func milliseconds(v any) time.Duration { return seconds(v) / 1000 }
