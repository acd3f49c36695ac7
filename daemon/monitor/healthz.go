package monitor

import (
	"fmt"
	"net/http"
)

// HealthzOptions are the parameters of a health check. Those that ask about
// JetStream are checked for sense; without JetStream nothing else is behind them.
type HealthzOptions struct {
	JSEnabled     bool   `json:"js-enabled,omitempty"`
	JSEnabledOnly bool   `json:"js-enabled-only,omitempty"`
	JSServerOnly  bool   `json:"js-server-only,omitempty"`
	JSMetaOnly    bool   `json:"js-meta-only,omitempty"`
	Account       string `json:"account,omitempty"`
	Stream        string `json:"stream,omitempty"`
	Consumer      string `json:"consumer,omitempty"`
	Details       bool   `json:"details,omitempty"` // report errors as a list with types
}

// HealthStatus is what /healthz shows. Over HTTP the code is the response's.
type HealthStatus struct {
	Status     string         `json:"status"`
	StatusCode int            `json:"status_code,omitempty"`
	Error      string         `json:"error,omitempty"`
	Errors     []HealthzError `json:"errors,omitempty"`
	// Remark is what is wrong although clients are served: an extension. The status is ok
	// all the same, since whoever probes would end a broker that serves.
	Remark string `json:"remark,omitempty"`
}

// HealthzError is one finding with ?details=true.
type HealthzError struct {
	Type  string `json:"type"` // "CONNECTION", "BAD_REQUEST"
	Error string `json:"error,omitempty"`
}

// Healthz answers /healthz.
func (r *Reporter) Healthz(o HealthzOptions) *HealthStatus {
	fail := func(code int, kind, text string) *HealthStatus {
		if o.Details {
			return &HealthStatus{Status: "error", StatusCode: code, Errors: []HealthzError{{Type: kind, Error: text}}}
		}
		return &HealthStatus{Status: "error", StatusCode: code, Error: text}
	}
	const missing = "%q must not be empty when checking %s health"
	switch {
	case o.Account == "" && o.Stream != "":
		return fail(http.StatusBadRequest, "BAD_REQUEST", fmt.Sprintf(missing, "account", "stream"))
	case o.Stream == "" && o.Consumer != "":
		return fail(http.StatusBadRequest, "BAD_REQUEST", fmt.Sprintf(missing, "stream", "consumer"))
	}
	if r.src.Health != nil {
		if err := r.src.Health.Ready(); err != nil {
			return fail(http.StatusInternalServerError, "CONNECTION", err.Error())
		}
	}
	h := &HealthStatus{Status: "ok", StatusCode: http.StatusOK}
	if n, ok := r.src.Health.(HealthRemarker); ok {
		h.Remark = n.Remark()
	}
	return h
}
