package main

import (
	"path/filepath"

	"parley/pkg/config"
	"parley/pkg/notes"
)

// rememberedDir is the folder, below that of --docs, in which remembered threads
// are kept: the index finds them there like any other document.
const rememberedDir = "remembered"

// remember lets the people named in APPROVERS have threads remembered, where there
// is a folder to keep them in.
func (l *local) remember() error {
	var r config.Remember
	if err := config.Load(&r); err != nil {
		return err
	}
	l.system.Config.Profile.Approvers = r.Approvers
	if l.flags.docs != "" {
		l.system.Knowledge = notes.New(filepath.Join(l.flags.docs, rememberedDir), nil)
	}
	return nil
}
