package phrase

import (
	"regexp"
	"slices"
	"testing"
)

// Every catalogue says everything, with the same blanks to fill in.
func TestCataloguesAreComplete(t *testing.T) {
	blanks := regexp.MustCompile(`%[a-z]`) // %% is a sign
	reference := catalogues()[Fallback]
	for lang, c := range catalogues() {
		for key, text := range reference.text {
			if !c.Has(key) {
				t.Errorf("%s does not say %q", lang, key)
			} else if want, got := blanks.FindAllString(text, -1), blanks.FindAllString(c.text[key], -1); !slices.Equal(want, got) {
				t.Errorf("%s: %q has blanks %v, want %v", lang, key, got, want)
			}
		}
		for key := range c.text {
			if !reference.Has(key) {
				t.Errorf("%s says %q, which %s does not", lang, key, Fallback)
			}
		}
	}
}

// A key that is there twice silently loses its first words.
func TestCataloguesSayNothingTwice(t *testing.T) {
	for lang := range catalogues() {
		data, err := files.ReadFile("catalogue/" + lang + ".json")
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, m := range regexp.MustCompile(`(?m)^\s*"([^"]+)":`).FindAllStringSubmatch(string(data), -1) {
			if seen[m[1]] {
				t.Errorf("%s says %q twice", lang, m[1])
			}
			seen[m[1]] = true
		}
		if len(seen) != len(catalogues()[lang].text) {
			t.Errorf("%s has %d keys, of which %d stand at the beginning of a line", lang, len(catalogues()[lang].text), len(seen))
		}
	}
}

func TestIn(t *testing.T) {
	for tag, want := range map[string]string{
		"zh-CN": "zh", "zh_TW": "zh", "ZH": "zh", "en-GB": "en", "fr": "en", "": "en",
	} {
		if got := In(tag).Language; got != want {
			t.Errorf("In(%q) is %s, want %s", tag, got, want)
		}
	}
}

func TestDetect(t *testing.T) {
	for text, want := range map[string]string{
		"你好": "zh", "请解释 SQS 的去重": "zh", "what is 去重 in a FIFO queue of messages": "", "hello": "", "": "", "123": "",
	} {
		if got := Detect(text); got != want {
			t.Errorf("Detect(%q) is %q, want %q", text, got, want)
		}
	}
}

func TestSayOfAMissingKeySaysTheKey(t *testing.T) {
	if got := In("en").Say("no such key"); got != "no such key" {
		t.Errorf("got %q", got)
	}
}
