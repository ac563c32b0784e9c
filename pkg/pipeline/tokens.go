package pipeline

// EstimateTokens is about how many tokens a model makes of text: one for each
// ideograph, kana or hangul, one for four ASCII letters, one for two of other
// scripts. It is for bounding windows, the same on every store; what a call
// really used comes back with its answer.
func EstimateTokens(text string) int {
	quarters := 0
	for _, r := range text {
		switch {
		case r < 0x80:
			quarters++
		case r < 0x1100:
			quarters += 2
		default:
			quarters += 4
		}
	}
	return (quarters + 3) / 4
}

// EstimateTokens is about what showing t to a model costs.
func (t Turn) EstimateTokens() int {
	return EstimateTokens(t.Question) + EstimateTokens(t.Answer) + EstimateTokens(t.Attachments)
}
