package chat

// The conversions below are the only place that knows both the vocabulary and the
// wire. Where two types have the same fields the compiler converts them, and
// refuses to once they differ; a test fills every field and looks for it behind
// the wire.

func (v messageV1) message() Message {
	return Message{
		ID: v.ID, Kind: v.Kind,
		Conversation: Conversation(v.Conversation),
		Parent:       (*Conversation)(v.Parent), ParentTurn: v.ParentTurn.UTC(),
		Subject: v.Subject, Workspace: v.Workspace, Author: Author(v.Author), Text: v.Text, Value: v.Value, Complaint: v.Complaint,
		Files: each(v.Files, func(f fileV1) File { return File(f) }),
		Quote: (*Quote)(v.Quote), SentAt: v.SentAt.UTC(),
		FollowUp: v.FollowUp, Threaded: v.Threaded, Viewing: v.Viewing,
		Token: (*Token)(v.Token), Model: v.Model, Route: v.Route,
	}
}

func messageToV1(m Message) *messageV1 {
	return &messageV1{
		ID: m.ID, Kind: m.Kind,
		Conversation: conversationV1(m.Conversation),
		Parent:       (*conversationV1)(m.Parent), ParentTurn: m.ParentTurn.UTC(),
		Subject: m.Subject, Workspace: m.Workspace, Author: authorV1(m.Author), Text: m.Text, Value: m.Value, Complaint: m.Complaint,
		Files: each(m.Files, func(f File) fileV1 { return fileV1(f) }),
		Quote: (*quoteV1)(m.Quote), SentAt: m.SentAt.UTC(),
		FollowUp: m.FollowUp, Threaded: m.Threaded, Viewing: m.Viewing,
		Token: (*tokenV1)(m.Token), Model: m.Model, Route: m.Route,
	}
}

func (v replyV1) reply() Reply {
	return Reply{
		MessageID: v.MessageID, Conversation: Conversation(v.Conversation),
		Fence: v.Fence, Seq: v.Seq, Kind: v.Kind, Markdown: v.Markdown,
		Citations: each(v.Citations, func(c citationV1) Citation { return Citation(c) }),
		Steps:     each(v.Steps, func(s stepV1) Step { return Step(s) }),
		Usage:     Usage(v.Usage), Model: v.Model, Choices: v.Choices, Title: v.Title, Reason: v.Reason, Language: v.Language,
		Asker: Author(v.Asker), AskedAt: v.AskedAt.UTC(), Nonce: v.Nonce, Private: v.Private, Proposal: v.Proposal, Rating: (*Rating)(v.Rating), Again: v.Again,
		Home: v.Home.home(), Route: v.Route,
	}
}

func replyToV1(r Reply) *replyV1 {
	return &replyV1{
		MessageID: r.MessageID, Conversation: conversationV1(r.Conversation),
		Fence: r.Fence, Seq: r.Seq, Kind: r.Kind, Markdown: r.Markdown,
		Citations: each(r.Citations, func(c Citation) citationV1 { return citationV1(c) }),
		Steps:     each(r.Steps, func(s Step) stepV1 { return stepV1(s) }),
		Usage:     usageV1(r.Usage), Model: r.Model, Choices: r.Choices, Title: r.Title, Reason: r.Reason, Language: r.Language,
		Asker: authorV1(r.Asker), AskedAt: r.AskedAt.UTC(), Nonce: r.Nonce, Private: r.Private, Proposal: r.Proposal, Rating: (*ratingV1)(r.Rating), Again: r.Again,
		Home: homeToV1(r.Home), Route: r.Route,
	}
}

// each converts a list; none stays nil.
func each[From, To any](list []From, convert func(From) To) []To {
	if len(list) == 0 {
		return nil
	}
	converted := make([]To, len(list))
	for i, v := range list {
		converted[i] = convert(v)
	}
	return converted
}
