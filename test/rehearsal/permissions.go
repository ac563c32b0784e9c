package rehearsal

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"

	"parley/test/stack"
)

// permission is one thing a role may do, as the template writes it.
type permission struct{ action, resource string }

// permissionsOf are what the role that cloud.ref calls arn allows in s.
func permissionsOf(s *stack.Stack, arn any) ([]permission, error) {
	role, _ := strings.CutPrefix(fmt.Sprint(arn), "role/")
	r, ok := s.Resources[role]
	if !ok {
		return nil, fmt.Errorf("%v is no role of the template's", arn)
	}
	var all []permission
	policies, _ := r.Properties["Policies"].([]any)
	for _, p := range policies {
		document := p.(map[string]any)["PolicyDocument"].(map[string]any)
		for _, st := range list(document["Statement"]) {
			st := st.(map[string]any)
			for _, action := range list(st["Action"]) {
				for _, resource := range list(st["Resource"]) {
					all = append(all, permission{fmt.Sprint(action), fmt.Sprint(resource)})
				}
			}
		}
	}
	return all, nil
}

func list(v any) []any {
	if l, ok := v.([]any); ok {
		return l
	}
	return []any{v}
}

// allows reports whether one of ps covers p.
func allows(ps []permission, p permission) bool {
	for _, have := range ps {
		// Path patterns do not cross slashes, which is stricter than IAM.
		if ok, _ := path.Match(have.resource, p.resource); have.action == p.action && (ok || have.resource == p.resource) {
			return true
		}
	}
	return false
}

// region is where the rehearsal takes place.
const region = "us-east-1"

// account is an AWS account by its number.
type account string

func (a account) arn(service, resource string) string {
	return "arn:aws:" + service + ":" + region + ":" + string(a) + ":" + resource
}

// needs says which service a request is for and which permissions it takes.
func (a account) needs(r *http.Request, body []byte) (service string, all []permission, err error) {
	target := r.Header.Get("X-Amz-Target")
	prefix, operation, _ := strings.Cut(target, ".")
	var in struct {
		QueueURL      string `json:"QueueUrl"`
		TableName     string
		SecretID      string `json:"SecretId"`
		Name          string
		TransactItems []map[string]struct{ TableName string }
	}
	if target != "" {
		if err := json.Unmarshal(body, &in); err != nil {
			return "", nil, fmt.Errorf("%s: %w", target, err)
		}
	}
	table := func(name string) string { return a.arn("dynamodb", "table/"+name) }
	switch {
	case prefix == "AmazonSQS":
		return "sqs", []permission{{"sqs:" + operation, a.arn("sqs", path.Base(in.QueueURL))}}, nil
	case operation == "TransactWriteItems":
		for _, item := range in.TransactItems {
			for kind, on := range item {
				action := map[string]string{"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}[kind]
				all = append(all, permission{"dynamodb:" + action, table(on.TableName)})
			}
		}
		return "dynamodb", all, nil
	case prefix == "DynamoDB_20120810":
		return "dynamodb", []permission{{"dynamodb:" + operation, table(in.TableName)}}, nil
	case prefix == "secretsmanager":
		return "secretsmanager", []permission{{"secretsmanager:" + operation, in.SecretID}}, nil
	case prefix == "AmazonSSM":
		name, _, _ := strings.Cut(strings.TrimPrefix(in.Name, "/"), ":") // a version is no resource
		return "ssm", []permission{{"ssm:" + operation, a.arn("ssm", "parameter/"+name)}}, nil
	case strings.HasPrefix(r.URL.Path, "/model/"):
		id, err := url.PathUnescape(strings.Split(r.URL.EscapedPath(), "/")[2])
		return "bedrock", []permission{{"bedrock:InvokeModelWithResponseStream", a.arn("bedrock", "inference-profile/"+id)}}, err
	case strings.HasPrefix(r.URL.Path, "/knowledgebases/"):
		base := a.arn("bedrock", "knowledge-base/"+strings.Split(r.URL.Path, "/")[2])
		for _, action := range knowledgeActions(r) {
			all = append(all, permission{"bedrock:" + action, base})
		}
		return "bedrock", all, nil
	}
	return "", nil, fmt.Errorf("no service answers %s %s", r.Method, r.URL.Path)
}

// knowledgeActions are what a request to a knowledge base takes. Its operations differ by
// method and path alone.
func knowledgeActions(r *http.Request) []string {
	switch parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/"); {
	case len(parts) == 2:
		return []string{"GetKnowledgeBase"}
	case len(parts) == 3 && parts[2] == "retrieve":
		return []string{"Retrieve"}
	case len(parts) == 3:
		return []string{"ListDataSources"}
	case len(parts) == 6 && parts[5] == "deleteDocuments":
		return []string{"DeleteKnowledgeBaseDocuments"}
	case len(parts) == 6 && parts[5] == "getDocuments":
		return []string{"GetKnowledgeBaseDocuments"}
	case len(parts) == 6:
		return []string{"GetIngestionJob"}
	case parts[4] == "documents" && r.Method == http.MethodPut: // the service checks both
		return []string{"IngestKnowledgeBaseDocuments", "StartIngestionJob"}
	case parts[4] == "documents":
		return []string{"ListKnowledgeBaseDocuments"}
	case r.Method == http.MethodPut:
		return []string{"StartIngestionJob"}
	}
	return []string{"ListIngestionJobs"}
}
