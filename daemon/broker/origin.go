package broker

import (
	"strings"

	"github.com/nats-broker/nats-broker/daemon/subject"
	"github.com/nats-broker/nats-broker/daemon/sublist"
)

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
	FromLeaf                 // a leaf node of this server
	FromHub                  // a server of which this one is a leaf node
)

// linked reports whether it is a leaf node connection, in whichever role.
func (o Origin) linked() bool { return o == FromLeaf || o == FromHub }

// own reports whether it is a part of this server that publishes.
func (o Origin) own() bool { return o == Own || o == OwnOutward || o == FromStream }

// Entry is how a message came into an account.
type Entry uint8

const (
	Published Entry = iota // it was published there
	// AsMessage is by an import of a service, from the account of who published it, and
	// without a reply subject: it is for whoever a message published there is for.
	AsMessage
	// AsRequest is by an import of a service, with a reply subject: it is for those who
	// serve the account, and nobody else hears of it.
	AsRequest
	// AsAnswer is by the way back of a request, from the account of the service: it is
	// for those who ask.
	AsAnswer

	entries = iota
)

// Kinds of receivers, see [sublist.Member]. Without the bits that say what other servers
// are told of them they are small numbers.
const (
	kindClient  = 0
	kindPart    = 1                                     // a part of this server
	kindService = 1 | sublist.Announced                 // a part of this server, which other servers are told of
	kindDeaf    = 2 | sublist.Announced                 // a part of this server, for what comes from others
	kindImport  = 3                                     // an import of a service
	kindWide    = 4                                     // the same, whose subjects begin with a wildcard
	kindReplies = 5 | sublist.Announced                 // the way back of requests
	kindShadow  = 6 | sublist.Announced | sublist.Guest // an import of a stream: a client of another account
	kindRoute   = 7                                     // another server of the cluster
	kindLeaf    = 8                                     // a leaf node of this server
	kindHub     = 9                                     // a server of which this one is a leaf node
	kindWatch   = 10                                    // an administrator who looks on: see [Account.LookOn]
)

const kindBits = sublist.Announced | sublist.Guest

// receivers is a set of kinds.
type receivers uint16

const (
	toClients receivers = 1 << kindClient
	toParts   receivers = 1 << kindPart
	toDeaf    receivers = 1 << (kindDeaf &^ kindBits)
	toTold    receivers = toClients | toParts | toShadows // members of queue groups that other servers are told of
	toImports receivers = 1<<kindImport | 1<<kindWide
	toNamed   receivers = 1 << kindImport
	toReplies receivers = 1 << (kindReplies &^ kindBits)
	toShadows receivers = 1 << (kindShadow &^ kindBits)
	toRoutes  receivers = 1 << kindRoute
	toLeafs   receivers = 1 << kindLeaf
	toHubs    receivers = 1 << kindHub
	toWatches receivers = 1 << kindWatch
	toLinks   receivers = toLeafs | toHubs
)

// Sets of receivers, by who they are to the account.
const (
	toOwn    = toClients | toParts | toReplies | toWatches // its own, on this server
	toServe  = toOwn | toImports | toRoutes | toLinks      // and whom it has asked to serve in its place
	toListen = toServe | toShadows                         // and whom it lets listen
	toAsked  = toOwn | toNamed | toRoutes | toLinks        // an import that is named as the place for answers gets them
)

