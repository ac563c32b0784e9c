package dingtest

import (
	"encoding/json"
	"net/http"
	"time"
)

// CodeQPS is the code of the 403 that means "wait a second", not "forbidden".
const CodeQPS = "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi"

// Fault is what goes wrong with a call.
type Fault struct {
	Status int           // answer with this status instead
	Body   string        // and this body
	Cut    bool          // break the connection instead of answering
	Apply  bool          // let the call take effect first
	Delay  time.Duration // answer so much later; the call takes effect at once
}

func (f Fault) answers() bool { return f.Status != 0 || f.Cut }

func (f Fault) reply() reply {
	var v map[string]any
	if json.Unmarshal([]byte(f.Body), &v) == nil {
		return reply{f.Status, v}
	}
	return reply{f.Status, []byte(f.Body)}
}

// Faults that DingTalk is known for.
var (
	FaultQPS         = Fault{Status: http.StatusForbidden, Body: `{"code":"` + CodeQPS + `","message":"qps"}`}
	FaultQuota       = Fault{Status: http.StatusForbidden, Body: `{"code":"Forbidden.AccessDenied.ApiCountLimitForOrg","message":"quota"}`}
	FaultScope       = Fault{Status: http.StatusForbidden, Body: `{"code":"Forbidden.AccessDenied.AccessTokenPermissionDenied","message":"no","accessdenieddetail":{"requiredScopes":["Card.Streaming.Write"]}}`}
	FaultUnknown     = Fault{Status: http.StatusInternalServerError, Body: `{"code":"unknownError","message":"unknown error"}`}
	FaultBusy        = Fault{Status: http.StatusServiceUnavailable, Body: `{"code":"ServiceUnavailable","message":"busy"}`}
	FaultTimeout     = Fault{Status: http.StatusGatewayTimeout, Body: "gateway timeout"}                // not done
	FaultTimeoutDone = Fault{Status: http.StatusGatewayTimeout, Body: "gateway timeout", Apply: true}   // done all the same
	FaultToken       = Fault{Status: http.StatusUnauthorized, Body: `{"code":"InvalidAuthentication"}`} // revoked early
	FaultExpired     = Fault{Status: http.StatusOK, Body: `{"errcode":300001,"errmsg":"session does not exist"}`}
	FaultTooFast     = Fault{Status: http.StatusOK, Body: `{"errcode":130101,"errmsg":"send too fast"}`}
	FaultPunished    = Fault{Status: http.StatusOK, Body: `{"status":1111,"wait":5,"source":"x5","punish":"deny"}`}
	FaultCut         = Fault{Cut: true}
	FaultCutDone     = Fault{Cut: true, Apply: true}
)

type planned struct {
	endpoint string
	nth      int // calls still to come, 1 for the next; 0 for every one
	fault    Fault
}

// Fail makes the nth call of endpoint from now on go wrong, 1 for the next one;
// 0 is every call until Heal.
func (s *Server) Fail(endpoint string, nth int, f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &planned{endpoint, nth, f})
}

// Heal forgets all faults of endpoint.
func (s *Server) Heal(endpoint string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := s.faults[:0]
	for _, p := range s.faults {
		if p.endpoint != endpoint {
			kept = append(kept, p)
		}
	}
	s.faults = kept
}

// fault returns what goes wrong with this call of endpoint.
func (s *Server) fault(endpoint string) Fault {
	var hit Fault
	kept := s.faults[:0]
	for _, p := range s.faults {
		if p.endpoint != endpoint {
			kept = append(kept, p)
			continue
		}
		if p.nth == 0 {
			hit = p.fault
			kept = append(kept, p)
			continue
		}
		if p.nth--; p.nth == 0 {
			hit = p.fault
		} else {
			kept = append(kept, p)
		}
	}
	s.faults = kept
	return hit
}
