// Package dingapi is DingTalk's outbound half: it shows answers (Poster) and
// reads the files people attach (Reader).
//
// An answer is one Markdown message, by the session webhook that came with the
// question or, once that has expired, by the robot's OpenAPI; or, where a card
// template is configured, an interactive card that fills while the model writes.
//
// It does not receive anything and holds no state that matters: what an answer
// looks like on DingTalk is in the pipeline.Placement it returns.
//
// Its promise depends on the form. A card has an identity of ours, so creating or
// changing it twice is the same as once. A message cannot be changed, found again
// or given an identity: a post that was interrupted may be made twice, which is
// measured as pipeline.MetricMaybeDuplicate, and nothing but a reaction comes
// before the terminal snapshot.
//
// Neither the client secret nor a token, webhook or download address is ever part
// of an error or a log line, nor is what people and models say.
package dingapi
