package config

// Remember is who may have threads remembered. Without anybody nothing is.
type Remember struct {
	// Approvers are ids as the platforms give them, such as U012ABCDEF.
	Approvers []string `env:"APPROVERS" envSeparator:","`
}
