package dynamostore

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

// caseItem is a case as stored. Times are RFC 3339 in UTC; fields are only ever
// added.
type caseItem struct {
	key
	TTL          int64              `json:"ttl"`
	Rev          int64              `json:"rev"`
	Nonce        string             `json:"nonce,omitempty"`
	State        pipeline.CaseState `json:"state,omitempty"`
	Fence        int64              `json:"fence,omitempty"`
	Owner        string             `json:"owner,omitempty"`
	LeaseUntil   string             `json:"lease_until,omitempty"`
	Tries        int                `json:"tries,omitempty"`
	Unsettled    int                `json:"unsettled,omitempty"`
	FirstClaim   string             `json:"first_claim,omitempty"`
	LastClaim    string             `json:"last_claim,omitempty"`
	Reason       pipeline.Reason    `json:"reason,omitempty"`
	Detail       string             `json:"detail,omitempty"`
	Buried       bool               `json:"buried,omitempty"`
	Told         bool               `json:"told,omitempty"`
	Message      string             `json:"message,omitempty"`
	EditedAt     string             `json:"edited_at,omitempty"`
	Conversation string             `json:"turn_conversation,omitempty"`
	SentAt       string             `json:"turn_sent_at,omitempty"`
	TurnMessage  string             `json:"turn_message,omitempty"`
	FinalSeq     int                `json:"final_seq,omitempty"`
	FinalKind    chat.ReplyKind     `json:"final_kind,omitempty"`
	HoldDay      string             `json:"hold_day,omitempty"`
	HoldAmount   int64              `json:"hold_amount,omitempty"`
	HoldScopes   []string           `json:"hold_scopes,omitempty"`
	UpdatedAt    string             `json:"updated_at,omitempty"`
}

func newCaseItem(c pipeline.Case) caseItem {
	return caseItem{
		key: caseKey(c.MessageID), TTL: expiry(caseLife), Rev: c.Rev, Nonce: c.Nonce, State: c.State,
		Fence: c.Fence, Owner: c.Owner, LeaseUntil: stamp(c.LeaseUntil), Tries: c.Tries, Unsettled: c.Unsettled,
		FirstClaim: stamp(c.FirstClaim), LastClaim: stamp(c.LastClaim), Reason: c.Reason, Detail: c.Detail,
		Buried: c.Buried, Told: c.Told, Message: string(c.Message), EditedAt: stamp(c.EditedAt),
		Conversation: c.Turn.Conversation, SentAt: stamp(c.Turn.SentAt), TurnMessage: c.Turn.MessageID,
		FinalSeq: c.FinalSeq, FinalKind: c.FinalKind, UpdatedAt: stamp(c.UpdatedAt),
		HoldDay: c.Hold.Day, HoldAmount: c.Hold.Amount, HoldScopes: c.Hold.Scopes,
	}
}

func (i caseItem) record(messageID string) (pipeline.Case, error) {
	c := pipeline.Case{
		MessageID: messageID, Rev: i.Rev, Nonce: i.Nonce, State: i.State, Fence: i.Fence, Owner: i.Owner,
		Tries: i.Tries, Unsettled: i.Unsettled, Reason: i.Reason, Detail: i.Detail, Buried: i.Buried, Told: i.Told,
		Turn:     pipeline.TurnKey{Conversation: i.Conversation, MessageID: i.TurnMessage},
		FinalSeq: i.FinalSeq, FinalKind: i.FinalKind, Hold: pipeline.Hold{Day: i.HoldDay, Amount: i.HoldAmount, Scopes: i.HoldScopes},
	}
	if i.Message != "" {
		c.Message = []byte(i.Message)
	}
	for at, s := range map[*time.Time]string{
		&c.LeaseUntil: i.LeaseUntil, &c.FirstClaim: i.FirstClaim, &c.LastClaim: i.LastClaim,
		&c.EditedAt: i.EditedAt, &c.Turn.SentAt: i.SentAt, &c.UpdatedAt: i.UpdatedAt,
	} {
		t, err := unstamp(s)
		if err != nil {
			return c, err
		}
		*at = t
	}
	return c, nil
}

// LoadCase implements pipeline.Cases.
func (s *Store) LoadCase(ctx context.Context, messageID string) (pipeline.Case, error) {
	var i caseItem
	ok, err := s.get(ctx, "load case", caseKey(messageID), &i)
	if err != nil || !ok {
		return pipeline.Case{MessageID: messageID}, err
	}
	return i.record(messageID)
}

// SwapCase implements pipeline.Cases: a conditional put, or a transaction where
// there are effects.
func (s *Store) SwapCase(ctx context.Context, next pipeline.Case, with pipeline.Effects) error {
	item, err := encode(newCaseItem(next))
	if err != nil {
		return err
	}
	writes := []write{{put: item, condition: revision(next.Rev), refused: pipeline.ErrConflict}}
	if with.Put != nil {
		turn, err := encode(s.newTurnItem(*with.Put))
		if err != nil {
			return err
		}
		writes = append(writes, write{put: turn})
		switch named, ok, err := s.voted(*with.Put); {
		case err != nil:
			return err
		case ok:
			writes = append(writes, named)
		}
		if person := with.Put.Person(); person != "" {
			asked, err := encode(s.newAskedItem(person, *with.Put))
			if err != nil {
				return err
			}
			writes = append(writes, write{put: asked})
		}
	}
	if with.Drop != nil && (with.Put == nil || turnKey(*with.Drop) != turnKey(with.Put.TurnKey)) {
		writes = append(writes, write{drop: turnKey(*with.Drop).attributes()})
	}
	if k := with.UnlessStopped; k != nil {
		stop := expression.Name("stop_before")
		notLater := stop.AttributeNotExists().Or(stop.LessThanEqual(expression.Value(nanos(k.SentAt))))
		writes = append(writes, write{check: metaKey(k.Conversation).attributes(), condition: notLater, refused: pipeline.ErrStopped})
	}
	return s.commit(ctx, "swap case", next.Nonce, writes)
}

// revision is the condition of the swap to rev.
func revision(rev int64) expression.ConditionBuilder {
	if rev <= 1 {
		return expression.Name("pk").AttributeNotExists()
	}
	return expression.Name("rev").Equal(expression.Value(rev - 1))
}

// nonceOf reads the nonce of an item that met a condition's failure.
func nonceOf(item map[string]types.AttributeValue) string {
	if s, ok := item["nonce"].(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}
