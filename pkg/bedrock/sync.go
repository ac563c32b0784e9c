package bedrock

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrockagent"
	"github.com/aws/aws-sdk-go-v2/service/bedrockagent/types"

	"parley/pkg/pipeline"
)

// pollEvery is how often a running sync is looked at. The service allows few calls
// a second per account, and a sync takes minutes.
const pollEvery = 10 * time.Second

// Job is one sync of a data source.
type Job struct {
	ID, Source string
	// Status is the service's word: STARTING, IN_PROGRESS, COMPLETE, FAILED,
	// STOPPING or STOPPED; or StatusQueued, for one that could not begin yet.
	Status string
	// Joined is true when the job was running before it was asked for: what
	// changed since it began may have escaped it.
	Joined    bool
	StartedAt time.Time
	UpdatedAt time.Time // its end, once it is over
	// Scanned, Indexed (new and modified), Deleted and Failed count documents.
	Scanned, Indexed, Deleted, Failed int64
	Reasons                           []string // of a failed job
}

// StatusQueued is the status of a sync that waits for that of another source.
const StatusQueued = "QUEUED"

// Running reports whether the job is under way.
func (j Job) Running() bool {
	switch types.IngestionJobStatus(j.Status) {
	case types.IngestionJobStatusStarting, types.IngestionJobStatusInProgress, types.IngestionJobStatusStopping:
		return true
	}
	return false
}

// Sync starts reading a data source anew and returns without waiting for it. If it
// is being read already, that job is returned, as Joined. If another source of the
// knowledge base is being read the error is throttled, with a minute's hint: one job
// runs at a time.
func (k *Knowledge) Sync(ctx context.Context, dataSourceID string) (Job, error) {
	out, err := k.client.StartIngestionJob(ctx, &bedrockagent.StartIngestionJobInput{
		KnowledgeBaseId: aws.String(k.id), DataSourceId: aws.String(dataSourceID),
	}, k.options)
	switch {
	case err == nil && out.IngestionJob != nil:
		return jobOf(*out.IngestionJob), nil
	case err == nil:
		return Job{}, pipeline.Transient(pipeline.ReasonUnavailable, errors.New("sync: the service named no job"))
	case !isCode(err, "ConflictException"):
		return Job{}, k.failure(ctx, "sync "+dataSourceID+" of", err)
	}
	job, findErr := k.newestJob(ctx, dataSourceID)
	if findErr != nil {
		return Job{}, findErr
	}
	if job.Running() {
		job.Joined = true
		return job, nil
	}
	return Job{}, pipeline.Throttled(pipeline.ReasonThrottled, time.Minute,
		fmt.Errorf("sync %s of %s: another sync is running", dataSourceID, k.id))
}

// SyncAndWait is Sync that lasts until a job which began after the call is over: a
// sync that was running before, of this source or another, is waited for first. It
// takes as long as ctx allows. A job that failed is an error, and returned too. watch is
// told how it goes, from this goroutine.
func (k *Knowledge) SyncAndWait(ctx context.Context, dataSourceID string, watch func(Job)) (Job, error) {
	for {
		job, err := k.Sync(ctx, dataSourceID)
		if e := pipeline.Classify(err); err != nil && e.Throttled {
			watch(Job{Source: dataSourceID, Status: StatusQueued})
			err = sleep(ctx, pollEvery)
			if err == nil {
				continue
			}
		}
		if err != nil {
			return Job{}, err
		}
		finished, err := k.wait(ctx, job, watch)
		if !job.Joined || finished.Running() { // over, or it could not be watched
			return finished, err
		}
	}
}

// SyncAll runs SyncAndWait for each source but the one for single documents, one
// after the other because the service runs one at a time. A source that fails does
// not keep the others from being read; the errors are joined. watch is told how it goes,
// from this goroutine. It returns the sources it came to, Last being the sync's job.
func (k *Knowledge) SyncAll(ctx context.Context, watch func(SourceStatus)) ([]SourceStatus, error) {
	sources, err := k.sources(ctx)
	if err != nil {
		return nil, err
	}
	var read []SourceStatus
	var failures []error
	for _, s := range sources {
		if s.ID == k.custom {
			continue
		}
		job, err := k.SyncAndWait(ctx, s.ID, func(j Job) {
			s.Last = j
			watch(s)
		})
		if ctx.Err() != nil {
			return read, context.Cause(ctx)
		}
		if err != nil {
			failures = append(failures, err)
		}
		s.Last = job
		read = append(read, s)
	}
	return read, errors.Join(failures...)
}

