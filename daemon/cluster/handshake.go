package cluster

import (
	"fmt"
)

// handshake decides who may become a route. It does no i/o: it is given what the
// peer sent and says what follows. Each connection has one.
type handshake struct {
	id, name  string // ours
	solicited bool   // we dialled
	user      string // that the peer must present; empty: none
	password  string
	verify    func(configured, given string) bool

	connected bool   // CONNECT was accepted
	peer      string // its id
	isSelf    bool   // the peer is us
}

// stranger reports whether the peer has yet to say who it is: nothing but that is taken from it, also where nobody asks for
// credentials.
func (h *handshake) stranger() bool { return !h.solicited && !h.connected }

// refusal is why a peer is refused. What the peer is told, if anything, stands
// between the quotes of -ERR.
type refusal struct {
	reason string // as closed connections are reported
	tell   string
	log    string // empty: nothing to be said at the level of errors
	quiet  bool   // we do not try again at once
	silent bool   // the peer does not answer: nothing must reach it any more
}

func (r *refusal) Error() string {
	if r.log != "" {
		return r.log
	}
	return r.reason
}

// denied refuses a peer that is not let in as the user that it says it is; empty: it says nothing.
func denied(user string) *refusal {
	text := "authentication error"
	if user != "" {
		text += fmt.Sprintf(" - User %q", user)
	}
	return &refusal{reason: "Authentication Failure", tell: "Authorization Violation", log: text}
}

// naming is a cluster's name and whether it was made up.
type naming struct {
	name    string
	dynamic bool
}

// yields reports whether n is given up for other: a made-up name for one that is
// not, or for one that is greater.
func (n naming) yields(other naming) bool {
	return n.dynamic && (!other.dynamic || n.name < other.name)
}

// onConnect judges CONNECT; the peer's cluster name is returned if it is to become
// ours.
func (h *handshake) onConnect(c *connect, ours naming) (adopt *naming, err error) {
	switch {
	case h.solicited || h.connected:
		return nil, &refusal{reason: "Protocol Violation", log: "unexpected CONNECT"}
	case !h.mayEnter(c):
		return nil, denied(c.User)
	case c.Lang != "":
		return nil, &refusal{reason: "Incorrect Port", tell: "attempted to connect to route port",
			log: "attempted to connect to route port"}
	case c.Gateway != "":
		text := fmt.Sprintf("Rejecting connection from gateway %q on the Route port", c.Gateway)
		return nil, &refusal{reason: "Wrong Gateway", tell: text, log: text}
	case c.Cluster == noOrigin:
		text := fmt.Sprintf("Rejecting connection, cluster name %q is reserved", c.Cluster)
		return nil, &refusal{reason: "Cluster Name Conflict", tell: text, log: text}
	}
	theirs := naming{c.Cluster, c.Dynamic}
	if c.Cluster != ours.name {
		if !ours.yields(theirs) {
			text := fmt.Sprintf("Rejecting connection, cluster name %q does not match %q", c.Cluster, ours.name)
			return nil, &refusal{reason: "Cluster Name Conflict", tell: text, log: text}
		}
		adopt = &theirs
	}
	h.connected, h.peer = true, c.Name
	return adopt, nil
}

// mayEnter reports whether the credentials are right.
func (h *handshake) mayEnter(c *connect) bool {
	if h.user == "" {
		return true
	}
	return c.User == h.user && h.verify(h.password, c.Pass)
}

// onInfo judges the first INFO.
func (h *handshake) onInfo(i *info, ours naming) (adopt *naming, err error) {
	theirs := naming{i.Cluster, i.Dynamic}
	h.isSelf = i.ServerID == h.id
	switch {
	case i.ServerID == "":
		return nil, &refusal{reason: "Protocol Violation", log: "INFO without a server_id: not a route port?"}
	case h.isSelf:
		return nil, &refusal{reason: "Duplicate Route"}
	case !h.solicited && !h.connected:
		return nil, &refusal{reason: "Protocol Violation", log: "INFO before CONNECT"}
	case i.Cluster == noOrigin:
		return nil, &refusal{reason: "Cluster Name Conflict", log: `cluster name "_" is reserved`}
	case i.Cluster != "" && i.Cluster != ours.name:
		if !ours.yields(theirs) {
			return nil, &refusal{reason: "Cluster Name Conflict",
				log: fmt.Sprintf("Rejecting connection, cluster name %q does not match %q", i.Cluster, ours.name)}
		}
		adopt = &theirs
	}
	if !h.solicited && i.ServerName == h.name {
		text := fmt.Sprintf("Remote server has a duplicate name: %q", i.ServerName)
		return nil, &refusal{reason: "Duplicate Server Name", tell: text, log: text}
	}
	if h.solicited && i.PoolIdx != 0 {
		text := fmt.Sprintf("Route pool index should not be set but is set to %v", i.PoolIdx)
		return nil, &refusal{reason: "Protocol Violation", tell: text, log: text}
	}
	h.peer = i.ServerID
	return adopt, nil
}
