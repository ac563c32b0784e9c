package mutate

// guard is a line of the code that keeps a promise, and how to break it.
type guard struct {
	name, broken string // what it says without the guard
	file         string
	is, becomes  string   // is occurs once in file
	tests        []string // arguments of go test for what must find it; nil is the explorer
}

const pkg = "pkg/pipeline/"

var guards = []guard{
	{
		"fence", "an attempt that lost its claim may still commit",
		pkg + "case.go", "if k.State != CaseWorking || k.Fence != fence {", "if k.State != CaseWorking {", nil,
	},
	{
		"lease", "a case is taken from whoever holds it",
		pkg + "case.go", "if k.leased(c.now, c.lease) && k.Owner", "if false && k.leased(c.now, c.lease) && k.Owner", nil,
	},
	{
		"skew", "a lease given by a clock that was set back is believed",
		pkg + "case.go", "left > 0 && left <= length+skew", "left > 0", nil,
	},
	{
		"intent", "an intent is not recorded before a post",
		pkg + "responder.go", "j.placed.At = at\n\treturn j.save(ctx)", "j.placed.At = at\n\treturn nil", nil,
	},
	{
		"look-up", "a post of unknown outcome is not looked up in Slack",
		"pkg/slack/slackapi/poster.go", "if err := a.lookUp(ctx, *i); err != nil {", "if err := error(nil); err != nil {",
		[]string{"./pkg/slack/slackapi", "./test/e2e"},
	},
	{
		"landed", "a post is looked up before it must have landed",
		"pkg/slack/slackapi/poster.go", "a.c.cfg.Now().Sub(i.At); wait > 0 {", "a.c.cfg.Now().Sub(i.At); wait > 0 && false {",
		[]string{"./pkg/slack/slackapi", "./test/e2e"},
	},
	{
		"again", "a replay without a delivery record is not looked up",
		pkg + "responder.go", "j.placed.Rev == 0 && reply.Again", "j.placed.Rev == 0 && false && reply.Again", nil,
	},
	{
		"token", "a letter replayed twice is answered twice",
		pkg + "case.go", "case t == nil || t.Fence < k.Fence:", "case t == nil:", nil,
	},
	{
		"restored", "a record from a backup refuses the letter it knows nothing of",
		pkg + "case.go", "case t.Fence > k.Fence:\n\t\treturn true", "case t.Fence > k.Fence:\n\t\treturn false", nil,
	},
	{
		"order", "an old snapshot replaces a newer one",
		pkg + "responder.go", "if !j.placed.Order.Before(reply.Order()) {", "if j.placed.Rev < 0 {", nil,
	},
	{
		"place", "a question tried again is shown behind later ones",
		pkg + "responder.go", "if !ok {\n\t\t\tfirst[i] = reply.MessageID", "if delete(first, n.index); true {\n\t\t\tfirst[i] = reply.MessageID", nil,
	},
	{
		"read-back", "a write that seemed to fail is not recognised",
		pkg + "ledger.go", "current.Rev > 0 && current.Nonce == nonce", "current.Rev < 0", nil,
	},
	{
		"burial", "an interrupted burial is not finished",
		pkg + "worker.go", "case WasDead:\n\t\tif !k.Buried {", "case WasDead:\n\t\tif false {", nil,
	},
	{
		"kept", "an apology replaces a good answer",
		pkg + "bury.go", "if answered {\n\t\t\treturn k.kept", "if answered = false; answered {\n\t\t\treturn k.kept", nil,
	},
	{
		"revised", "a question is given up in a form that was edited",
		pkg + "bury.go", "if a.revised(k) {", "if false {", nil,
	},
	{
		"edited", "an answer to the old form of a question is committed",
		pkg + "attempt.go", "if a.revised(k) {", "if false {", nil,
	},
	{
		"forgotten", "a question deleted while it is answered anew is remembered",
		pkg + "control.go", `if k.Turn.MessageID != "" {`, `if k.State == CaseAnswered {`, nil,
	},
	{
		"hold", "a retry after a crash reserves a second time",
		pkg + "budget.go", " || a.hold.Amount > 0 {", " {", []string{"./test/torture", "-run", "Budget"},
	},
	{
		"note", "a reservation whose note seemed to fail is given back twice",
		pkg + "budget.go", "case !errors.Is(err, errUnsure):", "default:", nil,
	},
	{
		"release", "a deleted question keeps its reservation",
		pkg + "worker.go", "w.release(ctx, m, k.Hold, 0)", "_ = k.Hold", []string{"./test/torture", "-run", "Budget"},
	},
	{
		"revision", "SQLite overwrites a case that another has changed",
		"pkg/sqlitestore/cases.go", "WHERE message_id = ? AND rev = ? - 1`", "WHERE message_id = ? AND rev >= ? - 1`",
		[]string{"./pkg/sqlitestore"},
	},
}
