// Package dingtest is a DingTalk to test against: its OpenAPI, session webhooks
// and Stream gateway on the wire, with the awkwardness of the real ones. Errors
// come as HTTP 200 with an errcode, deliveries fail within a success, streams
// redeliver under new frame ids, cards stay open for ever if nobody closes them.
//
// It runs on loopback (Start), or in the process over Transport and Dial, which
// wait on nothing but Go's own timers and so work in a testing/synctest bubble.
// It judges its caller: what DingTalk would punish later, such as a body that is
// too long or a call into a throttle, is collected in Violations.
//
// It is imported by tests and by nothing else.
package dingtest
