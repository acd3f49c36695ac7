package leaf

import "fmt"

// clientStreams are subjects by which clients speak to JetStream, serverStreams those by which servers do too.
var (
	clientStreams = []string{"$JS.API.>", "$KV.>", "$OBJ.>"}
	serverStreams = append([]string{"$JSC.>", "$NRG.>"}, clientStreams...)
)

// domains finds what is kept from crossing a connection because JetStream of one side is not that of the
// other (nats-server 2.15.3): both ways, and from going out. It logs what comes of it.
func (l *Link) domains(remote string) (both, out []string) {
	o := l.srv.opts.Load()
	system := l.srv.broker.System()
	shared := system != nil && l.acc == system
	differ := o.Domain != remote || !o.JetStream && o.Domain == "" || system == nil
	switch {
	case differ && shared:
		l.srv.log.Info(fmt.Sprintf("%s - System account connected from %s", l.label, l.peerName()))
		l.srv.log.Info(l.label + " - JetStream not extended, domains differ")
		both = serverStreams
	case differ:
		l.srv.log.Info(fmt.Sprintf("%s - JetStream using domains: local %q, remote %q", l.label, o.Domain, remote))
		both = clientStreams
	case shared:
		l.srv.log.Info(fmt.Sprintf("%s - System account connected from %s, of the same JetStream domain %q", l.label, l.peerName(), remote))
	default:
		both = clientStreams
	}
	if differ && o.Domain != "" && o.JetStream {
		out = []string{"$JS." + o.Domain + ".API.>"} // what is meant for here does not leave
	}
	return both, out
}

// peerName is the peer's name, and its cluster's.
func (l *Link) peerName() string {
	if l.cluster == "" {
		return l.name
	}
	return l.name + "/" + l.cluster
}
