package cluster

import "testing"

// What is let in, what is not and what the peer is told: the handshake alone.
func TestHandshake(t *testing.T) {
	good := connect{Cluster: "C"}
	good.Name, good.User, good.Pass = "PEER", "u", "p"
	with := func(change func(*connect)) connect { c := good; change(&c); return c }
	for name, c := range map[string]struct {
		ours   naming
		c      connect
		tell   string // "" for those let in
		reason string
		adopt  string
	}{
		"good":              {naming{"C", false}, good, "", "", ""},
		"client":            {naming{"C", false}, with(func(c *connect) { c.Lang = "go" }), "attempted to connect to route port", "Incorrect Port", ""},
		"gateway":           {naming{"C", false}, with(func(c *connect) { c.Gateway = "G" }), `Rejecting connection from gateway "G" on the Route port`, "Wrong Gateway", ""},
		"wrong password":    {naming{"C", false}, with(func(c *connect) { c.Pass = "x" }), "Authorization Violation", "Authentication Failure", ""},
		"no credentials":    {naming{"C", false}, with(func(c *connect) { c.User, c.Pass = "", "" }), "Authorization Violation", "Authentication Failure", ""},
		"other name":        {naming{"D", false}, good, `Rejecting connection, cluster name "C" does not match "D"`, "Cluster Name Conflict", ""},
		"reserved name":     {naming{"C", false}, with(func(c *connect) { c.Cluster = "_" }), `Rejecting connection, cluster name "_" is reserved`, "Cluster Name Conflict", ""},
		"ours is made up":   {naming{"Z", true}, good, "", "", "C"},
		"theirs is greater": {naming{"A", true}, with(func(c *connect) { c.Dynamic = true }), "", "", "C"},
		"ours is greater":   {naming{"D", true}, with(func(c *connect) { c.Dynamic = true }), `Rejecting connection, cluster name "C" does not match "D"`, "Cluster Name Conflict", ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := handshake{id: "ME", name: "me", user: "u", password: "p", verify: func(a, b string) bool { return a == b }}
			adopt, err := h.onConnect(&c.c, c.ours)
			check(t, adopt, err, c.adopt, c.reason, c.tell)
			if h.connected != (c.reason == "") {
				t.Error("connected:", h.connected)
			}
		})
	}
}

func TestHandshakeInfo(t *testing.T) {
	good := info{PoolSize: 3}
	good.ServerID, good.ServerName, good.Cluster = "PEER", "peer", "C"
	with := func(change func(*info)) info { i := good; change(&i); return i }
	for name, c := range map[string]struct {
		solicited, connected bool
		i                    info
		tell, reason         string
	}{
		"we dialled":             {true, false, good, "", ""},
		"we were dialled":        {false, true, with(func(i *info) { i.PoolIdx = 2 }), "", ""},
		"no CONNECT":             {false, false, good, "", "Protocol Violation"},
		"ourselves":              {true, false, with(func(i *info) { i.ServerID = "ME" }), "", "Duplicate Route"},
		"no server":              {true, false, info{}, "", "Protocol Violation"},
		"other name":             {true, false, with(func(i *info) { i.Cluster = "D" }), "", "Cluster Name Conflict"},
		"our server name":        {false, true, with(func(i *info) { i.ServerName = "me" }), `Remote server has a duplicate name: "me"`, "Duplicate Server Name"},
		"index from the dialled": {true, false, with(func(i *info) { i.PoolIdx = 1 }), "Route pool index should not be set but is set to 1", "Protocol Violation"},
	} {
		t.Run(name, func(t *testing.T) {
			h := handshake{id: "ME", name: "me", solicited: c.solicited, connected: c.connected}
			adopt, err := h.onInfo(&c.i, naming{"C", false})
			check(t, adopt, err, "", c.reason, c.tell)
		})
	}
}

func check(t *testing.T, adopt *naming, err error, name, reason, tell string) {
	t.Helper()
	var ref refusal
	if err != nil {
		ref = *err.(*refusal)
	}
	got := ""
	if adopt != nil {
		got = adopt.name
	}
	if got != name || ref.reason != reason || ref.tell != tell {
		t.Errorf("adopts %q, refuses for %q and tells %q; want %q, %q, %q", got, ref.reason, ref.tell, name, reason, tell)
	}
}

// Indexes that nats-server 2.15.3 has told in its route_pool_idx: a change would
// split accounts between connections.
func TestPoolIndex(t *testing.T) {
	for _, c := range []struct {
		size, want int
		account    string
	}{{1, 0, "$G"}, {0, 0, "$G"}, {3, 2, "$G"}} {
		if got := poolIndex(c.size, c.account); got != c.want {
			t.Errorf("%s of %d: %d, want %d", c.account, c.size, got, c.want)
		}
	}
}
