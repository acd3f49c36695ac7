package system

import (
	"slices"
	"strings"
)

// Filter is what a request says about the servers it is meant for. Fields that are
// empty say nothing. A server that is not meant does not answer.
type Filter struct {
	Name    string   `json:"server_name,omitempty"`
	Cluster string   `json:"cluster,omitempty"`
	Host    string   `json:"host,omitempty"`
	Exact   bool     `json:"exact_match,omitempty"` // otherwise it is enough that those above occur in the name
	Tags    []string `json:"tags,omitempty"`        // all of them
	Domain  string   `json:"domain,omitempty"`      // JetStream's, always exact
}

// admits reports whether a server is meant.
func (f *Filter) admits(si *ServerInfo) bool {
	fits := strings.Contains
	if f.Exact {
		fits = func(have, want string) bool { return want == "" || have == want }
	}
	if !fits(si.Name, f.Name) || !fits(si.Host, f.Host) || !fits(si.Cluster, f.Cluster) {
		return false
	}
	for _, t := range f.Tags {
		if !slices.Contains(si.Tags, strings.ToLower(strings.TrimSpace(t))) {
			return false
		}
	}
	return f.Domain == "" || f.Domain == si.Domain
}

// Meant reports whether the request is meant for this server. A body that makes no
// sense is an error for [Request.Refuse].
func (r *Request) Meant() (bool, error) {
	if len(r.Body) == 0 {
		return true, nil
	}
	var f Filter
	if err := r.Decode(&f); err != nil {
		return false, err
	}
	si := r.svc.identity()
	return f.admits(&si), nil
}