// receives says to whom messages may go.
//
// What another server of the cluster sends has been through the imports of services there,
// and was sent to all the others, and to the hubs. What a leaf node sends is published
// here; what a hub sends, each server of a cluster that is its leaf gets by a connection of its own.
var receives = [...][entries]receivers{
	FromClient: {Published: toListen, AsMessage: toListen, AsRequest: toServe, AsAnswer: toAsked},
	FromStream: {Published: toListen, AsMessage: toListen, AsRequest: toServe, AsAnswer: toAsked},
	Own:        {Published: toListen, AsMessage: toListen, AsRequest: toServe, AsAnswer: toAsked},
	OwnOutward: {Published: toListen &^ toParts, AsMessage: toListen &^ toParts, AsRequest: toServe &^ toParts, AsAnswer: toAsked &^ toParts},
	FromRoute: {Published: toOwn | toDeaf | toShadows | toLeafs, AsMessage: toOwn | toDeaf | toShadows | toLeafs,
		AsRequest: toOwn | toDeaf | toLeafs, AsAnswer: toOwn | toLeafs},
	FromLeaf: {Published: toListen, AsMessage: toListen, AsRequest: toServe, AsAnswer: toAsked},
	FromHub:  {Published: toListen &^ toRoutes, AsMessage: toListen &^ toRoutes, AsRequest: toServe &^ toRoutes, AsAnswer: toAsked &^ toRoutes},
}

// onward is the origin of what goes on into another account. No other server has sent that
// on, also if it is an answer that came from there.
func (o Origin) onward() Origin {
	if o == FromRoute || o.linked() {
		return FromClient
	}
	return o
}

// has reports whether a kind is in the set.
func (r receivers) has(kind uint8) bool { return r>>(kind&^kindBits)&1 != 0 }

// about is the set as far as it goes for a subject. What is published on the reply subject
// of a request is for who asks: nobody listens, and it is no request.
func (r receivers) about(subject string) receivers {
	if strings.HasPrefix(subject, replyPrefix) {
		return r &^ (toShadows | toImports)
	}
	return r
}

// importKind is the kind of an import of services under a pattern.
func importKind(pattern string) uint8 {
	if first, _, _ := strings.Cut(pattern, "."); subject.IsLiteral(first) {
		return kindImport
	}
	return kindWide
}

// hop is what changes for a sender as a message goes on into another account, and is
// as before when it comes back.
type hop struct {
	acc       *Account
	via       *serviceStep // by which a message or a request came in; nil for all else
	came      *Account     // from which an answer came; nil for all else
	may       receivers    // who gets the message
	entry     Entry
	depth     uint8 // hops so far
	foreign   bool  // the message lies in a nest, not in the input
	allGroups bool  // every queue group is served, otherwise those that a peer has named

	granted bool   // while a plan is made: it is of a subject where the client may answer only
	trail   *trail // of the message at hand; nil: it is not traced

	asksJetStream bool // the reply subject of the message was one of JetStream before an import

	base int // where in sender.chosen those of acc begin
}

// newSender makes a sender for what comes from somewhere to an account; begin starts it.
// lead is what lines begin with there, in front of the subject.
func newSender(a *Account, from Origin, lead string, seed uint64) sender {
	return sender{
		hop:  hop{acc: a, may: receives[from][Published], allGroups: true},
		from: from, echo: true, lead: lead, random: seed * 0x9E3779B97F4A7C15,
	}
}

// into is the hop that leads into another account.
func (s *sender) into(a *Account, e Entry) hop {
	h := s.hop
	h.acc, h.via, h.came, h.entry, h.depth = a, nil, nil, e, h.depth+1
	h.may, h.allGroups = receives[s.from.onward()][e], true
	return h
}

// toService is the hop by which a message goes to a service.
func (s *sender) toService(st *serviceStep, e Entry) hop {
	h := s.into(st.im.to, e)
	h.via = st
	return h
}

// back is the hop by which an answer goes to who asked.
func (s *sender) back(to *Account) hop {
	h := s.into(to, AsAnswer)
	h.came = s.acc
	return h
}

// asks is how a message enters the account of a service. What is an answer here, or a
// request, is for nobody but who serves there.
func (s *sender) asks(reply bool) Entry {
	if reply || s.entry == AsRequest || s.entry == AsAnswer {
		return AsRequest
	}
	return AsMessage
}

// leadsOn reports whether what is at hand may go on by an import. A message goes by each of
// them once; an answer does not go back to where it came from.
func (h *hop) leadsOn(im *serviceImport) bool {
	if h.depth >= maxChain || h.came == im.to {
		return false
	}
	for st := h.via; st != nil; st = st.before {
		if st.im == im {
			return false
		}
	}
	return true
}
