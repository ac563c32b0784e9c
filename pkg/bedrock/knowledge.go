package bedrock

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrockagent"
	"github.com/aws/aws-sdk-go-v2/service/bedrockagent/types"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

// maxDocument is the service's limit of an inline document in bytes.
const maxDocument = 5 << 20

// Knowledge feeds a Bedrock knowledge base: single documents through a data source
// of type CUSTOM, and syncs of all its other sources. It is safe for concurrent use.
// What it puts in can be found some seconds or minutes later.
type Knowledge struct {
	client *bedrockagent.Client
	id     string
	custom string // data source of type CUSTOM, "" if there is none
	retry  aws.Retryer
}

// NewKnowledge returns the knowledge base with that id. customSource is the data
// source of type CUSTOM that documents are put into; without one Ingest and Forget
// fail.
func NewKnowledge(client *bedrockagent.Client, knowledgeBaseID, customSource string) (*Knowledge, error) {
	if knowledgeBaseID == "" {
		return nil, errors.New("bedrock knowledge: the knowledge base id is empty")
	}
	return &Knowledge{client: client, id: knowledgeBaseID, custom: customSource, retry: newRetryer()}, nil
}

// Document is a piece of text to know. A permalink is a good ID, because citations
// then lead there. Repeating a Request changes nothing, even after Forget. Expires
// becomes the attribute "expires", in seconds since 1970: a Retriever passes over the
// document from then on.
type Document = pipeline.Document

var _ pipeline.Knowledge = (*Knowledge)(nil)

// DocumentState is how far a document has got.
type DocumentState struct {
	ID        string
	UpdatedAt time.Time // when the service last changed its state
	// Status is the service's word: PENDING, STARTING, IN_PROGRESS, INDEXED,
	// PARTIALLY_INDEXED, FAILED, IGNORED, NOT_FOUND, DELETING and so on.
	Status string
	Reason string // why not, from the service
}

// Failed reports whether the document will not be found.
func (s DocumentState) Failed() bool {
	return s.Status == string(types.DocumentStatusFailed) || s.Status == string(types.DocumentStatusIgnored)
}

// indexing is how long Ingest watches a document that the service has taken. A thread
// takes seconds; one that takes longer is looked up with DocumentState.
const indexing = 20 * time.Second

// Ingest puts d into the custom data source, and watches it for a while: a document
// that the service takes and then cannot index is an error, one that is still being
// indexed is none.
func (k *Knowledge) Ingest(ctx context.Context, d Document) error {
	switch {
	case k.custom == "":
		return k.noCustom()
	case d.ID == "" || d.Text == "":
		return pipeline.Permanent(pipeline.ReasonUnreadable, errors.New("ingest: a document needs an id and a text"))
	case len(d.Text) > maxDocument:
		return pipeline.Permanent(pipeline.ReasonTooLong, fmt.Errorf("ingest: %d bytes exceed the limit of %d", len(d.Text), maxDocument))
	}
	out, err := k.client.IngestKnowledgeBaseDocuments(ctx, &bedrockagent.IngestKnowledgeBaseDocumentsInput{
		KnowledgeBaseId: aws.String(k.id),
		DataSourceId:    aws.String(k.custom),
		ClientToken:     aws.String(chat.Hash(k.id, k.custom, d.ID, d.Request, d.Title, d.URL, d.Text)),
		Documents:       []types.KnowledgeBaseDocument{inline(d)},
	}, k.options)
	if err != nil {
		return k.failure(ctx, "ingest into", err)
	}
	var s DocumentState
	for _, detail := range out.DocumentDetails {
		s = stateOf(detail)
	}
	return k.indexed(ctx, d.ID, s)
}

// indexed waits, within bounds, until the document in state s has been indexed.
func (k *Knowledge) indexed(ctx context.Context, documentID string, s DocumentState) error {
	for end := time.Now().Add(indexing); s.underWay() && time.Now().Before(end); {
		if err := sleep(ctx, 2*time.Second); err != nil {
			return err
		}
		next, err := k.DocumentState(ctx, documentID)
		if err != nil {
			return nil //nolint:nilerr // it was taken; only how it went on is not known
		}
		s = next
	}
	if s.Failed() {
		return pipeline.Permanent(pipeline.ReasonUnavailable, fmt.Errorf("ingest into %s: %s: %s", k.id, s.Status, brief(s.Reason)))
	}
	return nil
}

