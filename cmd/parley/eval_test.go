package main

import (
	"bytes"
	"encoding/json"
	"testing"
)

// TestOwnDocuments holds the local index to finding what Parley's own documents say.
func TestOwnDocuments(t *testing.T) {
	var out bytes.Buffer
	f := evalFlags{docs: []string{"../../docs"}, models: []string{"demo"}, ks: []int{1, 5}, json: true}
	if err := eval(t.Context(), &out, f, "../../docs/eval/parley.yaml"); err != nil {
		t.Fatal(err)
	}
	var scores []evalScore
	if err := json.Unmarshal(out.Bytes(), &scores); err != nil || len(scores) != 2 {
		t.Fatalf("%d scores, %v", len(scores), err)
	}
	first, five := scores[0], scores[1]
	if five.Recall < 0.9 || five.MRR < 0.6 || first.Recall > five.Recall || five.Questions < 10 {
		t.Errorf("recall@5 %.2f, MRR %.2f, recall@1 %.2f; missed %q", five.Recall, five.MRR, first.Recall, five.Missed)
	}
	if five.Usage.Total() == 0 || five.Latency <= 0 {
		t.Errorf("nothing was measured: %+v", five)
	}
}
