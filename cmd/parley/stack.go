package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"parley/pkg/config"
	"parley/pkg/dynamostore"
	"parley/pkg/pipeline"
	"parley/pkg/sqsqueue"
)

// loadAWS reads the AWS configuration of the environment. Without a region it
// says so at once; nothing is called yet.
func loadAWS(ctx context.Context) (aws.Config, error) {
	cfg, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return cfg, fmt.Errorf("read the AWS configuration: %w", err)
	}
	if cfg.Region == "" {
		return cfg, errors.New("AWS_REGION is not set; set it to the region of the deployment")
	}
	return cfg, nil
}

// stackOutputs reads the outputs of a deployed stack.
func stackOutputs(ctx context.Context, cfg aws.Config, name string) (map[string]string, error) {
	s, err := describeStack(ctx, cfg, name)
	return s.outputs, err
}

// describeStack reads what a deployed stack says of itself.
func describeStack(ctx context.Context, cfg aws.Config, name string) (deployedStack, error) {
	out, err := cloudformation.NewFromConfig(cfg).DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: aws.String(name)})
	if err != nil {
		return deployedStack{}, fmt.Errorf("read stack %s: %w", name, err)
	}
	if len(out.Stacks) == 0 {
		return deployedStack{}, fmt.Errorf("there is no stack %s in %s", name, cfg.Region)
	}
	s := deployedStack{id: aws.ToString(out.Stacks[0].StackId), outputs: map[string]string{}, parameters: map[string]string{}}
	for _, o := range out.Stacks[0].Outputs {
		s.outputs[aws.ToString(o.OutputKey)] = aws.ToString(o.OutputValue)
	}
	for _, p := range out.Stacks[0].Parameters {
		s.parameters[aws.ToString(p.ParameterKey)] = aws.ToString(p.ParameterValue)
	}
	return s, nil
}

// queuesOf are the queues and the table of a stack.
func queuesOf(outputs map[string]string) config.Queues {
	return config.Queues{
		Requests: outputs["RequestsQueueUrl"], Control: outputs["ControlQueueUrl"], Replies: outputs["RepliesQueueUrl"],
		RequestsDead: outputs["RequestsDlqUrl"], RepliesDead: outputs["RepliesDlqUrl"], Table: outputs["TableName"],
	}
}

// stackOperator works on the queues of a deployment: those of the stack, or those
// that the environment names where stack is empty.
func stackOperator(ctx context.Context, stack string) (*pipeline.Operator, error) {
	cfg, err := loadAWS(ctx)
	if err != nil {
		return nil, err
	}
	var q config.Queues
	if err := config.Load(&q); err != nil {
		return nil, err
	}
	if stack != "" {
		outputs, err := stackOutputs(ctx, cfg, stack)
		if err != nil {
			return nil, err
		}
		q = queuesOf(outputs)
	}
	if err := complete(q); err != nil {
		return nil, err
	}
	store := dynamostore.New(dynamodb.NewFromConfig(cfg), q.Table, 0)
	client := sqs.NewFromConfig(cfg)
	return &pipeline.Operator{
		Cases: store, Memory: store, Deliveries: store,
		Queues: []pipeline.DeadQueue{
			{Name: "requests", Dead: sqsqueue.NewDeadLetters(client, q.RequestsDead), Source: sqsqueue.New(client, q.Requests)},
			{Name: "replies", Dead: sqsqueue.NewDeadLetters(client, q.RepliesDead), Source: sqsqueue.New(client, q.Replies)},
		},
	}, nil
}

func complete(q config.Queues) error {
	for _, v := range []struct{ name, value string }{
		{"REQUESTS_QUEUE_URL", q.Requests}, {"REPLIES_QUEUE_URL", q.Replies},
		{"REQUESTS_DLQ_URL", q.RequestsDead}, {"REPLIES_DLQ_URL", q.RepliesDead}, {"TABLE_NAME", q.Table},
	} {
		if v.value == "" {
			return fmt.Errorf("%s is not known; name the deployment with --stack, or set the variable", v.name)
		}
	}
	return nil
}
