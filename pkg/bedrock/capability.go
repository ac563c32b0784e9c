package bedrock

import "strings"

// Capabilities are what a model accepts beyond text.
type Capabilities struct {
	Images    bool
	Documents bool
	// SearchResults: passages are sent as searchResult blocks, and the model
	// cites them by itself.
	SearchResults bool
	// Cache: cachePoint blocks are accepted.
	Cache bool
}

// families is matched in order against a model id; the first part found decides.
// A family that is not here gets text alone, which every model takes.
var families = []struct {
	part string
	can  Capabilities
}{
	{"anthropic.claude-3-haiku", Capabilities{Images: true, Documents: true}},
	{"anthropic.claude-3-sonnet", Capabilities{Images: true, Documents: true}},
	{"anthropic.claude-3-opus", Capabilities{Images: true, Documents: true}},
	{"anthropic.claude", Capabilities{Images: true, Documents: true, SearchResults: true, Cache: true}},
	{"amazon.nova-micro", Capabilities{Cache: true}},
	{"amazon.nova", Capabilities{Images: true, Documents: true, Cache: true}},
	{"meta.llama4", Capabilities{Images: true, Documents: true}},
	{"mistral.pixtral", Capabilities{Images: true, Documents: true}},
	{"mistral.mistral-large-3", Capabilities{Images: true}},
}

// CapabilitiesOf returns what is known of a model by its id: a base model, an
// inference profile, or an ARN that ends in one of them. ok is false for ids that
// hide the model, such as application inference profiles.
func CapabilitiesOf(modelID string) (can Capabilities, ok bool) {
	for _, f := range families {
		if strings.Contains(modelID, f.part) {
			return f.can, true
		}
	}
	return Capabilities{}, false
}
