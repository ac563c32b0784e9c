package bedrock

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/types"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

// listener turns the events of one stream into deltas. Text goes through as it
// comes, but for white space at its end, which is held back until it is known
// whether a citation belongs before it. Reasoning, tools and events of the future
// are passed over.
type listener struct {
	passages int
	text     strings.Builder // all that was said
	space    string          // held back
	blocks   map[int32]*cited
	stop     types.StopReason
	usage    chat.Usage
	measured bool // usage was told
}

// cited is what a block cites, and where it began in the text.
type cited struct {
	from    int
	numbers []int
}

func newListener(passages int) *listener {
	return &listener{passages: passages, blocks: make(map[int32]*cited)}
}

// hear takes one event and returns what there is to say now.
func (l *listener) hear(event types.ConverseStreamOutput) []pipeline.Delta {
	switch e := event.(type) {
	case *types.ConverseStreamOutputMemberContentBlockDelta:
		return l.piece(aws.ToInt32(e.Value.ContentBlockIndex), e.Value.Delta)
	case *types.ConverseStreamOutputMemberContentBlockStop:
		return l.endBlock(aws.ToInt32(e.Value.ContentBlockIndex))
	case *types.ConverseStreamOutputMemberMessageStop:
		l.stop = e.Value.StopReason
	case *types.ConverseStreamOutputMemberMetadata:
		if u := e.Value.Usage; u != nil {
			l.measured = true
			l.usage = chat.Usage{
				Input: int(aws.ToInt32(u.InputTokens)), Output: int(aws.ToInt32(u.OutputTokens)),
				CacheRead: int(aws.ToInt32(u.CacheReadInputTokens)), CacheWrite: int(aws.ToInt32(u.CacheWriteInputTokens)),
			}
		}
	}
	return nil
}

func (l *listener) piece(index int32, delta types.ContentBlockDelta) []pipeline.Delta {
	block := l.blocks[index]
	if block == nil {
		block = &cited{from: l.text.Len()}
		l.blocks[index] = block
	}
	switch d := delta.(type) {
	case *types.ContentBlockDeltaMemberText:
		return l.write(d.Value)
	case *types.ContentBlockDeltaMemberCitation:
		location, ok := d.Value.Location.(*types.CitationLocationMemberSearchResultLocation)
		if !ok || location.Value.SearchResultIndex == nil {
			return nil
		}
		n := int(*location.Value.SearchResultIndex) + 1
		if n >= 1 && n <= l.passages && !slices.Contains(block.numbers, n) {
			block.numbers = append(block.numbers, n)
		}
	}
	return nil
}

// write says text, with the citations that the model wrote into it itself.
func (l *listener) write(text string) []pipeline.Delta {
	text = l.space + text
	words := strings.TrimRightFunc(text, unicode.IsSpace)
	l.space = text[len(words):]
	if words == "" {
		return nil
	}
	before := l.text.Len()
	l.text.WriteString(words)
	deltas := []pipeline.Delta{{Text: words}}
	for i, n := range l.markers(before) {
		if i == 0 {
			deltas[0].Cite = n
			continue
		}
		deltas = append(deltas, pipeline.Delta{Cite: n})
	}
	return deltas
}

var marker = regexp.MustCompile(`\[(\d{1,3})\]`)

// markers returns the numbers of passages in markers that were completed after the
// first so many bytes of the text.
func (l *listener) markers(before int) []int {
	if l.passages == 0 {
		return nil
	}
	const longest = len("[999]") - 1 // of what may be missing its end
	start := max(0, before-longest)
	tail := l.text.String()[start:]
	var numbers []int
	for _, at := range marker.FindAllStringSubmatchIndex(tail, -1) {
		n, _ := strconv.Atoi(tail[at[2]:at[3]]) // digits only
		if start+at[1] > before && n >= 1 && n <= l.passages {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// endBlock says the markers of what the block cites, once each, unless the model
// wrote them itself.
func (l *listener) endBlock(index int32) []pipeline.Delta {
	block := l.blocks[index]
	if block == nil {
		return nil
	}
	delete(l.blocks, index)
	own := l.text.String()[block.from:]
	var deltas []pipeline.Delta
	for _, n := range block.numbers {
		if strings.Contains(own, fmt.Sprintf("[%d]", n)) {
			continue
		}
		mark := fmt.Sprintf(" [%d]", n)
		l.text.WriteString(mark)
		deltas = append(deltas, pipeline.Delta{Text: mark, Cite: n})
	}
	return deltas
}

// flush ends blocks that were never ended.
func (l *listener) flush() []pipeline.Delta {
	var open []int32
	for index := range l.blocks {
		open = append(open, index)
	}
	slices.Sort(open)
	var deltas []pipeline.Delta
	for _, index := range open {
		deltas = append(deltas, l.endBlock(index)...)
	}
	return deltas
}

// used is what the call cost in tokens, or an estimate if the service did not say.
func (l *listener) used(p pipeline.Prompt) chat.Usage {
	if l.measured {
		return l.usage
	}
	u := chat.Usage{
		Input:  pipeline.EstimateTokens(p.System + p.Context + p.Question),
		Output: pipeline.EstimateTokens(l.text.String()),
	}
	for _, e := range p.History {
		u.Input += pipeline.EstimateTokens(e.Question) + pipeline.EstimateTokens(e.Answer)
	}
	for _, passage := range p.Passages {
		u.Input += pipeline.EstimateTokens(passage.Text)
	}
	return u
}
