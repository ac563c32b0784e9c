package chat

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// add writes the golden files that are missing. One that is there stays: it stands
// for what lies in somebody's queue.
var add = flag.Bool("add", false, "write golden files that are missing")

// TestGolden checks that what is written today is what was always written, and
// that what was written in any version decodes to what was meant.
func TestGolden(t *testing.T) {
	seen := map[string]bool{}
	for name, m := range sampleMessages() {
		seen[name] = true
		data, err := EncodeMessage(m)
		golden(t, name, data, err)
		for _, old := range versions(t, name) {
			if got, err := DecodeMessage(old); err != nil || !cmp.Equal(got, m) {
				t.Errorf("%s: %v\n%s", name, err, cmp.Diff(m, got))
			}
		}
	}
	for name, r := range sampleReplies() {
		seen[name] = true
		data, err := EncodeReply(r)
		golden(t, name, data, err)
		for _, old := range versions(t, name) {
			if got, err := DecodeReply(old); err != nil || !cmp.Equal(got, r) {
				t.Errorf("%s: %v\n%s", name, err, cmp.Diff(r, got))
			}
		}
	}
	files, err := filepath.Glob("testdata/v*/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, file := range files {
		if !seen[strings.TrimSuffix(filepath.Base(file), ".json")] {
			t.Errorf("%s has no sample any more: what it stands for must stay readable", file)
		}
	}
}

func golden(t *testing.T, name string, data []byte, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	file := filepath.Join("testdata", "v1", name+".json")
	want, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) && *add {
		want = append(bytes.Clone(data), '\n')
		err = os.WriteFile(file, want, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(bytes.TrimSpace(want)), string(data)); diff != "" {
		t.Errorf("%s is written in another form than before (-before +now)\n%s", name, diff)
	}
}

// versions returns the sample's golden file of every version.
func versions(t *testing.T, name string) [][]byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "v*", name+".json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden file of %s: %v", name, err)
	}
	var all [][]byte
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, data)
	}
	return all
}

// TestEveryField checks that each field of the vocabulary, also one that is added
// later, comes out behind the wire.
func TestEveryField(t *testing.T) {
	var m, decodedMessage Message
	fill(reflect.ValueOf(&m).Elem())
	data, err := EncodeMessage(m)
	if err == nil {
		decodedMessage, err = DecodeMessage(data)
	}
	if err != nil || !cmp.Equal(m, decodedMessage) {
		t.Errorf("%v\n%s", err, cmp.Diff(m, decodedMessage))
	}
	var r, decodedReply Reply
	fill(reflect.ValueOf(&r).Elem())
	data, err = EncodeReply(r)
	if err == nil {
		decodedReply, err = DecodeReply(data)
	}
	if err != nil || !cmp.Equal(r, decodedReply) {
		t.Errorf("%v\n%s", err, cmp.Diff(r, decodedReply))
	}
}

// fill sets every field to something that is not its zero value.
func fill(v reflect.Value) {
	switch x := v.Addr().Interface().(type) {
	case *time.Time:
		*x = sampleTime
		return
	case *json.RawMessage:
		*x = sampleRoute
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(3)
	case reflect.Float64:
		v.SetFloat(0.5)
	default:
		panic("fill " + v.Type().String())
	}
}

func TestDecodeRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		data  string
		newer bool
	}{
		"nothing":         {data: ``},
		"not JSON":        {data: `{"v":1`},
		"no version":      {data: `{"message":{"id":"x"}}`},
		"version zero":    {data: `{"v":0,"message":{"id":"x"}}`},
		"negative":        {data: `{"v":-1,"message":{"id":"x"}}`},
		"newer":           {data: `{"v":2,"message":{"id":"x"}}`, newer: true},
		"empty":           {data: `{"v":1}`},
		"null":            {data: `{"v":1,"message":null,"reply":null}`},
		"no identity":     {data: `{"v":1,"message":{"kind":"ask"},"reply":{"kind":"final"}}`},
		"another's":       {data: `[]`},
		"wrong type":      {data: `{"v":1,"message":"x","reply":3}`},
		"impossible time": {data: `{"v":1,"message":{"id":"x","sent_at":"soon"},"reply":{"message_id":"x","asked_at":3}}`},
	} {
		t.Run(name, func(t *testing.T) {
			_, errMessage := DecodeMessage([]byte(c.data))
			_, errReply := DecodeReply([]byte(c.data))
			for _, err := range []error{errMessage, errReply} {
				if err == nil || errors.Is(err, ErrVersion) != c.newer {
					t.Errorf("error %v", err)
				}
			}
		})
	}
}

// TestDecodeForgives checks that fields of a later build do not hurt an older one.
func TestDecodeForgives(t *testing.T) {
	m, err := DecodeMessage([]byte(`{"v":1,"later":1,"message":{"id":"x","kind":"dance","later":{"a":[]},"sent_at":"2026-05-28T22:26:40+02:00"}}`))
	if err != nil || m.ID != "x" || m.Kind != "dance" || m.SentAt.Location() != time.UTC {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestEncodeLimit(t *testing.T) {
	if _, err := EncodeMessage(Message{ID: "x", Text: strings.Repeat("<", MaxEnvelope-200)}); err != nil {
		t.Error(err)
	}
	if _, err := EncodeMessage(Message{ID: "x", Text: strings.Repeat("<", MaxEnvelope)}); err == nil {
		t.Error("a message above the limit is encoded")
	}
	if _, err := EncodeReply(Reply{MessageID: "x", Markdown: strings.Repeat("长", MaxEnvelope/3)}); err == nil {
		t.Error("a reply above the limit is encoded")
	}
	if _, err := EncodeMessage(Message{ID: "x", Route: json.RawMessage("{")}); err == nil {
		t.Error("a route that is no JSON is encoded")
	}
}

// FuzzCodec checks that what decodes also encodes, and to the same.
func FuzzCodec(f *testing.F) {
	files, err := filepath.Glob("testdata/v*/*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{"v":1,"message":{"id":"x","files":[],"route":null,"sent_at":"2026-05-28T22:26:40+02:00"}}`))
	f.Add([]byte(`{"v":1,"message":{"id":"x","sent_at":"9999-12-31T23:59:59-05:00"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > MaxEnvelope/6 {
			return // escapes may take it over the limit
		}
		if m, err := DecodeMessage(data); err == nil && writable(m.SentAt, m.ParentTurn) {
			again, err := EncodeMessage(m)
			if err != nil {
				t.Fatal(err)
			}
			got, err := DecodeMessage(again)
			m.Route = compact(m.Route)
			if err != nil || !cmp.Equal(m, got) {
				t.Fatalf("%v\n%s", err, cmp.Diff(m, got))
			}
		}
		if r, err := DecodeReply(data); err == nil && writable(r.AskedAt) {
			again, err := EncodeReply(r)
			if err != nil {
				t.Fatal(err)
			}
			got, err := DecodeReply(again)
			r.Route = compact(r.Route)
			if err != nil || !cmp.Equal(r, got) {
				t.Fatalf("%v\n%s", err, cmp.Diff(r, got))
			}
		}
	})
}

// writable reports whether JSON has a form for times: in UTC, a year of four
// digits, which an offset may read past.
func writable(times ...time.Time) bool {
	return !slices.ContainsFunc(times, func(t time.Time) bool { return t.Year() < 0 || t.Year() > 9999 })
}

// compact returns raw without the space between its parts.
func compact(raw json.RawMessage) json.RawMessage {
	var b bytes.Buffer
	if len(raw) == 0 || json.Compact(&b, raw) != nil {
		return raw
	}
	return b.Bytes()
}
