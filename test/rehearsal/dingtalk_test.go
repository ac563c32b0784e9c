package rehearsal

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"parley/pkg/dingtalk/dingtest"
)

// DingTalk's HTTP callback, delivered twice, is answered once by the webhook.
func TestDingTalk(t *testing.T) {
	d := deploy(t)
	body := d.ding.Said(dingtest.Inbound{Text: "你好", Group: "cidGroup", MsgID: "msg-1"})
	for range 2 {
		r, err := http.NewRequest(http.MethodPost, d.front.URL+"/dingtalk/messages", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header = d.ding.Headers()
		if status := d.do(r); status != http.StatusOK {
			t.Fatalf("answered %d", status)
		}
	}
	d.eventually("the answer", 0, func() bool { return len(d.ding.Posts("cidGroup")) > 0 })
	d.quiet()
	posts := d.ding.Posts("cidGroup")
	if len(posts) != 1 || !strings.Contains(posts[0].Text, "You said: 你好") {
		t.Errorf("people see %+v", posts)
	}
}
