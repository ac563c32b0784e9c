package rehearsal

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"parley/test/stack"
)

// cloud is where the template's stateful resources are.
type cloud struct {
	account account
	stack   string
	// services are the addresses of AWS's services, by name.
	services map[string]string
	physical map[string]string // what Ref of a resource is
	stop     func()
}

// pseudo are CloudFormation's own parameters.
func (c *cloud) pseudo() stack.Pseudo {
	return stack.Pseudo{
		"AWS::Region": region, "AWS::AccountId": string(c.account), "AWS::Partition": "aws", "AWS::StackName": c.stack,
	}
}

// ref is a stack.Physical: queues by URL and ARN, the table by name and ARN, roles
// by their logical name, and the rest by what it is called.
func (c *cloud) ref(resource, attribute string) (any, error) {
	id, ok := c.physical[resource]
	if !ok {
		id = resource
	}
	switch {
	case attribute == "":
		return id, nil
	case attribute == "ApiEndpoint":
		return id, nil
	case attribute == "QueueName":
		return path.Base(id), nil
	case attribute == "Arn" && strings.HasPrefix(id, "http"):
		return c.account.arn("sqs", path.Base(id)), nil
	case attribute == "Arn" && resource == "Table":
		return c.account.arn("dynamodb", "table/"+id), nil
	case attribute == "Arn" && strings.HasSuffix(resource, "Role"):
		return "role/" + resource, nil
	}
	return id + "." + attribute, nil
}

// config is for this package's own calls, which no role restricts.
func (c *cloud) config(service string) aws.Config {
	return aws.Config{
		Region: region, BaseEndpoint: aws.String(c.services[service]),
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
	}
}

// named returns the name that the template gives a resource.
func named(s *stack.Stack, resource, property string) string {
	return fmt.Sprint(s.Resources[resource].Properties[property])
}

// open makes the resources that keep something: on the emulator at endpoint, or on
// Parley's fakes where that is empty.
func open(ctx context.Context, t *stack.Template, parameters map[string]string, endpoint string, secrets map[string]string) (*cloud, error) {
	if endpoint == "" {
		return openLocal(t, parameters, secrets)
	}
	return openEmulator(ctx, t, parameters, endpoint, secrets)
}
