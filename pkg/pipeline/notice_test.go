package pipeline_test

import (
	"testing"

	"parley/pkg/chat"
	"parley/pkg/phrase"
	"parley/pkg/pipeline"
)

// kinds are all that a person can do.
var kinds = []chat.Kind{
	chat.KindAsk, chat.KindReset, chat.KindHelp, chat.KindUsage, chat.KindStop, chat.KindRetry, chat.KindRegenerate,
	chat.KindFeedback, chat.KindRemember, chat.KindForget, chat.KindEdited, chat.KindDeleted,
}

// What is not asked and does not act on another message is answered in Parley's own
// words, so there must be some, in every language.
func TestEveryNoticeHasItsWords(t *testing.T) {
	for _, language := range []string{"en", "zh"} {
		words := phrase.In(language)
		for _, k := range kinds {
			if k != chat.KindAsk && !k.Control() && !words.Has(string(k)) {
				t.Errorf("%s: no words for %q", language, k)
			}
		}
		for _, r := range []pipeline.Reason{
			pipeline.ReasonUnreadable, pipeline.ReasonRefused, pipeline.ReasonConfig, pipeline.ReasonTooLong, pipeline.ReasonBudget,
			pipeline.ReasonThrottled, pipeline.ReasonModel, pipeline.ReasonCrash, pipeline.ReasonStore, pipeline.ReasonChat,
			pipeline.ReasonUnavailable, pipeline.ReasonMoved,
		} {
			if !words.Has("failed." + string(r)) {
				t.Errorf("%s: no words for failing with %q", language, r)
			}
		}
	}
}
