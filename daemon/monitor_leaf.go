package daemon

import (
	"net"

	"github.com/nats-broker/nats-broker/daemon/config"
	"github.com/nats-broker/nats-broker/daemon/leaf"
	"github.com/nats-broker/nats-broker/daemon/monitor"
	"github.com/nats-broker/nats-broker/daemon/transport"
)

// leafSource tells the monitor about leaf node connections.
type leafSource struct{ part *leafPart }

// EachLeaf implements [monitor.LeafSource].
func (s leafSource) EachLeaf(subs bool, account string, f func(*monitor.LeafRow)) {
	if s.part.run.Load() == nil {
		return
	}
	for _, l := range s.part.run.Load().Stats(subs) {
		if account == "" || account == l.Account {
			row := leafRow(&l)
			f(&row)
		}
	}
}

func leafRow(l *leaf.Stats) monitor.LeafRow {
	row := monitor.LeafRow{LeafInfo: monitor.LeafInfo{
		ID: l.ID, Name: l.Name, IsSpoke: l.Spoke, IsIsolated: l.Isolated, Account: l.Account,
		InMsgs: l.InMsgs, OutMsgs: l.OutMsgs, InBytes: l.InBytes, OutBytes: l.OutBytes,
		NumSubs: uint32(l.Subscriptions), Subs: l.Wanted, Compression: l.Compression,
	}, RoundTrip: l.RTT}
	if tcp, ok := l.Addr.(*net.TCPAddr); ok {
		row.IP, row.Port = tcp.IP.String(), tcp.Port
	}
	return row
}

// LeafRemotes implements [monitor.LeafSource].
func (s leafSource) LeafRemotes() (list []*monitor.LeafRemote) {
	if s.part.run.Load() == nil {
		return nil
	}
	for _, r := range s.part.run.Load().RemoteStates() {
		m := &monitor.LeafRemote{Account: r.Remote.Account, Connected: r.Connected, Disabled: r.Remote.Disabled, Attempts: r.Attempts}
		for _, u := range r.Remote.URLs {
			m.URLs = append(m.URLs, u.Host)
			m.Addresses = append(m.Addresses, u.Redacted())
		}
		if !r.Connected {
			if r.Err != nil {
				m.Error = r.Err.Error()
			}
			m.Next = r.Next
		}
		list = append(list, m)
	}
	return list
}

// varz is what /varz shows of leaf nodes.
func (p *leafPart) varz(o *config.Options) (v monitor.LeafVarz) {
	if p.run.Load() == nil {
		return v
	}
	l := &o.Leafnodes
	if l.Accepts() {
		v.Host, v.Port = leafHost(l), p.run.Load().Port()
		v.AuthTimeout = leafAuthTimeout(l).Seconds()
		v.TLSTimeout = orElse(l.TLS.Timeout, transport.DefaultTLSTimeout).Seconds()
		v.TLSRequired, v.TLSVerify = l.TLS.Defined, l.TLS.Defined && l.TLS.Verify
	}
	if listener, _ := p.run.Load().TLS(); listener != nil && len(listener.Presented()) > 0 {
		v.TLSCertNotAfter = listener.Presented()[0].NotAfter.UTC()
	}
	if l.WriteDeadline != 0 && l.WriteDeadline != o.WriteDeadline {
		v.WriteDeadline = l.WriteDeadline
	}
	for i := range l.Remotes {
		r := &l.Remotes[i]
		m := monitor.LeafRemoteVarz{LocalAccount: orElse(r.Account, "$G"), TLSTimeout: r.TLS.Timeout.Seconds()}
		for _, u := range r.URLs {
			m.URLs = append(m.URLs, u.Host)
		}
		if len(r.DenyExports)+len(r.DenyImports) > 0 {
			m.Deny = &monitor.DenyRules{Exports: r.DenyExports, Imports: r.DenyImports}
		}
		v.Remotes = append(v.Remotes, m)
	}
	return v
}
