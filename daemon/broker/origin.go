package broker

import "github.com/nats-broker/nats-broker/daemon/sublist"

// Who may receive what is decided here and nowhere else: by where a message comes
// from, by how it came into the account at hand, and by what kind a receiver is of. A
// plan asks for each receiver once, when it is made; nothing is asked per message.

// Origin is where a message comes from.
type Origin uint8

const (
	FromClient Origin = iota // a client of this server
	Own                      // a part of this server
	OwnOutward               // a part of this server, for others than the parts of this server
	FromRoute                // another server of the cluster
	FromStream               // a stream of this server
)

// entry is how a message came into an account.
type entry uint8

const (
	published entry = iota // it was published there
	asRequest              // by an import of a service, from the account of who asks
	asAnswer               // by the way back of a request, from the account of the service
)

// Kinds of receivers, see [sublist.Member]. Without the bit that has other servers
// told of them they are small numbers.
const (
	kindClient  = 0
	kindPart    = 1                     // a part of this server
	kindService = 1 | sublist.Announced // a part of this server, which other servers are told of
	kindDeaf    = 2 | sublist.Announced // a part of this server, for what comes from others
	kindImport  = 3                     // an import of a service
	kindReplies = 4                     // the way back of requests
	kindShadow  = 5 | sublist.Announced // an import of a stream: a client of another account
	kindRoute   = 6                     // another server of the cluster
)

// receivers is a set of kinds.
type receivers uint16

const (
	toClients receivers = 1 << kindClient
	toParts   receivers = 1 << kindPart
	toDeaf    receivers = 1 << (kindDeaf &^ sublist.Announced)
	toImports receivers = 1 << kindImport
	toReplies receivers = 1 << kindReplies
	toShadows receivers = 1 << (kindShadow &^ sublist.Announced)
	toRoutes  receivers = 1 << kindRoute

	toOwn = toClients | toParts | toShadows // whom other servers are told of, but for the deaf
	toAll = toClients | toParts | toDeaf | toImports | toReplies | toShadows | toRoutes
)

// receives says to whom messages of an origin may go.
var receives = [...]receivers{
	FromClient: toAll &^ toDeaf,
	Own:        toAll &^ toDeaf,
	OwnOutward: toAll &^ (toDeaf | toParts),
	// What a server sends has been through the imports of services there, and was sent
	// to all the others.
	FromRoute:  toAll &^ (toImports | toRoutes),
	FromStream: toAll &^ toDeaf,
}

// enters says to whom messages may go that came into an account in some way.
var enters = [...]receivers{
	published: toAll,
	asRequest: toAll,
	asAnswer:  toAll,
}

// has reports whether a kind is in the set.
func (r receivers) has(kind uint8) bool { return r>>(kind&^sublist.Announced)&1 != 0 }

// hop is what changes for a sender as a message goes on into another account, and is
// as before when it comes back.
type hop struct {
	acc       *Account
	may       receivers // who gets the message
	entry     entry
	foreign   bool // the message lies in a nest, not in the input
	allGroups bool // every queue group is served, otherwise those that a peer has named
	depth     int  // hops so far
	base      int  // where in sender.chosen those of acc begin

	granted       bool // while a plan is made: it is of a subject where the client may answer only
	asksJetStream bool // the reply subject of the message was one of JetStream before an import
}

// newSender makes a sender for what comes from somewhere to an account; begin starts it.
// lead is what lines begin with there, in front of the subject.
func newSender(a *Account, from Origin, lead string, seed uint64) sender {
	return sender{
		hop:  hop{acc: a, may: receives[from], allGroups: true},
		from: from, echo: true, lead: lead, random: seed * 0x9E3779B97F4A7C15,
	}
}

// into is the hop that leads into another account.
func (s *sender) into(a *Account, e entry) hop {
	h := s.hop
	h.acc, h.entry, h.depth = a, e, h.depth+1
	h.may = receives[s.from] & enters[e]
	return h
}
