package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrockagent"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"parley/pkg/bedrock"
	"parley/pkg/config"
	"parley/pkg/dingtalk/dingapi"
	"parley/pkg/secrets"
)

// quiet is the log of checks: what they have to say, they print.
func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func dingtalkCheck(d config.DingTalk, id, secret string) check {
	return check{"dingtalk token", func(ctx context.Context) (string, error) {
		if id == "" || secret == "" {
			return "", errOff{"DINGTALK_CLIENT_ID is not set"}
		}
		client, err := dingapi.New(dingapi.Config{
			ClientID: id, Secret: func(context.Context) (string, error) { return secret, nil },
			APIURL: d.APIURL, OAPIURL: d.OAPIURL, HTTPClient: httpClient(), Log: quiet(),
		})
		if err != nil {
			return "", err
		}
		if err := client.Check(ctx); err != nil {
			return "", fmt.Errorf("%w; copy the client id and secret of the app anew", err)
		}
		return "app " + id, nil
	}}
}

// stackChecks are about a deployment.
func stackChecks(ctx context.Context, stack, profiles string) ([]check, error) {
	cfg, err := loadAWS(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return nil, fmt.Errorf("there are no AWS credentials: %w; sign in first, for example with \"aws sso login\"", err)
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	deployed, err := describeStack(ctx, cfg, stack)
	if err != nil {
		return nil, err
	}
	out := deployed.outputs
	var s config.Slack
	var d config.DingTalk
	var m config.Model
	if err := errors.Join(config.Load(&s), config.Load(&d), config.Load(&m)); err != nil {
		return nil, err
	}
	if id := out["ModelId"]; id != "" {
		m.ID = id
	}
	checks := []check{
		slackSecretCheck(cfg, out["SlackSecret"], s.APIURL),
		dingtalkSecretCheck(cfg, out["DingTalkSecret"], d),
		tableCheck(cfg, out["TableName"]),
		modelCheck(m),
		knowledgeCheck(cfg, out["KnowledgeBaseId"]),
		rememberedCheck(cfg, out["KnowledgeBaseId"], out["RememberedSourceId"]),
		endpointCheck("endpoint", out["HealthUrl"], http.MethodGet, http.StatusOK),
		endpointCheck("signatures", cmp.Or(out["SlackEventsUrl"], out["DingTalkMessagesUrl"]), http.MethodPost, http.StatusUnauthorized),
	}
	own, err := deployedProfileChecks(ctx, cfg, deployed, profiles, m)
	if err != nil {
		return nil, err
	}
	checks = append(checks, own...)
	for _, name := range []string{"RequestsQueueUrl", "ControlQueueUrl", "RepliesQueueUrl", "RequestsDlqUrl", "RepliesDlqUrl"} {
		checks = append(checks, queueCheck(cfg, strings.TrimSuffix(name, "Url"), out[name]))
	}
	return checks, nil
}

func slackSecretCheck(cfg aws.Config, arn, apiURL string) check {
	return check{"slack secret", func(ctx context.Context) (string, error) {
		if arn == "" {
			return "", errOff{"the stack has no Slack app"}
		}
		values, err := secrets.New(secrets.NewClient(cfg), arn, secrets.SigningSecret, secrets.BotToken).Current(ctx)
		if err != nil {
			return "", err
		}
		fine, err := slackCheck(apiURL, values[secrets.BotToken[0]]).find(ctx)
		return fine, err
	}}
}

func dingtalkSecretCheck(cfg aws.Config, arn string, d config.DingTalk) check {
	return check{"dingtalk secret", func(ctx context.Context) (string, error) {
		if arn == "" {
			return "", errOff{"the stack has no DingTalk app"}
		}
		values, err := secrets.New(secrets.NewClient(cfg), arn, secrets.ClientID, secrets.ClientSecret).Current(ctx)
		if err != nil {
			return "", err
		}
		return dingtalkCheck(d, values[secrets.ClientID[0]], values[secrets.ClientSecret[0]]).find(ctx)
	}}
}

func queueCheck(cfg aws.Config, name, url string) check {
	return check{name, func(ctx context.Context) (string, error) {
		if url == "" {
			return "", errors.New("the stack has no such output; deploy this version's template")
		}
		out, err := sqs.NewFromConfig(cfg).GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
			QueueUrl: aws.String(url), AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameApproximateNumberOfMessages},
		})
		if err != nil {
			return "", err
		}
		waiting := out.Attributes[string(sqstypes.QueueAttributeNameApproximateNumberOfMessages)]
		if strings.HasSuffix(name, "Dlq") && waiting != "0" {
			return "", fmt.Errorf("%s dead letters are waiting; see \"parley dlq list\"", waiting)
		}
		return waiting + " waiting", nil
	}}
}

func tableCheck(cfg aws.Config, name string) check {
	return check{"table", func(ctx context.Context) (string, error) {
		out, err := dynamodb.NewFromConfig(cfg).DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: aws.String(name)})
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%s is %s", name, out.Table.TableStatus), nil
	}}
}

func knowledgeCheck(cfg aws.Config, id string) check {
	return check{"knowledge base", func(ctx context.Context) (string, error) {
		if id == "" {
			return "", errOff{"the stack has none"}
		}
		k, err := bedrock.NewKnowledge(bedrockagent.NewFromConfig(cfg), id, "")
		if err != nil {
			return "", err
		}
		s, err := k.Status(ctx)
		if err != nil {
			return "", err
		}
		for _, source := range s.Sources {
			if why := source.Last.Failure(); why != "" {
				return "", fmt.Errorf("reading %s %s; try \"parley kb sync\"", source.Name, why)
			}
		}
		return fmt.Sprintf("%s is %s, with %d sources", id, s.Status, len(s.Sources)), nil
	}}
}

func rememberedCheck(cfg aws.Config, id, source string) check {
	return check{"remembering", func(ctx context.Context) (string, error) {
		if id == "" || source == "" {
			return "", errOff{"the stack has no data source for threads; set Approvers, and CreateKnowledgeBase or KnowledgeBaseId"}
		}
		k, err := bedrock.NewKnowledge(bedrockagent.NewFromConfig(cfg), id, source)
		if err != nil {
			return "", err
		}
		states, err := k.Remembered(ctx)
		if err != nil {
			return "", err
		}
		failed := 0
		for _, s := range states {
			if s.Failed() {
				failed++
			}
		}
		if failed > 0 {
			return "", fmt.Errorf("%d of %d remembered threads could not be indexed; have them remembered again", failed, len(states))
		}
		return fmt.Sprintf("%d threads in %s", len(states), source), nil
	}}
}

// endpointCheck calls the deployment from outside. An unsigned event must be
// refused: anything else means that signatures are not verified.
func endpointCheck(name, address, method string, want int) check {
	return check{name, func(ctx context.Context) (string, error) {
		if address == "" {
			return "", errors.New("the stack has no such output; deploy this version's template")
		}
		body, err := json.Marshal(map[string]string{"type": "event_callback"})
		if err != nil {
			return "", err
		}
		r, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(string(body)))
		if err != nil {
			return "", err
		}
		resp, err := httpClient().Do(r)
		if err != nil {
			return "", fmt.Errorf("%w; is the stack deployed and its API reachable from here?", err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != want {
			return "", fmt.Errorf("%s answered %d, want %d; look at the ingress function's log", address, resp.StatusCode, want)
		}
		return fmt.Sprintf("%s answers %d as it should", address, want), nil
	}}
}
