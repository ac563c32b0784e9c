package rehearsal

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// vault is Secrets Manager and SSM's parameters, as much of them as is read. A
// secret that was replaced is its AWSPREVIOUS version for a while.
type vault struct {
	mu         sync.Mutex
	secrets    map[string][]secretVersion // by ARN, newest first
	parameters map[string][]string        // their versions, oldest first
}

type secretVersion struct {
	value string
	at    time.Time
}

func newVault() *vault {
	return &vault{secrets: map[string][]secretVersion{}, parameters: map[string][]string{}}
}

func (v *vault) put(arn, value string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.secrets[arn] = append([]secretVersion{{value, time.Now()}}, v.secrets[arn]...)
}

// set gives a parameter a new version.
func (v *vault) set(name, value string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.parameters[name] = append(v.parameters[name], value)
}

// ServeHTTP implements http.Handler.
func (v *vault) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct{ SecretId, VersionStage, Name string }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		refuse(w, "ValidationException")
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	switch _, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), "."); operation {
	case "GetSecretValue":
		versions, i := v.secrets[in.SecretId], 0
		if in.VersionStage == "AWSPREVIOUS" {
			i = 1
		}
		if i >= len(versions) {
			refuse(w, "ResourceNotFoundException")
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{
			"ARN": in.SecretId, "SecretString": versions[i].value, "CreatedDate": float64(versions[i].at.UnixMilli()) / 1000,
			"VersionId": "00000000-0000-4000-8000-000000000001", "VersionStages": []string{"AWSCURRENT"},
		})
	case "GetParameter":
		name, version, selected := strings.Cut(in.Name, ":")
		versions := v.parameters[name]
		n := len(versions)
		if selected {
			n, _ = strconv.Atoi(version)
		}
		if n < 1 || n > len(versions) {
			refuse(w, "ParameterNotFound")
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"Parameter": map[string]any{"Name": name, "Type": "String", "Value": versions[n-1], "Version": n}})
	default:
		refuse(w, "UnknownOperationException")
	}
}

func refuse(w http.ResponseWriter, kind string) {
	w.WriteHeader(http.StatusBadRequest)
	_ = json.NewEncoder(w).Encode(map[string]string{"__type": kind, "message": kind})
}
