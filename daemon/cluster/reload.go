package cluster

import (
	"net/url"
	"slices"
)

// Prepare checks new options and returns what puts them into effect. Nothing
// changes before commit is called; it cannot fail. The listener stays. TLS, pings and limits are
// those of connections made from now on; peers whose credentials or certificates count no more are closed.
func (h *Hub) Prepare(o Options) (commit func(), err error) {
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return nil, err
	}
	return func() { h.commit(&o) }, nil
}

func (h *Hub) commit(o *Options) {
	old := h.opts.Load()
	o.Host, o.ClientURLs, o.WebURLs = old.Host, old.ClientURLs, old.WebURLs
	o.LeafNodes, o.LeafURLs, o.LeafURLsOfPeers = old.LeafNodes, old.LeafURLs, old.LeafURLsOfPeers
	if o.Port <= 0 {
		o.Port = old.Port
	}
	h.opts.Store(o)
	h.Sync()
	h.renameTo(o.Name)
	h.repool(o, old)
	var drop []*Route
	h.mu.Lock()
	clear(h.self)
	clear(h.taken)
	for r := range h.routes {
		if r.explicit && !o.configured(r.url) {
			r.explicit, r.retry = false, false
			drop = append(drop, r)
		}
	}
	h.mu.Unlock()
	h.recheck(o, old)
	for _, r := range drop {
		r.Abort(&refusal{reason: "Route Removed", quiet: true})
	}
	for _, u := range o.Routes {
		if !old.configured(u) && !h.routedTo(u) {
			h.dial(target{url: u, explicit: true})
		}
	}
	if !o.Import.equal(old.Import) || !o.Export.equal(old.Export) {
		h.repermit(o)
	}
	if !o.Compression.Equal(&old.Compression) {
		h.recompress(&o.Compression)
	}
	h.tellClients()
}

// recheck closes the connections of peers that have dialled us and would not be let in any more: by what they have
// presented, or by their certificate.
func (h *Hub) recheck(o, old *Options) {
	secrets := o.User != old.User || o.Password != old.Password
	pins := o.TLS != nil && old.TLS != nil && !slices.Equal(o.TLS.Options().Pinned, old.TLS.Options().Pinned)
	if !secrets && !pins {
		return
	}
	verify := o.Verify
	if verify == nil {
		verify = func(a, b string) bool { return a == b }
	}
	h.mu.Lock()
	routes := make([]*Route, 0, len(h.routes))
	for r := range h.routes {
		routes = append(routes, r)
	}
	h.mu.Unlock()
	h.work.Go(func() { // a hash takes its time; ends with the last of them
		for _, r := range routes {
			if why := r.unwelcome(o, secrets, pins, verify); why != nil {
				r.Abort(why)
			}
		}
	})
}

// unwelcome says why the connection would not come about with options that have changed; nil: it would.
func (r *Route) unwelcome(o *Options, secrets, pins bool, verify func(configured, given string) bool) *refusal {
	if state := r.certificate.Load(); pins && state != nil && !o.TLS.PinAccepts(*state) {
		return &refusal{reason: "TLS Handshake Failure", log: "certificate not pinned"}
	}
	if !secrets || r.solicited || o.User == "" {
		return nil
	}
	given := r.presented.Load()
	if given == nil { // has not said yet who it is, and would be asked for what was configured before
		return &refusal{reason: "Authentication Failure", quiet: true}
	}
	if given[0] != o.User || !verify(o.Password, given[1]) {
		return denied(given[0])
	}
	return nil
}

// routedTo reports whether there is a route that is known to lead there; it is
// dialled again from now on when it is lost.
func (h *Hub) routedTo(u *url.URL) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	found := false
	for r := range h.routes {
		if r.registered && r.url != nil && sameRoute(r.url, u) {
			r.explicit, found = true, true
		}
	}
	return found
}

// renameTo takes on a configured name. Connections stay; those made from now on are with
// servers that have the name too. Without one, the name stays.
func (h *Hub) renameTo(name string) {
	h.mu.Lock()
	same := name == "" || h.naming == naming{name: name}
	if !same {
		h.naming = naming{name: name}
	}
	h.mu.Unlock()
	if same {
		return
	}
	if f := h.opts.Load().Renamed; f != nil {
		f(name)
	}
}
