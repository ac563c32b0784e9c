// Command responder is the Lambda function that shows answers in Slack and
// DingTalk: of each answer in a batch the newest snapshot, recorded in the table
// so that nobody ever sees two. It may not call a model.
package main

import "parley/functions/internal/deployed"

// version is set by the build.
var version = "dev"

func main() { deployed.Run(version, responder) }
