// Parley answers people in Slack and DingTalk with a model on Amazon Bedrock.
//
// This command is for people: it runs the whole pipeline on one machine (dev,
// serve, ask), holds sockets open for it (connect), and helps an operator (dlq,
// doctor, kb, manifest). On AWS the pipeline itself runs from functions/.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	_ "golang.org/x/crypto/x509roots/fallback" // the connector's image holds this binary alone
)

// Exit codes.
const (
	exitFailed = 1
	exitUsage  = 2
)

// version is set by the linker.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := root().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "parley:", err)
		if errors.As(err, new(usageError)) {
			os.Exit(exitUsage)
		}
		os.Exit(exitFailed)
	}
}

// usageError is a mistake in how the command was called.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func root() *cobra.Command {
	c := &cobra.Command{
		Use:   "parley",
		Short: "Answers people in Slack and DingTalk with a model on Amazon Bedrock",
		Long: `Parley answers people in Slack and DingTalk with a model on Amazon Bedrock.

Start with "parley dev": everything on this machine, with no account anywhere.`,
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.SetFlagErrorFunc(flagMistake)
	c.CompletionOptions.HiddenDefaultCmd = true
	c.AddCommand(devCommand(), serveCommand(), askCommand(), connectCommand(), dlqCommand(), doctorCommand(), evalCommand(), kbCommand(), manifestCommand())
	return c
}

// noArgs refuses arguments where a command takes none; a word after the root is
// a command that does not exist.
func noArgs(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if c.HasAvailableSubCommands() {
		return commandMissing(c, args[0])
	}
	return usagef("%s takes no arguments, but got %q", c.CommandPath(), args[0])
}
