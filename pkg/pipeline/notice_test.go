package pipeline_test

import (
	"testing"

	"parley/pkg/chat"
	"parley/pkg/phrase"
	"parley/pkg/pipeline"
)

// noticed are what is answered with the words of that name.
var noticed = []chat.Kind{chat.KindReset, chat.KindHelp, chat.KindUsage, chat.KindForget}

// What Parley answers in its own words it has words for, in every language.
func TestEveryNoticeHasItsWords(t *testing.T) {
	for _, language := range []string{"en", "zh"} {
		words := phrase.In(language)
		for _, k := range noticed {
			if !words.Has(string(k)) {
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
