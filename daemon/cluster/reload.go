package cluster

import "net/url"

// Prepare checks new options and returns what puts them into effect. Nothing
// changes before commit is called; it cannot fail. The listener stays. Credentials, TLS,
// pings and limits are those of connections made from now on.
func (h *Hub) Prepare(o Options) (commit func(), err error) {
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return nil, err
	}
	return func() { h.commit(&o) }, nil
}

func (h *Hub) commit(o *Options) {
	old := h.opts.Load()
	o.Host, o.ClientURLs = old.Host, old.ClientURLs
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
	for r := range h.routes {
		if r.explicit && !o.configured(r.url) {
			r.explicit, r.retry = false, false
			drop = append(drop, r)
		}
	}
	h.mu.Unlock()
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
	if !o.Compression.equal(&old.Compression) {
		h.recompress(&o.Compression)
	}
	h.tellClients()
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
