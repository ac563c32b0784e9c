package chat

import (
	"encoding/json"
	"time"
)

// Samples of everything that crosses the queues, each with a golden file of its
// name in testdata. A change here that changes a golden file is a change of what
// lies in queues and dead letters.

var (
	sampleThread = Conversation{Platform: Slack, Tenant: "A0APP", Channel: "C0CHAN", Thread: "1780000000.000100"}
	sampleDirect = Conversation{Platform: Slack, Tenant: "A0APP", Channel: "D0DM"}
	sampleGroup  = Conversation{Platform: DingTalk, Tenant: "dingrobot", Channel: "cid/a+b==", Thread: "staff1"}
	sampleAuthor = Author{ID: "U0ANN", Name: "Ann <ann>", Team: "T0HOME", Locale: "en-GB", External: true}
	sampleRoute  = json.RawMessage(`{"app":"A0APP","channel":"C0CHAN","ts":"1780000000.000100"}`)
	sampleTime   = time.Date(2026, 5, 28, 20, 26, 40, 100_000, time.UTC)
)

const sampleID = "slack:A0APP:C0CHAN:1780000000.000100"

func sampleMessages() map[string]Message {
	gesture := func(k Kind, adjust func(*Message)) Message {
		m := Message{
			ID: sampleID + ":" + string(k), Kind: k, Conversation: sampleThread,
			Author: sampleAuthor, SentAt: sampleTime, Route: sampleRoute,
		}
		if adjust != nil {
			adjust(&m)
		}
		return m
	}
	return map[string]Message{
		"message_ask": gesture(KindAsk, func(m *Message) {
			m.ID, m.Text = sampleID, "if a < b && c > d {\n\treturn \"什么\"\n}"
			m.Threaded, m.Model = true, "another"
			m.Files = []File{
				{ID: "F0FILE", Name: "q3.pdf", MIMEType: "application/pdf", Size: 48211, URL: "https://files.slack.com/x?a=1&b=2"},
				{ID: "F0STUB"},
			}
		}),
		"message_ask_direct": gesture(KindAsk, func(m *Message) {
			m.ID, m.Text, m.Conversation = "slack:A0APP:D0DM:1780000100.000000", "more", sampleDirect
			m.Conversation.Thread, m.Parent, m.ParentTurn = "1780000000.000100", &sampleDirect, sampleTime
		}),
		"message_ask_dingtalk": gesture(KindAsk, func(m *Message) {
			m.ID, m.Text, m.Conversation = "dingtalk:dingrobot:msg+1==", "继续", sampleGroup
			m.Quote = &Quote{MessageID: "dingtalk:dingrobot:msg+0==", Author: "staff2", Text: "昨天的问题"}
			m.FollowUp = true
		}),
		"message_ask_replayed": gesture(KindAsk, func(m *Message) {
			m.ID, m.Text, m.Token = sampleID, "again", &Token{Fence: 1780000000123, Reason: "throttled"}
		}),
		"message_ask_again": gesture(KindAsk, func(m *Message) {
			m.ID, m.Text, m.Token = sampleID, "again", &Token{Fence: 1780000000123, At: sampleTime}
		}),
		"message_reset":         gesture(KindReset, func(m *Message) { m.Text = "reset" }),
		"message_passages":      gesture(KindPassages, func(m *Message) { m.Subject = sampleID }),
		"message_help":          gesture(KindHelp, nil),
		"message_usage":         gesture(KindUsage, nil),
		"message_stop":          gesture(KindStop, func(m *Message) { m.Subject = sampleID }),
		"message_retry":         gesture(KindRetry, func(m *Message) { m.Subject, m.Token = sampleID, &Token{Fence: 7, Reason: "model"} }),
		"message_regenerate":    gesture(KindRegenerate, func(m *Message) { m.Subject, m.Value, m.Token = sampleID, "another", &Token{Fence: 7} }),
		"message_feedback":      gesture(KindFeedback, func(m *Message) { m.Subject, m.Value, m.Text = sampleID, "down", "wrong year" }),
		"message_remember":      gesture(KindRemember, nil),
		"message_forget":        gesture(KindForget, nil),
		"message_edited":        gesture(KindEdited, func(m *Message) { m.Subject, m.Text = sampleID, "what I meant" }),
		"message_opened":        gesture(KindOpened, nil),
		"message_home":          gesture(KindHome, func(m *Message) { m.Value = "language:zh" }),
		"message_ask_viewing":   gesture(KindAsk, func(m *Message) { m.ID, m.Text, m.Viewing = sampleID, "what is this about?", true }),
		"message_ask_workspace": gesture(KindAsk, func(m *Message) { m.ID, m.Text, m.Workspace = sampleID, "where am I?", "T0HOME" }),
		"message_deleted":       gesture(KindDeleted, func(m *Message) { m.Subject = sampleID }),
		"message_approve":       gesture(KindApprove, func(m *Message) { m.Subject, m.Token = sampleID, &Token{Fence: 7} }),
		"message_reject":        gesture(KindReject, func(m *Message) { m.Subject, m.Token = sampleID, &Token{Fence: 7} }),
		"message_file":          gesture(KindFile, func(m *Message) { m.Subject, m.Token = sampleID, &Token{Fence: 7} }),
		"message_complaint": gesture(KindFeedback, func(m *Message) {
			m.Subject, m.Value, m.Complaint, m.Text, m.Token = sampleID, Down, ComplaintOther, "it is from <2019>", &Token{Fence: 7}
		}),
	}
}

