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

// A card fills while the model writes; the press of its button comes back to the
// address that the responder registered, through the same front door.
func TestDingTalkCard(t *testing.T) {
	d := deployWith(t, map[string]string{"DingTalkCardTemplateId": "template-1.schema"})
	post := func(path string, body []byte, header http.Header) int {
		r, err := http.NewRequest(http.MethodPost, d.front.URL+path, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header = header
		return d.do(r)
	}
	said := d.ding.Said(dingtest.Inbound{Text: "card, please", Staff: "manager4821"})
	if status := post("/dingtalk/messages", said, d.ding.Headers()); status != http.StatusOK {
		t.Fatalf("answered %d", status)
	}
	var card dingtest.Card
	d.eventually("the card", 0, func() bool {
		for _, id := range d.ding.Cards() {
			card, _ = d.ding.Card(id)
		}
		return card.State == dingtest.CardFinal
	})
	if !strings.Contains(card.Content, "You said: card, please") {
		t.Errorf("the card says %q", card.Content)
	}
	if got, want := d.ding.CardCallbackURL("parley-"+d.ding.ClientID), d.front.URL+"/dingtalk/cards"; got != want {
		t.Errorf("presses go to %q, want %q", got, want)
	}
	press := d.ding.Press(d.ding.Cards()[0], "manager4821", "regenerate")
	if status := post("/dingtalk/cards", press, d.ding.CardHeaders()); status != http.StatusOK {
		t.Errorf("a press was answered %d", status)
	}
	d.quiet()
}
