package bedrock

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrockagentruntime"
	"github.com/aws/aws-sdk-go-v2/service/bedrockagentruntime/types"

	"parley/pkg/pipeline"
)

// Limits of one Retrieve request. A question is cut well below the service's 20,000
// characters, because embedding models take less.
const (
	maxQuery   = 8000 // characters
	maxResults = 100
)

// RetrieverConfig says how to search. Only KnowledgeBaseID is required.
type RetrieverConfig struct {
	KnowledgeBaseID string
	// CitationBaseURL makes links of documents in S3: the object's key is added
	// to it, or takes the place of "{key}" in it, as its bucket does of "{bucket}".
	// Without it such documents are cited by name alone.
	CitationBaseURL string
	// SearchType is HYBRID or SEMANTIC; "" lets the service choose.
	SearchType string
	// Filter restricts the search by metadata, in the service's own JSON; see
	// ParseFilter.
	Filter json.RawMessage
	// RerankModelARN is a reranking model that sorts Candidates results (default
	// 20) before the best are taken; "" is none. The knowledge base's role calls it.
	RerankModelARN string
	Candidates     int
	// MinScore drops results that match less well. What a score means depends on
	// the vector store and the reranker.
	MinScore float64
	// GuardrailID and GuardrailVersion go together.
	GuardrailID, GuardrailVersion string
	// Timeout bounds a search; 15 s if zero. An answer without sources is better
	// than none.
	Timeout time.Duration
}

// Retriever finds passages in a Bedrock knowledge base. It is safe for concurrent
// use.
type Retriever struct {
	client *bedrockagentruntime.Client
	config RetrieverConfig
	filter types.RetrievalFilter
	retry  aws.Retryer
}

// NewRetriever returns a retriever that calls client. It fails with a sentence that
// names the setting which makes no sense.
func NewRetriever(client *bedrockagentruntime.Client, c RetrieverConfig) (*Retriever, error) {
	if c.KnowledgeBaseID == "" {
		return nil, errors.New("bedrock retriever: the knowledge base id is empty")
	}
	if (c.GuardrailID == "") != (c.GuardrailVersion == "") {
		return nil, errors.New("bedrock retriever: a guardrail needs both an id and a version")
	}
	if c.SearchType != "" && c.SearchType != string(types.SearchTypeHybrid) && c.SearchType != string(types.SearchTypeSemantic) {
		return nil, fmt.Errorf("bedrock retriever: search type %q is neither HYBRID nor SEMANTIC", c.SearchType)
	}
	if u, err := url.Parse(c.CitationBaseURL); c.CitationBaseURL != "" && (err != nil || !isWeb(u)) {
		return nil, fmt.Errorf("bedrock retriever: citation base URL %q is not an http or https URL", c.CitationBaseURL)
	}
	r := &Retriever{client: client, config: c, retry: newRetryer()}
	r.config.Timeout = cmp.Or(c.Timeout, 15*time.Second)
	r.config.Candidates = cmp.Or(c.Candidates, 20)
	if len(c.Filter) > 0 {
		filter, err := ParseFilter(c.Filter)
		if err != nil {
			return nil, fmt.Errorf("bedrock retriever: %w", err)
		}
		r.filter = filter
	}
	return r, nil
}

// Retrieve implements pipeline.Retriever. max is cut to 100. A blank query finds
// nothing and costs nothing. When a guardrail steps in the error is permanent, of
// class ReasonRefused.
func (r *Retriever) Retrieve(ctx context.Context, query string, max int) ([]pipeline.Passage, error) {
	query = strings.TrimSpace(query)
	if query == "" || max < 1 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, r.config.Timeout, pipeline.Transient(pipeline.ReasonUnavailable,
		fmt.Errorf("retrieve from %s: no answer for %v", r.config.KnowledgeBaseID, r.config.Timeout)))
	defer cancel()
	max = min(max, maxResults)
	out, err := r.client.Retrieve(ctx, r.request(query, max), func(o *bedrockagentruntime.Options) { o.Retryer = r.retry })
	if err != nil {
		return nil, r.failure(ctx, err)
	}
	if out.GuardrailAction == types.GuadrailActionIntervened {
		return nil, pipeline.Permanent(pipeline.ReasonRefused,
			fmt.Errorf("retrieve from %s: the guardrail intervened", r.config.KnowledgeBaseID))
	}
	return r.passages(out.RetrievalResults, max, time.Now()), nil
}

func (r *Retriever) request(query string, max int) *bedrockagentruntime.RetrieveInput {
	if runes := []rune(query); len(runes) > maxQuery {
		query = string(runes[:maxQuery])
	}
	search := &types.KnowledgeBaseVectorSearchConfiguration{
		NumberOfResults:    aws.Int32(int32(max)),
		OverrideSearchType: types.SearchType(r.config.SearchType),
		Filter:             r.filter,
	}
	if r.config.RerankModelARN != "" {
		candidates := min(maxResults, r.config.Candidates)
		if candidates < max {
			candidates = max
		}
		search.NumberOfResults = aws.Int32(int32(candidates))
		search.RerankingConfiguration = &types.VectorSearchRerankingConfiguration{
			Type: types.VectorSearchRerankingConfigurationTypeBedrockRerankingModel,
			BedrockRerankingConfiguration: &types.VectorSearchBedrockRerankingConfiguration{
				ModelConfiguration: &types.VectorSearchBedrockRerankingModelConfiguration{
					ModelArn: aws.String(r.config.RerankModelARN),
				},
				NumberOfRerankedResults: aws.Int32(int32(max)),
			},
		}
	}
	in := &bedrockagentruntime.RetrieveInput{
		KnowledgeBaseId:        aws.String(r.config.KnowledgeBaseID),
		RetrievalQuery:         &types.KnowledgeBaseQuery{Text: aws.String(query)},
		RetrievalConfiguration: &types.KnowledgeBaseRetrievalConfiguration{VectorSearchConfiguration: search},
	}
	if r.config.GuardrailID != "" {
		in.GuardrailConfiguration = &types.GuardrailConfiguration{
			GuardrailId: aws.String(r.config.GuardrailID), GuardrailVersion: aws.String(r.config.GuardrailVersion),
		}
	}
	return in
}

// failure classifies err. Two refusals have better words than the service's own.
func (r *Retriever) failure(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	classified := classify(pipeline.ReasonUnavailable, "retrieve from", r.config.KnowledgeBaseID, err)
	if !isCode(err, "ValidationException") {
		return classified
	}
	switch said := strings.ToLower(err.Error()); {
	case strings.Contains(said, "auto-paused") || strings.Contains(said, "resuming"):
		// An Aurora store that slept; it is awake in less than a minute.
		return pipeline.Transient(pipeline.ReasonUnavailable, pipeline.Classify(classified).Err)
	case strings.Contains(said, "managedsearchconfiguration") || strings.Contains(said, "managed knowledge base"):
		return pipeline.Permanent(pipeline.ReasonConfig, managedError(r.config.KnowledgeBaseID))
	}
	return classified
}

// managedError explains a type of knowledge base that is searched in a way this
// version does not speak.
func managedError(id string) error {
	return fmt.Errorf("knowledge base %s is of type MANAGED, which is searched with managedSearchConfiguration; "+
		"use one of type VECTOR, KENDRA or SQL", id)
}