func sampleReplies() map[string]Reply {
	snapshot := func(k ReplyKind, seq int, markdown string) Reply {
		return Reply{
			MessageID: sampleID, Conversation: sampleThread, Fence: 1780000000123, Seq: seq, Kind: k, Markdown: markdown,
			Language: "en", Asker: sampleAuthor, AskedAt: sampleTime, Route: sampleRoute,
		}
	}
	final := snapshot(Final, 12, "| a | b |\n|---|---|\n| 1 | <2> |\n\nSee [1].")
	final.Citations = []Citation{{Number: 1, Title: "Handbook", URL: "https://example.com/h?a=1&b=2", Page: 3, Heading: "Leave", Quote: "25 days", Score: 0.75}, {Number: 2}}
	final.Usage = Usage{Input: 1200, Output: 340, CacheRead: 1000, CacheWrite: 200}
	final.Model = "model-1"
	working := snapshot(Working, 1, "")
	working.Steps = []Step{{ID: "search", Title: "Searching the handbook", Done: true}, {ID: "write", Title: "Writing"}}
	titled := snapshot(Working, 1, "")
	titled.Title = "What is new?"
	choices := snapshot(Final, 2, "Yes.")
	choices.Choices = []string{"Fast", "Thorough"}
	private := snapshot(Final, 2, "Between us.")
	private.Private = true
	proposal := snapshot(Final, 2, "Keep this?")
	proposal.Proposal = true
	rated := snapshot(Rated, 1, "What is wrong with it?")
	rated.Rating = &Rating{Subject: sampleID, Fence: 7, Complaint: "wrong"}
	home := snapshot(AtHome, 1, "")
	home.Home = &Home{Note: "Done.", Usage: "you: 12 of 100 (12%)", Unread: []HomePart{HomeUsage}}
	whole := snapshot(AtHome, 1, "")
	whole.Home = &Home{
		Usage: "you: 12", Language: "zh", Model: "Thorough", Models: []string{"Fast", "Thorough"},
		Recent: []Recalled{{sampleThread, "What is new?", sampleTime, 3}},
		Admin: &Admin{
			Version: "1.2.3", More: true, Trouble: "throttled", TroubleAt: sampleTime, PausedUntil: sampleTime,
			Queues:  []HomeQueue{{"requests", 3, 2, 1}},
			Letters: []HomeLetter{{"17", "1a2b3c4d", "requests", "model", sampleTime, true}},
		},
	}
	failed := snapshot(Failed, 3, "Sorry.")
	failed.Reason, failed.Nonce, failed.Again = "throttled", "n1", true
	return map[string]Reply{
		"reply_working":    working,
		"reply_titled":     titled,
		"reply_opened":     snapshot(Opened, 1, ""),
		"reply_attached":   snapshot(Attached, 1, "| a |\n|---|\n| 1 |"),
		"reply_rated":      rated,
		"reply_partial":    snapshot(Partial, 2, "| a |"),
		"reply_final":      final,
		"reply_choices":    choices,
		"reply_private":    private,
		"reply_proposal":   proposal,
		"reply_failed":     failed,
		"reply_stopped":    snapshot(Stopped, 4, "As far as"),
		"reply_notice":     snapshot(Notice, 1, "Done."),
		"reply_home":       home,
		"reply_home_whole": whole,
		"reply_withdrawn":  snapshot(Withdrawn, 5, ""),
	}
}
