package slack

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
)

// Strings that are used again are never taken for each other, however many there
// are and whoever decodes at the same time, and long ones are not kept.
func TestRecent(t *testing.T) {
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 2000 {
				want := fmt.Sprint("T", i%500)
				if i%100 == 0 {
					want = strings.Repeat(want, longestID)
				}
				var got struct{ Team recent }
				if err := json.Unmarshal(fmt.Appendf(nil, `{"Team":%q}`, want), &got); err != nil || string(got.Team) != want {
					t.Errorf("%s was read as %s, %v", want, got.Team, err)
				}
			}
		})
	}
	all.Wait()
	for i := range lately {
		if s := lately[i].Load(); s != nil && len(*s) > longestID {
			t.Errorf("%d bytes are kept", len(*s))
		}
	}
	var odd struct{ Type, Subtype recent }
	if err := decode([]byte(`{"Type":7,"Subtype":null}`), &odd); err != nil || odd.Type != "" || odd.Subtype != "" {
		t.Errorf("what is no string was read as %q and %q, %v", odd.Type, odd.Subtype, err)
	}
}

func TestAnswer(t *testing.T) {
	for text, want := range map[string]answer{`true`: yes, `false`: no, `null`: untold, `"yes"`: untold, `{}`: untold} {
		got := envelope{}
		if err := decode([]byte(`{"is_ext_shared_channel":`+text+`}`), &got); err != nil || got.ExtShared != want {
			t.Errorf("%s is read as %v, %v", text, got.ExtShared, err)
		}
	}
}
