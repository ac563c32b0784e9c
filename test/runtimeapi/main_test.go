package runtimeapi_test

import (
	"fmt"
	"os"
	"testing"
)

// dir is where the test's function is built.
var dir string

func TestMain(m *testing.M) {
	d, err := os.MkdirTemp("", "runtimeapi")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	dir = d
	code := m.Run()
	_ = os.RemoveAll(d)
	os.Exit(code)
}
