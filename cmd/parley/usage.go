package main

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"parley/pkg/pipeline"
)

// flagMistake is one sentence about a flag that the command line got wrong. The
// library's own sentence about a value ends in the name of a function.
func flagMistake(c *cobra.Command, err error) error {
	var value *pflag.InvalidValueError
	if errors.As(err, &value) {
		return usagef("--%s is %q; it must be %s", value.GetFlag().Name, value.GetValue(), wanted(value.GetFlag()))
	}
	return usagef("%w (see %q)", err, c.CommandPath()+" --help")
}

// wanted says what a flag takes.
func wanted(f *pflag.Flag) string {
	switch f.Value.Type() {
	case "duration":
		return "a duration, such as 30m or 48h"
	case "float64", "int":
		return "a number"
	case "bool":
		return "true or false"
	}
	return "a " + f.Value.Type()
}

// address checks a flag that names where to listen.
func address(flag, v string) error {
	_, port, err := net.SplitHostPort(v)
	if n, portErr := strconv.ParseUint(port, 10, 16); err != nil || portErr != nil || n > 65535 {
		return usagef("%s is %q; it must be a host and a port, such as 127.0.0.1:3000", flag, v)
	}
	return nil
}

// choice checks a flag that takes one of a few words, or none.
func choice[T ~string](flag, v string, allowed ...T) error {
	if v == "" || slices.Contains(allowed, T(v)) {
		return nil
	}
	words := make([]string, len(allowed))
	for i, w := range allowed {
		words[i] = string(w)
	}
	return usagef("%s is %q; it must be one of %s", flag, v, strings.Join(words, ", "))
}

// check refuses filters that can select nothing: a mistyped word must not look
// like an empty queue.
func (f *letterFlags) check() error {
	if f.filter.OlderThan < 0 || f.filter.NewerThan < 0 {
		return usagef("--older-than and --newer-than must not be negative")
	}
	if o, n := f.filter.OlderThan, f.filter.NewerThan; n > 0 && o > n {
		return usagef("--older-than %v and --newer-than %v leave nothing", o, n)
	}
	return errors.Join(
		choice("--queue", f.filter.Queue, "requests", "control", "replies"),
		choice("--reason", f.filter.Reason, pipeline.Reasons...),
		choice("--platform", f.filter.Platform, "slack", "dingtalk", "web"),
	)
}

// dataFile checks a flag that names a data file.
func dataFile(v string) error {
	if strings.TrimSpace(v) == "" {
		return usagef("--data is empty; it must name a file, such as %s", defaultData)
	}
	return nil
}

// commandMissing is the mistake of a word that is no command of c.
func commandMissing(c *cobra.Command, word string) error {
	return usagef("there is no command %q; see %q", strings.TrimSpace(strings.TrimPrefix(c.CommandPath(), "parley")+" "+word), c.CommandPath()+" --help")
}

// configMistake is a mistake in the environment: as wrong as one in a flag.
func configMistake(err error) error {
	if err == nil {
		return nil
	}
	return usageError{fmt.Errorf("%s", strings.ReplaceAll(err.Error(), "\n", "; "))}
}
