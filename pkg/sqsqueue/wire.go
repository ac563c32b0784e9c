package sqsqueue

import (
	"strconv"
	"time"

	"parley/pkg/pipeline"
)

// SetSystemAttributes fills d from SQS's system attributes, which receives and
// Lambda events name alike.
func SetSystemAttributes(d *pipeline.Delivery, attributes map[string]string) {
	d.Group = attributes["MessageGroupId"]
	d.DedupID = attributes["MessageDeduplicationId"]
	d.Receives = atoi(attributes["ApproximateReceiveCount"])
	d.SentAt = millis(attributes["SentTimestamp"])
	d.FirstSeen = millis(attributes["ApproximateFirstReceiveTimestamp"])
}

func millis(s string) time.Time {
	if ms, err := strconv.ParseInt(s, 10, 64); err == nil {
		return time.UnixMilli(ms).UTC()
	}
	return time.Time{}
}

// atoi reads a count of SQS; one that is missing or senseless counts as zero.
func atoi(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	return n
}
