// Package e2e proves the promises of the one-machine form from outside: signed
// events in, a Slack that enforces its rules, a real data file, processes that die
// and start again, and time that is fake. TestKillRealBinary does the same to the
// program itself, with sockets, signals and a clock that is real.
//
// It is not the place for a stage's own rules, which each package tests by
// itself, nor for the form on AWS.
package e2e