// gone reports whether the document is removed, or is being removed.
func (s DocumentState) gone() bool {
	switch types.DocumentStatus(s.Status) {
	case types.DocumentStatusDeleting, types.DocumentStatusDeleteInProgress, types.DocumentStatusNotFound:
		return true
	}
	return false
}

func (s DocumentState) underWay() bool {
	switch types.DocumentStatus(s.Status) {
	case types.DocumentStatusPending, types.DocumentStatusStarting, types.DocumentStatusInProgress:
		return true
	}
	return false
}

// Forget removes a document. One that is not there is no error.
func (k *Knowledge) Forget(ctx context.Context, documentID string) error {
	if k.custom == "" {
		return k.noCustom()
	}
	_, err := k.client.DeleteKnowledgeBaseDocuments(ctx, &bedrockagent.DeleteKnowledgeBaseDocumentsInput{
		KnowledgeBaseId: aws.String(k.id), DataSourceId: aws.String(k.custom),
		DocumentIdentifiers: []types.DocumentIdentifier{identifier(documentID)},
	}, k.options)
	if err != nil {
		return k.failure(ctx, "forget in", err)
	}
	return nil
}

// DocumentState tells how far a document has got; its Status is NOT_FOUND if there
// is none.
func (k *Knowledge) DocumentState(ctx context.Context, documentID string) (DocumentState, error) {
	if k.custom == "" {
		return DocumentState{}, k.noCustom()
	}
	out, err := k.client.GetKnowledgeBaseDocuments(ctx, &bedrockagent.GetKnowledgeBaseDocumentsInput{
		KnowledgeBaseId: aws.String(k.id), DataSourceId: aws.String(k.custom),
		DocumentIdentifiers: []types.DocumentIdentifier{identifier(documentID)},
	}, k.options)
	if err != nil {
		return DocumentState{}, k.failure(ctx, "look up a document in", err)
	}
	for _, detail := range out.DocumentDetails {
		return stateOf(detail), nil
	}
	return DocumentState{Status: string(types.DocumentStatusNotFound)}, nil
}

// S3 Vectors takes about a kilobyte of attributes with a document, and refuses the
// document for more.
const (
	maxTitle = 120 // characters
	maxURL   = 400 // bytes
)

// Remembered lists what the custom data source holds.
func (k *Knowledge) Remembered(ctx context.Context) ([]DocumentState, error) {
	if k.custom == "" {
		return nil, k.noCustom()
	}
	pages := bedrockagent.NewListKnowledgeBaseDocumentsPaginator(k.client, &bedrockagent.ListKnowledgeBaseDocumentsInput{
		KnowledgeBaseId: aws.String(k.id), DataSourceId: aws.String(k.custom),
	})
	var all []DocumentState
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx, k.options)
		if err != nil {
			return nil, k.failure(ctx, "list the documents of", err)
		}
		for _, detail := range page.DocumentDetails {
			all = append(all, stateOf(detail))
		}
	}
	return all, nil
}

// Expire removes what was put in before a time, and returns how much. An interrupted
// call has removed part of it.
func (k *Knowledge) Expire(ctx context.Context, before time.Time) (int, error) {
	all, err := k.Remembered(ctx)
	if err != nil {
		return 0, err
	}
	gone := 0
	for _, s := range all {
		if s.gone() || s.UpdatedAt.IsZero() || !s.UpdatedAt.Before(before) {
			continue
		}
		if err := k.Forget(ctx, s.ID); err != nil {
			return gone, err
		}
		gone++
	}
	return gone, nil
}

