package monitor

import (
	"fmt"
	"net/http"
)

// HealthzOptions are the parameters of a health check.
type HealthzOptions struct {
	JSEnabled     bool   `json:"js-enabled,omitempty"` // the old name of the next one
	JSEnabledOnly bool   `json:"js-enabled-only,omitempty"`
	JSServerOnly  bool   `json:"js-server-only,omitempty"`         // nothing of JetStream
	JSMetaOnly    bool   `json:"js-meta-only,omitempty"`           // on a server on its own the same as nothing
	LeafRemotes   bool   `json:"leaf-remotes-connected,omitempty"` // and those of leaf nodes that are configured are connected
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
	Type     string `json:"type"` // one of the below
	Account  string `json:"account,omitempty"`
	Stream   string `json:"stream,omitempty"`
	Consumer string `json:"consumer,omitempty"`
	Error    string `json:"error,omitempty"`
}

// What a finding is about.
const (
	aboutConnection = "CONNECTION"
	aboutRequest    = "BAD_REQUEST"
	aboutJetStream  = "JETSTREAM"
	aboutAccount    = "ACCOUNT"
	aboutStream     = "STREAM"
	aboutConsumer   = "CONSUMER"
)

// findings are what a health check comes to, the worst code of all.
type findings struct {
	code   int
	status string // without details
	list   []HealthzError
}

// add notes a finding.
func (f *findings) add(code int, status string, e HealthzError) {
	f.code, f.status = max(f.code, code), status
	f.list = append(f.list, e)
}

// health makes them the answer.
func (f *findings) health(details bool) *HealthStatus {
	h := &HealthStatus{Status: "ok", StatusCode: http.StatusOK}
	if len(f.list) == 0 {
		return h
	}
	h.StatusCode, h.Status = f.code, f.status
	if details {
		h.Status, h.Errors = "error", f.list
	} else {
		h.Error = f.list[0].Error
	}
	return h
}

// Healthz answers /healthz.
func (r *Reporter) Healthz(o HealthzOptions) *HealthStatus {
	var f findings
	r.examine(&o, &f)
	h := f.health(o.Details)
	if n, ok := r.src.Health.(HealthRemarker); ok && h.StatusCode == http.StatusOK {
		h.Remark = n.Remark()
	}
	return h
}

// examine looks at what the options ask for, up to what makes the rest senseless.
func (r *Reporter) examine(o *HealthzOptions, f *findings) {
	const failed, missing = "error", "%q must not be empty when checking %s health"
	switch {
	case o.Account == "" && o.Stream != "":
		f.add(http.StatusBadRequest, failed, HealthzError{Type: aboutRequest, Error: fmt.Sprintf(missing, "account", "stream")})
		return
	case o.Stream == "" && o.Consumer != "":
		f.add(http.StatusBadRequest, failed, HealthzError{Type: aboutRequest, Error: fmt.Sprintf(missing, "stream", "consumer")})
		return
	}
	if r.src.Health != nil {
		if err := r.src.Health.Ready(); err != nil {
			f.add(http.StatusInternalServerError, failed, HealthzError{Type: aboutConnection, Error: err.Error()})
			return
		}
	}
	if o.LeafRemotes && !r.examineRemotes(f) {
		return
	}
	if !o.JSServerOnly && r.src.JetStream != nil && r.src.JetStream.Wanted() {
		r.examineJetStream(o, f)
	}
}
