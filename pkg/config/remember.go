package config

import (
	"slices"
	"strings"
)

// Remember is who may have threads remembered, where they are kept and for how long.
// Without anybody nothing is.
type Remember struct {
	// Approvers are ids as the platforms give them, such as U012ABCDEF.
	Approvers []string `env:"APPROVERS" envSeparator:","`
	// Days is how long a thread is remembered; 0 is for ever.
	Days int `env:"REMEMBER_DAYS" envDefault:"0"`
	// Source is the data source of type CUSTOM in the knowledge base that takes the
	// threads; "" is none.
	Source string `env:"REMEMBERED_SOURCE_ID"`
}

func (r *Remember) check() error {
	for i := range r.Approvers {
		r.Approvers[i] = strings.TrimSpace(r.Approvers[i])
	}
	r.Approvers = slices.DeleteFunc(r.Approvers, func(id string) bool { return id == "" })
	return within("REMEMBER_DAYS", r.Days, 0, 3650)
}
