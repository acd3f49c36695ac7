package cluster

import (
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// audience lists who is to be told of a new peer: one connection to each other one.
// Hub.mu is held. Who was learnt from others is not passed on, unless whoever told
// of it asked for that; so that a new server is not announced by everybody.
func (h *Hub) audience(r *Route, i *info) (list []*Route) {
	learnt := r.solicited && !r.explicit
	if learnt && r.gossip != gossipOverride || i.Gossip == gossipDisabled {
		return nil
	}
	for id, p := range h.peers {
		if id == i.ServerID {
			continue
		}
		to := p.first()
		if o := p.accounts[r.account]; r.account != "" && o != nil {
			to = o
		}
		if to != nil && to.attached && (r.account == "" || !to.noPool) {
			list = append(list, to)
		}
	}
	return list
}

// gossip tells others of a new peer.
func (h *Hub) gossip(r *Route, i *info, to []*Route) {
	about := *i
	about.Nonce = ""
	for _, o := range to {
		switch {
		case !r.solicited && o.isExplicit(), r.solicited && r.isExplicit():
			about.Gossip = gossipOverride
		case !r.solicited:
			about.Gossip = gossipDisabled
		default:
			about.Gossip = gossipDefault
		}
		o.Out.Send(about.frame())
	}
}

// locate fills in where a peer can be dialled, if it did not say so: at the address
// it comes from and the port it told.
func (i *info) locate(from net.Addr) {
	if i.IP != "" {
		return
	}
	host := i.Host
	if tcp, ok := from.(*net.TCPAddr); ok {
		host = tcp.IP.String()
	}
	i.IP = "nats-route://" + net.JoinHostPort(host, strconv.Itoa(i.Port)) + "/"
}

// learn dials a server that a peer has told of.
func (h *Hub) learn(i *info, noPool bool) {
	o := h.opts.Load()
	u, err := i.dial()
	if err != nil || u.Host == "" || i.ServerID == h.broker.ID() {
		return
	}
	h.mu.Lock()
	p := h.peers[i.ServerID]
	known := p != nil && (i.Account == "" && p.count() > 0 || i.Account != "" && p.accounts[i.Account] != nil)
	strange := i.Account != "" && !h.pins(i.Account)
	accounts := slices.Sorted(maps.Keys(h.pinned.ours))
	h.mu.Unlock()
	if known || strange || isConfigured(o, i, u) {
		return
	}
	if i.AuthRequired && o.User != "" {
		u.User = url.UserPassword(o.User, o.Password)
	}
	h.dial(target{url: u, account: i.Account, gossip: i.Gossip, id: i.ServerID, attempts: o.ConnectRetries + 1})
	if noPool && i.Account == "" {
		for _, a := range accounts { // nobody else will tell of those
			h.dial(target{url: u, account: a, gossip: i.Gossip, id: i.ServerID, attempts: o.ConnectRetries + 1})
		}
	}
}

// isConfigured reports whether a server is one that we dial anyway.
func isConfigured(o *Options, i *info, u *url.URL) bool {
	for _, r := range o.Routes {
		if strings.EqualFold(r.Host, i.address()) || strings.EqualFold(r.Host, u.Host) {
			return true
		}
	}
	return false
}
