package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

func devCommand() *cobra.Command {
	f := localFlags{page: true}
	c := &cobra.Command{
		Use:   "dev",
		Short: "Run everything on this machine, with a chat page",
		Long: `Runs the whole pipeline on this machine and serves a small chat page. It needs no
account: the demo model answers unless --model bedrock is given. Slack and DingTalk
are on when their credentials are in the environment.`,
		Example: `  parley dev
  parley dev --addr 127.0.0.1:8080 --data team.db
  parley dev --docs docs            # answers from the files in docs, with sources
  parley dev --model bedrock        # with AWS credentials in the environment`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runLocal(c, f) },
	}
	localFlagsOf(c, &f, "demo")
	profileFlag(c, &f)
	return c
}

func serveCommand() *cobra.Command {
	f := localFlags{}
	c := &cobra.Command{
		Use:   "serve",
		Short: "Serve a small team from this machine",
		Long: `Runs the whole pipeline on this machine, without the chat page, for a small team
with real credentials. The data file keeps everything over restarts. With --connect
it holds Slack Socket Mode or DingTalk Stream open, so that no public URL is needed.`,
		Example: `  parley serve --addr 0.0.0.0:3000 --data /var/lib/parley/parley.db
  parley serve --connect slack,dingtalk
  parley serve --model demo`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runLocal(c, f) },
	}
	localFlagsOf(c, &f, "bedrock")
	c.Flags().StringSliceVar(&f.connect, "connect", nil, "hold these platforms' sockets open: slack, dingtalk")
	return c
}

func localFlagsOf(c *cobra.Command, f *localFlags, model string) {
	c.Flags().StringVar(&f.addr, "addr", "127.0.0.1:3000", "address to listen on")
	c.Flags().StringVar(&f.data, "data", defaultData, "data file; created if it does not exist")
	c.Flags().StringVar(&f.model, "model", model, "model that answers: demo or bedrock")
	docsFlag(c, f)
	profilesFlag(c, f)
}

func runLocal(c *cobra.Command, f localFlags) error {
	for _, name := range f.connect {
		if !slices.Contains([]string{"slack", "dingtalk"}, name) {
			return usagef("--connect is %q; it takes slack, dingtalk or both", name)
		}
	}
	if err := errors.Join(address("--addr", f.addr), dataFile(f.data)); err != nil {
		return err
	}
	l, err := openLocal(c.Context(), f)
	if err != nil {
		return err
	}
	err = l.serve(c.Context(), func(address string) { l.announce(c.OutOrStdout(), address) })
	if closeErr := l.close(); err == nil {
		err = closeErr
	}
	return err
}

// announce says where to go, once requests are accepted.
func (l *local) announce(w io.Writer, address string) {
	base := "http://" + address
	fmt.Fprintf(w, "Parley is ready on %s\n\n", base)
	if l.hub != nil {
		fmt.Fprintf(w, "  chat page   %s/\n", base)
	}
	for _, path := range []string{"/slack/events", "/slack/commands", "/slack/interactions", "/dingtalk/messages"} {
		if l.system.Parsers[path] != nil {
			fmt.Fprintf(w, "  %-11s %s%s\n", strings.Split(path, "/")[1], base, path)
		}
	}
	for _, r := range l.receivers {
		fmt.Fprintf(w, "  %-11s connected by socket\n", r.name)
	}
	for _, off := range l.off {
		fmt.Fprintf(w, "  %s\n", off)
	}
	if l.flags.docs != "" {
		fmt.Fprintf(w, "  documents   %s\n", l.flags.docs)
	}
	if l.live != nil {
		fmt.Fprintf(w, "  profiles    %s\n", strings.Join(l.live.Names(), ", "))
	}
	fmt.Fprintf(w, "  data file   %s\n\nCtrl-C stops.\n", l.flags.data)
}
