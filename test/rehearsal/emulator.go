package rehearsal

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"parley/test/stack"
)

// kept are the types that an emulator is asked to make: what holds something. The
// functions, their front door and their mappings are run here.
var kept = []string{
	"AWS::SQS::Queue", "AWS::SQS::QueuePolicy", "AWS::DynamoDB::Table",
	"AWS::SecretsManager::Secret", "AWS::SSM::Parameter",
}

// openEmulator makes what the template keeps by the CloudFormation at endpoint.
func openEmulator(ctx context.Context, t *stack.Template, parameters map[string]string, endpoint string, secrets map[string]string) (*cloud, error) {
	// A name of its own for each deployment: deleted queues are remembered a while.
	c := &cloud{account: localAccount, stack: "parley-" + strings.ToLower(rand.Text()[:8]), services: map[string]string{}, physical: map[string]string{}}
	for _, service := range []string{"sqs", "dynamodb", "secretsmanager", "ssm", "cloudformation"} {
		c.services[service] = endpoint
	}
	client := cloudformation.NewFromConfig(c.config("cloudformation"))
	c.stop = func() {
		_, _ = client.DeleteStack(context.WithoutCancel(ctx), &cloudformation.DeleteStackInput{StackName: &c.stack})
	}
	if err := c.createStack(ctx, client, t, parameters); err != nil {
		return nil, err
	}
	if c.physical["RequestsQueue"] == "" {
		return nil, fmt.Errorf("the emulator's CloudFormation made no queues: %v", c.physical)
	}
	parts := strings.Split(strings.TrimSuffix(c.physical["RequestsQueue"], "/"), "/")
	c.account = account(parts[len(parts)-2])
	return c, c.fillSecrets(ctx, secrets)
}

func (c *cloud) createStack(ctx context.Context, client *cloudformation.Client, t *stack.Template, parameters map[string]string) error {
	// The account is the emulator's to say, and only ARNs that are spelt out in the
	// template, such as those of RedriveAllowPolicy, are made with this one.
	s, err := t.Resolve(parameters, c.pseudo(), stack.Keep)
	if err != nil {
		return err
	}
	body, err := s.Reduce(kept...)
	if err != nil {
		return err
	}
	if _, err := client.CreateStack(ctx, &cloudformation.CreateStackInput{StackName: &c.stack, TemplateBody: aws.String(string(body))}); err != nil {
		return fmt.Errorf("create stack: %w", err)
	}
	waiter := cloudformation.NewStackCreateCompleteWaiter(client, func(o *cloudformation.StackCreateCompleteWaiterOptions) {
		o.MinDelay, o.MaxDelay = time.Second, 5*time.Second
	})
	if err := waiter.Wait(ctx, &cloudformation.DescribeStacksInput{StackName: &c.stack}, 2*time.Minute); err != nil {
		return fmt.Errorf("create stack: %w", err)
	}
	out, err := client.DescribeStackResources(ctx, &cloudformation.DescribeStackResourcesInput{StackName: &c.stack})
	if err != nil {
		return fmt.Errorf("describe stack: %w", err)
	}
	for _, r := range out.StackResources {
		if id := aws.ToString(r.PhysicalResourceId); id != "" {
			c.physical[aws.ToString(r.LogicalResourceId)] = id
		}
	}
	return nil
}

// fillSecrets does what an operator does after the first deployment. A secret that
// the emulator's CloudFormation does not know how to make is made here.
func (c *cloud) fillSecrets(ctx context.Context, secrets map[string]string) error {
	client := secretsmanager.NewFromConfig(c.config("secretsmanager"))
	for logical, value := range secrets {
		if arn := c.physical[logical]; arn != "" {
			if _, err := client.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: &arn, SecretString: &value}); err != nil {
				return fmt.Errorf("fill %s: %w", logical, err)
			}
			continue
		}
		out, err := client.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: aws.String(c.stack + "-" + logical), SecretString: &value})
		if err != nil {
			return fmt.Errorf("create %s: %w", logical, err)
		}
		c.physical[logical] = aws.ToString(out.ARN)
	}
	return nil
}
