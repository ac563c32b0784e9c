// Package phrase holds the sentences Parley says in its own voice, in every
// language it speaks. A translator adds a language by adding a catalogue file;
// a test checks that every catalogue has every key.
package phrase

import (
	"embed"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"unicode"
)

//go:embed catalogue/*.json
var files embed.FS

// Fallback is the language used when a person's own has no catalogue.
const Fallback = "en"

// Catalogue is the sentences of one language. It is immutable.
type Catalogue struct {
	Language string
	text     map[string]string
}

// catalogues are read when the first sentence is said: a process that says none,
// as the ingress does not, starts without them.
var catalogues = sync.OnceValue(mustLoad)

func mustLoad() map[string]Catalogue {
	entries, err := files.ReadDir("catalogue")
	if err != nil {
		panic(err) // the files are part of the binary
	}
	all := make(map[string]Catalogue, len(entries))
	for _, e := range entries {
		data, err := files.ReadFile(path.Join("catalogue", e.Name()))
		if err != nil {
			panic(err)
		}
		lang := strings.TrimSuffix(e.Name(), ".json")
		c := Catalogue{Language: lang}
		if err := json.Unmarshal(data, &c.text); err != nil {
			panic(fmt.Sprintf("catalogue %s: %v", e.Name(), err))
		}
		all[lang] = c
	}
	return all
}

// Languages are the tags of the languages that have a catalogue, in order.
func Languages() []string { return slices.Sorted(maps.Keys(catalogues())) }

// In returns the catalogue for a BCP 47 tag such as "zh-CN" or "en_US", or the
// fallback's.
func In(tag string) Catalogue {
	base, _, _ := strings.Cut(strings.ReplaceAll(strings.ToLower(tag), "_", "-"), "-")
	if c, ok := catalogues()[base]; ok {
		return c
	}
	return catalogues()[Fallback]
}

// Say returns the sentence named key with args filled in as by fmt.Sprintf. A key
// that is missing says itself, so that a gap is seen and nothing breaks.
func (c Catalogue) Say(key string, args ...any) string {
	s, ok := c.text[key]
	if !ok {
		if s, ok = catalogues()[Fallback].text[key]; !ok {
			return key
		}
	}
	if len(args) == 0 {
		return s
	}
	return fmt.Sprintf(s, args...)
}

// Has reports whether the catalogue itself holds key.
func (c Catalogue) Has(key string) bool { _, ok := c.text[key]; return ok }

// Detect guesses the language of text that a person wrote: Chinese when it has
// more Han characters than a fifth of its letters, otherwise "".
func Detect(text string) string {
	var han, letters int
	for _, r := range text {
		if unicode.IsLetter(r) {
			letters++
			if unicode.Is(unicode.Han, r) {
				han++
			}
		}
	}
	if han > 0 && han*5 > letters {
		return "zh"
	}
	return ""
}
