package config

// Profiles is where the file of profiles is. Without one every place is alike.
type Profiles struct {
	File      string `env:"PROFILES_FILE"`      // on one machine
	Parameter string `env:"PROFILES_PARAMETER"` // the SSM parameter that holds it on AWS
}

// Any reports whether there is a file of profiles.
func (p Profiles) Any() bool { return p.File != "" || p.Parameter != "" }
