// Package rehearsal deploys Parley on one machine, from template.yaml and with the
// binaries that are shipped, and has people talk to it.
//
// What is real: the template (its parameters, conditions, names, environment
// variables, roles, routes, mappings), the functions' binaries, their processes and
// the Runtime API between, the HTTP of Slack and DingTalk with its signatures, the
// wire protocols of SQS, DynamoDB, Bedrock, Secrets Manager and SSM. What is not:
// behind those protocols are Parley's own fakes, which take after the services
// where Parley depends on them; the front door, the event source mappings and IAM
// are this package's, as AWS documents them. A call that the function's role in
// the template does not allow is refused as IAM would.
//
// With AWS_ENDPOINT_URL set, the queues, the table, the secrets and the parameter
// are created by that endpoint's CloudFormation, from the same template, and used
// there. The model and the chat platforms stay fakes. See docs/deploy.md.
//
// The tests take minutes, because the visibility timeouts they wait for are those
// of production: "make rehearsal" runs them.
package rehearsal