// wait returns the job once it is over.
func (k *Knowledge) wait(ctx context.Context, job Job, watch func(Job)) (Job, error) {
	for watch(job); job.Running(); watch(job) {
		if err := sleep(ctx, pollEvery); err != nil {
			return job, err
		}
		next, err := k.look(ctx, job)
		if err != nil {
			return job, err
		}
		next.Joined = job.Joined
		job = next
	}
	if why := job.Failure(); why != "" {
		return job, pipeline.Transient(pipeline.ReasonUnavailable, fmt.Errorf("sync %s of %s %s", job.ID, k.id, why))
	}
	return job, nil
}

// look reads a job as it is now. Lists of jobs do not say why one failed.
func (k *Knowledge) look(ctx context.Context, job Job) (Job, error) {
	out, err := k.client.GetIngestionJob(ctx, &bedrockagent.GetIngestionJobInput{
		KnowledgeBaseId: aws.String(k.id), DataSourceId: aws.String(job.Source), IngestionJobId: aws.String(job.ID),
	}, k.options)
	switch {
	case err != nil:
		return job, k.failure(ctx, "look at sync "+job.ID+" of", err)
	case out.IngestionJob == nil:
		return job, nil
	}
	return jobOf(*out.IngestionJob), nil
}

// Failure is why a job that is over did not complete, "" otherwise.
func (j Job) Failure() string {
	if j.ID == "" || j.Running() || j.Status == string(types.IngestionJobStatusComplete) {
		return ""
	}
	if len(j.Reasons) == 0 {
		return "ended as " + j.Status
	}
	return "ended as " + j.Status + ": " + brief(j.Reasons[0])
}

// sources lists all data sources.
func (k *Knowledge) sources(ctx context.Context) ([]SourceStatus, error) {
	pages := bedrockagent.NewListDataSourcesPaginator(k.client, &bedrockagent.ListDataSourcesInput{KnowledgeBaseId: aws.String(k.id)})
	var all []SourceStatus
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx, k.options)
		if err != nil {
			return nil, k.failure(ctx, "list the sources of", err)
		}
		for _, s := range page.DataSourceSummaries {
			all = append(all, SourceStatus{ID: aws.ToString(s.DataSourceId), Name: aws.ToString(s.Name), Status: string(s.Status)})
		}
	}
	return all, nil
}

// newestJob is the job of a source that started last, zero if there was none.
func (k *Knowledge) newestJob(ctx context.Context, dataSourceID string) (Job, error) {
	out, err := k.client.ListIngestionJobs(ctx, &bedrockagent.ListIngestionJobsInput{
		KnowledgeBaseId: aws.String(k.id), DataSourceId: aws.String(dataSourceID), MaxResults: aws.Int32(1),
		SortBy: &types.IngestionJobSortBy{Attribute: types.IngestionJobSortByAttributeStartedAt, Order: types.SortOrderDescending},
	}, k.options)
	if err != nil {
		return Job{}, k.failure(ctx, "list the syncs of", err)
	}
	for _, s := range out.IngestionJobSummaries {
		return jobOf(types.IngestionJob{
			IngestionJobId: s.IngestionJobId, DataSourceId: s.DataSourceId, Status: s.Status,
			StartedAt: s.StartedAt, UpdatedAt: s.UpdatedAt, Statistics: s.Statistics,
		}), nil
	}
	return Job{}, nil
}

func jobOf(j types.IngestionJob) Job {
	job := Job{
		ID: aws.ToString(j.IngestionJobId), Source: aws.ToString(j.DataSourceId), Status: string(j.Status),
		StartedAt: aws.ToTime(j.StartedAt), UpdatedAt: aws.ToTime(j.UpdatedAt), Reasons: j.FailureReasons,
	}
	if s := j.Statistics; s != nil {
		job.Scanned = s.NumberOfDocumentsScanned
		job.Indexed = s.NumberOfNewDocumentsIndexed + s.NumberOfModifiedDocumentsIndexed
		job.Deleted = s.NumberOfDocumentsDeleted
		job.Failed = s.NumberOfDocumentsFailed
	}
	return job
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
