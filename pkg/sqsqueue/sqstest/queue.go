package sqstest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Config is a queue as a template describes it.
type Config struct {
	Name       string        // ends in ".fifo"
	Visibility time.Duration // of receives that do not say; 30 s when zero
	// MaxReceives moves a message to DeadLetters (the name of an existing queue)
	// when it would be received once more. Zero never moves.
	MaxReceives int
	DeadLetters string
	// DedupByGroup is DeduplicationScope "messageGroup": an id is remembered for
	// its group only.
	DedupByGroup bool
}

const (
	dedupWindow = 5 * time.Minute
	maxSize     = 1 << 20
	maxHidden   = 12 * time.Hour
	maxWait     = 20 * time.Second
	maxBatch    = 10
	defaultHide = 30 * time.Second
)

type queue struct {
	Config
	url, arn string
	messages []*message // in the order they were sent
	dedup    map[dedupKey]dedupEntry
	receipts map[string]string // every receipt ever given: receipt to message id
	seq      int64
}

type dedupKey struct{ group, id string }

type dedupEntry struct {
	at      time.Time
	id, seq string
}

type message struct {
	id, group, dedup, body string
	seq                    string
	attributes             map[string]attribute
	sentAt, firstSeen      time.Time
	visibleAt              time.Time // of the last receive
	receives               int
	receipt                string // of the last receive
	source                 *queue // the queue that gave up on it
}

func (m *message) hidden(now time.Time) bool { return m.visibleAt.After(now) }

// CreateQueue makes a queue and returns its URL.
func (s *Server) CreateQueue(c Config) (url string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !strings.HasSuffix(c.Name, ".fifo") {
		return "", refuse("InvalidParameterValue", "the fake has FIFO queues only; the name of one ends in .fifo")
	}
	if c.DeadLetters != "" && s.queues[c.DeadLetters] == nil {
		return "", refuse("InvalidParameterValue", "the dead-letter queue does not exist")
	}
	if c.Visibility == 0 {
		c.Visibility = defaultHide
	}
	if _, ok := s.queues[c.Name]; ok {
		return "", refuse("QueueNameExists", "a queue of this name exists")
	}
	q := &queue{
		Config: c, dedup: map[dedupKey]dedupEntry{}, receipts: map[string]string{},
		url: "http://sqs.test/" + account + "/" + c.Name,
		arn: fmt.Sprintf("arn:aws:sqs:%s:%s:%s", region, account, c.Name),
	}
	s.queues[c.Name] = q
	return q.url, nil
}

type createInput struct {
	QueueName  string
	Attributes map[string]string
}

func (s *Server) createQueue(in createInput) (any, error) {
	c := Config{Name: in.QueueName, DedupByGroup: in.Attributes["DeduplicationScope"] == "messageGroup"}
	if v := in.Attributes["VisibilityTimeout"]; v != "" {
		n, err := strconv.Atoi(v)
		if err != nil {
			return nil, refuse("InvalidAttributeValue", "VisibilityTimeout")
		}
		c.Visibility = time.Duration(n) * time.Second
	}
	if v := in.Attributes["RedrivePolicy"]; v != "" {
		var policy struct {
			DeadLetterTargetArn string      `json:"deadLetterTargetArn"`
			MaxReceiveCount     json.Number `json:"maxReceiveCount"`
		}
		if err := json.Unmarshal([]byte(v), &policy); err != nil {
			return nil, refuse("InvalidAttributeValue", "RedrivePolicy")
		}
		n, err := policy.MaxReceiveCount.Int64()
		if err != nil {
			return nil, refuse("InvalidAttributeValue", "maxReceiveCount")
		}
		c.MaxReceives = int(n)
		c.DeadLetters = policy.DeadLetterTargetArn[strings.LastIndex(policy.DeadLetterTargetArn, ":")+1:]
	}
	url, err := s.CreateQueue(c)
	return map[string]string{"QueueUrl": url}, err
}

func (s *Server) getQueueURL(in struct{ QueueName string }) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.queue("/" + in.QueueName)
	if err != nil {
		return nil, err
	}
	return map[string]string{"QueueUrl": q.url}, nil
}

func (s *Server) getQueueAttributes(in struct {
	QueueURL string `json:"QueueUrl"`
}) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.queue(in.QueueURL)
	if err != nil {
		return nil, err
	}
	now, hidden := time.Now(), 0
	for _, m := range q.messages {
		if m.hidden(now) {
			hidden++
		}
	}
	attributes := map[string]string{
		"QueueArn": q.arn, "FifoQueue": "true",
		"VisibilityTimeout":                     strconv.Itoa(int(q.Visibility.Seconds())),
		"ApproximateNumberOfMessages":           strconv.Itoa(len(q.messages) - hidden),
		"ApproximateNumberOfMessagesNotVisible": strconv.Itoa(hidden),
	}
	if q.DeadLetters != "" {
		attributes["RedrivePolicy"] = fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":%d}`, s.queues[q.DeadLetters].arn, q.MaxReceives)
	}
	return map[string]any{"Attributes": attributes}, nil
}

func (s *Server) purgeQueue(in struct {
	QueueURL string `json:"QueueUrl"`
}) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.queue(in.QueueURL)
	if err != nil {
		return nil, err
	}
	q.messages = nil
	return struct{}{}, nil
}

// queue finds a queue by URL or ARN; only the name counts, as hosts differ.
func (s *Server) queue(url string) (*queue, error) {
	name := url[strings.LastIndexAny(url, "/:")+1:]
	if q := s.queues[name]; q != nil {
		return q, nil
	}
	return nil, refuse("QueueDoesNotExist", "The specified queue does not exist.")
}

func (s *Server) newID(prefix string) string {
	s.ids++
	return fmt.Sprintf("%s-%08d", prefix, s.ids)
}

// wake tells waiting receives that something may have become visible.
func (s *Server) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// next is when the next hidden message becomes visible, zero if none is hidden.
func (q *queue) next(now time.Time) time.Time {
	var next time.Time
	for _, m := range q.messages {
		if m.hidden(now) && (next.IsZero() || m.visibleAt.Before(next)) {
			next = m.visibleAt
		}
	}
	return next
}

func (q *queue) remove(m *message) {
	q.messages = slices.DeleteFunc(q.messages, func(o *message) bool { return o == m })
}

func credentials(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "fake", SecretAccessKey: "fake"}, nil
}
