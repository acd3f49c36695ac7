package leaf

import (
	"context"
	"slices"

	"github.com/nats-broker/nats-broker/daemon/broker"
)

// Prepare checks new options and returns what puts them into effect. Nothing changes before commit is called; it cannot
// fail. The listener stays. Remotes come and go; one of which something has changed is dialled anew. Leaf nodes that have dialled us
// and would not be let in any more, or with other rights, are closed.
func (s *Server) Prepare(o Options) (commit func(), err error) {
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return nil, err
	}
	return func() { s.commit(&o) }, nil
}

func (s *Server) commit(o *Options) {
	old := s.opts.Load()
	o.Host = old.Host
	if o.Port <= 0 {
		o.Port = old.Port
	}
	var end, repack []*Link
	s.mu.Lock()
	s.opts.Store(o)
	var kept []*dialer
	known := make(map[string]bool)
	for _, d := range s.dialers {
		was := d.cfg.Load()
		i := slices.IndexFunc(o.Remotes, func(r Remote) bool { return r.key() == was.key() })
		if i < 0 || !o.Remotes[i].same(was) {
			d.cancel()
			end = append(end, d.retire())
			continue
		}
		now := &o.Remotes[i]
		d.cfg.Store(now) // for the next connection
		if !now.Compression.Equal(&was.Compression) {
			repack = append(repack, d.current())
		}
		kept = append(kept, d)
		known[was.key()] = true
	}
	s.dialers = kept
	if !s.stopped && !s.lameDuck {
		for i := range o.Remotes {
			if !known[o.Remotes[i].key()] {
				s.addDialer(&o.Remotes[i])
			}
		}
	}
	for l := range s.links {
		if l.dialer == nil && !o.Compression.Equal(&old.Compression) {
			repack = append(repack, l)
		}
		if l.dialer == nil && (o.Isolate != old.Isolate || o.MinVersion != old.MinVersion || o.Domain != old.Domain) {
			end = append(end, l)
		}
	}
	s.mu.Unlock()
	for _, l := range end {
		if l != nil {
			l.Abort(&refusal{reason: "Client Closed"})
		}
	}
	s.announce(o, old)
	s.trim()
	for _, l := range repack {
		if l != nil {
			l.follow(l.compression())
		}
	}
	for _, l := range s.registered() {
		if l.presented != nil {
			s.review(l)
		}
	}
}

// current is the connection that there is; nil for none.
func (d *dialer) current() *Link {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.link
}

// retire has the connection end that there is, and no other begin. Server.mu is held.
func (d *dialer) retire() *Link {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.link != nil {
		d.link.retired = &refusal{reason: "Client Closed"}
	}
	return d.link
}

// announce tells leaf nodes where they find this server from now on.
func (s *Server) announce(o, old *Options) {
	if o.Advertise == old.Advertise && o.NoAdvertise == old.NoAdvertise {
		return
	}
	for _, l := range s.registered() {
		if l.dialer == nil {
			i := l.admission()
			i.ConnectInfo = false
			l.Out.Send(i.frame())
		}
	}
}

// review asks again who a leaf node is that has dialled us, if that may have changed. It takes no time of the caller's.
func (s *Server) review(l *Link) {
	l.mu.Lock()
	who := l.who
	l.mu.Unlock()
	o := s.opts.Load()
	if o.Authenticator == nil || l.presented == nil {
		return
	}
	s.work.Go(func() { // ends with the verdict
		ctx, cancel := context.WithTimeout(s.ctx, o.AuthTimeout)
		defer cancel()
		now, err := o.Authenticator.Authenticate(ctx, l.presented)
		switch {
		case s.ctx.Err() != nil:
		case err != nil:
			l.Abort(l.denied(err))
		case !s.sameRights(who, now):
			l.Abort(&refusal{reason: "Client Closed"})
		default:
			l.mu.Lock()
			l.who = now
			l.mu.Unlock()
		}
	})
}

// sameRights reports whether two identities are of one account and may do the same.
func (s *Server) sameRights(a, b *broker.Identity) bool {
	if a == nil || a.Account != b.Account || a.MaxPayload != b.MaxPayload || a.MaxSubscriptions != b.MaxSubscriptions {
		return false
	}
	f := s.opts.Load().Rules
	if f == nil {
		return true
	}
	lists := func(i *broker.Identity) (p, q *Rules) {
		if i.Permissions == nil {
			return nil, nil
		}
		return f(i.Permissions)
	}
	ap, as := lists(a)
	bp, bs := lists(b)
	return ap.equal(bp) && as.equal(bs)
}
