package config

import (
	"fmt"
	"strings"
)

// Choice is a model that people may ask for by name.
type Choice struct{ Name, ID string }

// Bounds of a list of choices: each is a button below every answer.
const (
	maxChoices    = 4
	maxChoiceName = 30 // characters
)

// ParseChoices reads MODEL_CHOICES: "name=model id", separated by commas. The names
// are what people see; the ids stay with the worker.
func ParseChoices(s string) ([]Choice, error) {
	var choices []Choice
	seen := map[string]bool{}
	for _, part := range strings.Split(s, ",") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		name, id, _ := strings.Cut(part, "=")
		c := Choice{strings.TrimSpace(name), strings.TrimSpace(id)}
		switch {
		case c.Name == "" || c.ID == "" || strings.ContainsAny(c.ID, "= "):
			return nil, fmt.Errorf("MODEL_CHOICES must be like Thorough=model-id,Fast=model-id")
		case len([]rune(c.Name)) > maxChoiceName:
			return nil, fmt.Errorf("MODEL_CHOICES has a name of more than %d characters", maxChoiceName)
		case seen[c.Name]:
			return nil, fmt.Errorf("MODEL_CHOICES names %s twice", c.Name)
		}
		seen[c.Name] = true
		choices = append(choices, c)
	}
	if len(choices) > maxChoices {
		return nil, fmt.Errorf("MODEL_CHOICES has %d models; there is room for %d", len(choices), maxChoices)
	}
	return choices, nil
}

// ModelChoices are the choices in MODEL_CHOICES, in order. The value has been checked.
func (m Model) ModelChoices() []Choice {
	choices, _ := ParseChoices(m.Choices)
	return choices
}

func checkChoices(s string) error {
	_, err := ParseChoices(s)
	return err
}
