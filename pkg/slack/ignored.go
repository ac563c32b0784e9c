package slack

import "parley/pkg/pipeline"

// Why there is nothing to do for a request: the values of pipeline.Parsed.Ignored.
const (
	IgnoredSSLCheck  = "ssl_check"
	IgnoredChallenge = "url_verification"
	IgnoredRateLimit = "app_rate_limited"
	IgnoredType      = "type"       // of event or interaction: not one we use
	IgnoredLifecycle = "lifecycle"  // home tab opened, uninstalled, ...
	IgnoredSubtype   = "subtype"    // of message: not something a person says
	IgnoredOwn       = "own"        // Parley's own post
	IgnoredBot       = "bot"        // another bot's post
	IgnoredNoMention = "no_mention" // people talking to each other
	IgnoredUnknown   = "unknown_bot_user"
	IgnoredUnchanged = "unchanged" // an edit that left the text as it was
	IgnoredAuthor    = "no_author"
	IgnoredEmpty     = "empty"
	IgnoredAction    = "action"      // a button, shortcut or view that is not ours
	IgnoredForeign   = "foreign"     // a button of another app or channel
	IgnoredApp       = "unknown_app" // a shortcut before the app's id is known
)

func ignored(why string) pipeline.Parsed { return pipeline.Parsed{Ignored: why} }