func inline(d Document) types.KnowledgeBaseDocument {
	document := types.KnowledgeBaseDocument{Content: &types.DocumentContent{
		DataSourceType: types.ContentDataSourceTypeCustom,
		Custom: &types.CustomContent{
			CustomDocumentIdentifier: &types.CustomDocumentIdentifier{Id: aws.String(d.ID)},
			SourceType:               types.CustomSourceTypeInLine,
			InlineContent: &types.InlineContent{
				Type:        types.InlineContentTypeText,
				TextContent: &types.TextContentDoc{Data: aws.String(d.Text)},
			},
		},
	}}
	url := d.URL
	if len(url) > maxURL {
		url = "" // cut short it would lead nowhere
	}
	var attributes []types.MetadataAttribute
	for _, a := range [][2]string{{"title", clip(d.Title, maxTitle)}, {"url", url}} {
		if a[1] == "" {
			continue
		}
		attributes = append(attributes, types.MetadataAttribute{Key: aws.String(a[0]), Value: &types.MetadataAttributeValue{
			Type: types.MetadataValueTypeString, StringValue: aws.String(a[1]),
		}})
	}
	if !d.Expires.IsZero() {
		attributes = append(attributes, types.MetadataAttribute{Key: aws.String("expires"), Value: &types.MetadataAttributeValue{
			Type: types.MetadataValueTypeNumber, NumberValue: aws.Float64(float64(d.Expires.Unix())),
		}})
	}
	if len(attributes) > 0 {
		document.Metadata = &types.DocumentMetadata{Type: types.MetadataSourceTypeInLineAttribute, InlineAttributes: attributes}
	}
	return document
}

func identifier(documentID string) types.DocumentIdentifier {
	return types.DocumentIdentifier{
		DataSourceType: types.ContentDataSourceTypeCustom,
		Custom:         &types.CustomDocumentIdentifier{Id: aws.String(documentID)},
	}
}

func stateOf(d types.KnowledgeBaseDocumentDetail) DocumentState {
	s := DocumentState{UpdatedAt: aws.ToTime(d.UpdatedAt), Status: string(d.Status), Reason: aws.ToString(d.StatusReason)}
	if d.Identifier != nil && d.Identifier.Custom != nil {
		s.ID = aws.ToString(d.Identifier.Custom.Id)
	}
	return s
}

func (k *Knowledge) options(o *bedrockagent.Options) { o.Retryer = k.retry }

func (k *Knowledge) noCustom() error {
	return pipeline.Permanent(pipeline.ReasonConfig,
		fmt.Errorf("knowledge base %s has no data source of type CUSTOM configured for documents", k.id))
}

func (k *Knowledge) failure(ctx context.Context, operation string, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if isCode(err, "ConflictException") { // a sync or another change is under way
		return pipeline.Throttled(pipeline.ReasonThrottled, time.Minute, &serviceError{operation, k.id, apiError(err)})
	}
	return classify(pipeline.ReasonUnavailable, operation, k.id, err)
}

// Status is a knowledge base as an operator sees it.
type Status struct {
	Name   string
	Type   string // VECTOR, KENDRA, SQL or MANAGED
	Status string // ACTIVE when it can be searched
	// Sources are in the order the service lists them.
	Sources []SourceStatus
}

// SourceStatus is one data source and its newest sync.
type SourceStatus struct {
	ID, Name, Status string
	Last             Job // zero if it was never synced
}

// Status reads the knowledge base, its sources and their newest syncs. For a
// knowledge base that this version cannot search it returns both the status and an
// error of class ReasonConfig.
func (k *Knowledge) Status(ctx context.Context) (Status, error) {
	out, err := k.client.GetKnowledgeBase(ctx, &bedrockagent.GetKnowledgeBaseInput{KnowledgeBaseId: aws.String(k.id)}, k.options)
	if err != nil {
		return Status{}, k.failure(ctx, "describe", err)
	}
	base := cmp.Or(out.KnowledgeBase, &types.KnowledgeBase{})
	s := Status{Name: aws.ToString(base.Name), Status: string(base.Status)}
	if base.KnowledgeBaseConfiguration != nil {
		s.Type = string(base.KnowledgeBaseConfiguration.Type)
	}
	sources, err := k.sources(ctx)
	if err != nil {
		return s, err
	}
	for _, source := range sources {
		last, err := k.newestJob(ctx, source.ID)
		if err != nil {
			return s, err
		}
		source.Last = last
		s.Sources = append(s.Sources, source)
	}
	if s.Type == "MANAGED" {
		return s, pipeline.Permanent(pipeline.ReasonConfig, managedError(k.id))
	}
	return s, nil
}
