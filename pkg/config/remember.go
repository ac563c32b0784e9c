package config

import (
	"fmt"
	"regexp"
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
	r.Approvers = ids(r.Approvers)
	return within("REMEMBER_DAYS", r.Days, 0, 3650)
}

// Admins are the people who see how the installation does, and may retry dead
// letters, in Slack's Home tab.
type Admins struct {
	// IDs are Slack's, such as U012ABCDEF.
	IDs []string `env:"ADMINS" envSeparator:","`
}

func (a *Admins) check() error {
	a.IDs = ids(a.IDs)
	for _, id := range a.IDs {
		if !slackUser.MatchString(id) {
			return fmt.Errorf("ADMINS names %q; it must be Slack user ids such as U012ABCDEF, separated by commas", id)
		}
	}
	return nil
}

var slackUser = regexp.MustCompile(`^[UW][A-Z0-9]+$`)

// ids are those in a list that people typed.
func ids(list []string) []string {
	for i := range list {
		list[i] = strings.TrimSpace(list[i])
	}
	return slices.DeleteFunc(list, func(id string) bool { return id == "" })
}
