package pipeline

import "strings"

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

// most is the most that an answer to p may have, in tokens.
func (p Prompt) most() int {
	if p.MaxTokens > 0 {
		return p.MaxTokens
	}
	return defaultMaxTokens
}

// defaultMaxTokens is what the model packages give an answer by default.
const defaultMaxTokens = 4096

// pictureTokens is about what a model makes of a picture, and bytesPerToken how
// much of a document is one token.
const (
	pictureTokens = 1600
	bytesPerToken = 4
)

// EstimateTokens is about what reading p costs a model.
func (p Prompt) EstimateTokens() int {
	n := EstimateTokens(p.System) + EstimateTokens(p.Context) + EstimateTokens(p.Question)
	for _, e := range p.History {
		n += EstimateTokens(e.Question) + EstimateTokens(e.Answer) + EstimateTokens(e.Attachments)
	}
	for _, s := range p.Passages {
		n += EstimateTokens(s.Text)
	}
	for _, a := range p.Attachments {
		if strings.HasPrefix(a.MIMEType, "image/") {
			n += pictureTokens
		} else {
			n += max(len(a.Data)/bytesPerToken, EstimateTokens(a.Text))
		}
	}
	return n
}

// EstimateTokens is about what showing t to a model costs.
func (t Turn) EstimateTokens() int {
	return EstimateTokens(t.Question) + EstimateTokens(t.Answer) + EstimateTokens(t.Attachments)
}
