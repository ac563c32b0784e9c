package sqssend

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

const (
	maxID             = 128 // characters of a group or deduplication id
	maxAttributes     = 10
	maxAttributeValue = 1024 // bytes; attributes are for people, and SQS bills them
)

var errBody = errors.New("body holds characters that SQS refuses")

// Legal returns e as SQS accepts it. A Group or DedupID that SQS would refuse
// becomes its hash; what SQS can never take fails permanently.
func Legal(e pipeline.Envelope) (pipeline.Envelope, error) {
	body, err := legalBody(e.Body)
	if err != nil {
		return e, pipeline.Permanent(pipeline.ReasonUnreadable, err)
	}
	return pipeline.Envelope{
		Group: legalID(e.Group), DedupID: legalID(e.DedupID), Body: body, Attributes: legalAttributes(e.Attributes),
	}, nil
}

// legalBody returns body as SQS accepts it: UTF-8, of the characters of XML 1.0.
// Bodies are JSON, in which encoding/json escapes every refused character but two
// non-characters; those can only stand in strings, so their escapes mean the same.
func legalBody(body []byte) ([]byte, error) {
	if bytes.Contains(body, []byte("\uffff")) || bytes.Contains(body, []byte("\ufffe")) {
		body = []byte(strings.NewReplacer("\uffff", `\uffff`, "\ufffe", `\ufffe`).Replace(string(body)))
	}
	if len(body) == 0 || !utf8.Valid(body) || bytes.IndexFunc(body, illegal) >= 0 {
		return nil, fmt.Errorf("send message: %w", errBody)
	}
	return body, nil
}

// illegal reports whether SQS refuses r: #x9 | #xA | #xD | #x20-#xD7FF |
// #xE000-#xFFFD | #x10000-#x10FFFF are accepted (API reference of SendMessage).
func illegal(r rune) bool {
	return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == '\ufffe' || r == '\uffff'
}

// legalID returns id, or its hash where SQS would refuse it: ids are 1 to 128
// letters, digits and punctuation of ASCII.
func legalID(id string) string {
	if id == "" || len(id) > maxID || strings.IndexFunc(id, func(r rune) bool { return r <= ' ' || r > '~' }) >= 0 {
		return chat.Hash(id)
	}
	return id
}

// legalAttributes returns attributes as SQS accepts them, at most ten, the first
// in order of name. Those without a value, which SQS refuses, are left out.
func legalAttributes(attributes map[string]string) map[string]string {
	if len(attributes) == 0 {
		return nil
	}
	names := make([]string, 0, len(attributes))
	for name, value := range attributes {
		if name != "" && value != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	out := make(map[string]string, len(names))
	for _, name := range names[:min(len(names), maxAttributes)] {
		out[legalName(name)] = legalValue(attributes[name])
	}
	return out
}

// legalName replaces what SQS refuses in an attribute's name: other characters
// than letters, digits, "_", "-" and ".", dots at the ends or in a row, and the
// reserved beginnings "AWS." and "Amazon.".
func legalName(name string) string {
	dotted := strings.ReplaceAll(name, "..", "._")
	clean := strings.Map(func(r rune) rune {
		if r < 0x80 && (r == '_' || r == '-' || r == '.' || '0' <= r && r <= '9' || 'a' <= r|0x20 && r|0x20 <= 'z') {
			return r
		}
		return '_'
	}, dotted)
	clean = clean[:min(len(clean), 250)]
	lower := strings.ToLower(clean)
	if strings.HasPrefix(lower, "aws.") || strings.HasPrefix(lower, "amazon.") || clean[0] == '.' {
		clean = "_" + clean
	}
	if clean[len(clean)-1] == '.' {
		clean += "_"
	}
	return clean
}

// legalValue replaces refused characters, and cuts what is too long for a person
// to read in a console.
func legalValue(v string) string {
	v = strings.Map(func(r rune) rune {
		if illegal(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(v, "\ufffd"))
	if len(v) <= maxAttributeValue {
		return v
	}
	cut := maxAttributeValue - len("…")
	for !utf8.RuneStart(v[cut]) {
		cut--
	}
	return v[:cut] + "…"
}
