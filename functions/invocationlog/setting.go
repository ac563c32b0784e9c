package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrock"
	"github.com/aws/aws-sdk-go-v2/service/bedrock/types"
)

// setting is the account's model invocation logging.
type setting struct{ client *bedrock.Client }

// handle is a cfn.CustomResourceFunction. The physical id is the log group's
// name: the same for every update, so that CloudFormation replaces nothing, and
// another when the group is another, so that it cleans up after the old one.
func (s setting) handle(ctx context.Context, e cfn.Event) (string, map[string]any, error) {
	group, _ := e.ResourceProperties["LogGroupName"].(string)
	role, _ := e.ResourceProperties["RoleArn"].(string)
	if group == "" || role == "" {
		return e.PhysicalResourceID, nil, errors.New("LogGroupName and RoleArn are required")
	}
	if e.RequestType == cfn.RequestDelete {
		return e.PhysicalResourceID, nil, s.remove(ctx, e.PhysicalResourceID)
	}
	before, _ := e.OldResourceProperties["LogGroupName"].(string)
	if err := s.put(ctx, group, role, before); err != nil {
		return "", nil, err
	}
	return group, nil, nil
}

// put logs to group, where nothing is set yet or what is set is the stack's own.
func (s setting) put(ctx context.Context, group, role, before string) error {
	current, err := s.group(ctx)
	if err != nil {
		return err
	}
	if current != "" && current != group && current != before {
		return fmt.Errorf("this account already logs model invocations in this region, to %s; remove that setting first, or deploy with ModelInvocationLogging=false", current)
	}
	_, err = s.client.PutModelInvocationLoggingConfiguration(ctx, &bedrock.PutModelInvocationLoggingConfigurationInput{
		LoggingConfig: &types.LoggingConfig{
			CloudWatchConfig:        &types.CloudWatchConfig{LogGroupName: &group, RoleArn: &role},
			TextDataDeliveryEnabled: aws.Bool(true),
			// Pictures and vectors are large and tell an operator nothing.
			ImageDataDeliveryEnabled: aws.Bool(false), EmbeddingDataDeliveryEnabled: aws.Bool(false),
		},
	})
	if err != nil {
		return fmt.Errorf("set model invocation logging: %w", err)
	}
	return nil
}

// remove takes the setting away if it still is the one that logs to group.
func (s setting) remove(ctx context.Context, group string) error {
	current, err := s.group(ctx)
	if err != nil || current != group {
		return err
	}
	if _, err := s.client.DeleteModelInvocationLoggingConfiguration(ctx, &bedrock.DeleteModelInvocationLoggingConfigurationInput{}); err != nil {
		return fmt.Errorf("remove model invocation logging: %w", err)
	}
	return nil
}

// elsewhere stands for a setting that logs to S3 alone.
const elsewhere = "an S3 bucket"

// group is where invocations are logged now, "" for nowhere.
func (s setting) group(ctx context.Context) (string, error) {
	out, err := s.client.GetModelInvocationLoggingConfiguration(ctx, &bedrock.GetModelInvocationLoggingConfigurationInput{})
	if err != nil {
		return "", fmt.Errorf("read model invocation logging: %w", err)
	}
	switch c := out.LoggingConfig; {
	case c == nil || c.CloudWatchConfig == nil && c.S3Config == nil:
		return "", nil
	case c.CloudWatchConfig == nil:
		return elsewhere, nil
	default:
		return aws.ToString(c.CloudWatchConfig.LogGroupName), nil
	}
}
