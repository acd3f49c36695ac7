package monitor

import "time"

// LeafzOptions select what /leafz shows. The JSON names are those of the system account's LEAFZ request.
type LeafzOptions struct {
	Subscriptions bool   `json:"subscriptions"`
	Account       string `json:"account"`
}

// Leafz is what /leafz shows. Remotes is an extension: how far each configured remote is, whether there is a connection or not.
type Leafz struct {
	ID       string        `json:"server_id"`
	Now      time.Time     `json:"now"`
	NumLeafs int           `json:"leafnodes"`
	Leafs    []*LeafInfo   `json:"leafs"`
	Remotes  []*LeafRemote `json:"remotes,omitempty"`
}

// LeafInfo is one leaf node connection.
type LeafInfo struct {
	ID          uint64   `json:"id"`
	Name        string   `json:"name"`
	IsSpoke     bool     `json:"is_spoke"`
	IsIsolated  bool     `json:"is_isolated,omitempty"`
	Account     string   `json:"account"`
	IP          string   `json:"ip"`
	Port        int      `json:"port"`
	RTT         string   `json:"rtt,omitempty"`
	InMsgs      int64    `json:"in_msgs"`
	OutMsgs     int64    `json:"out_msgs"`
	InBytes     int64    `json:"in_bytes"`
	OutBytes    int64    `json:"out_bytes"`
	NumSubs     uint32   `json:"subscriptions"`
	Subs        []string `json:"subscriptions_list,omitempty"`
	Compression string   `json:"compression,omitempty"`
}

// LeafRemote is how far the connection to a remote is.
type LeafRemote struct {
	URLs      []string  `json:"urls"` // hosts and ports
	Account   string    `json:"account"`
	Connected bool      `json:"connected"`
	Disabled  bool      `json:"disabled,omitempty"`
	Attempts  int       `json:"failed_attempts,omitempty"` // in a row
	Error     string    `json:"last_error,omitempty"`
	Next      time.Time `json:"next_attempt,omitzero"`

	Addresses []string `json:"-"` // the URLs, with passwords masked
}

// LeafRow is one leaf node connection.
type LeafRow struct {
	LeafInfo                // RTT is made by the monitor
	RoundTrip time.Duration // 0: not measured yet
}

// LeafSource lists leaf node connections.
type LeafSource interface {
	// EachLeaf calls f for each connection, with what the peer wants if subs; of one account unless it is empty.
	EachLeaf(subs bool, account string, f func(*LeafRow))
	// LeafRemotes lists the remotes that are configured.
	LeafRemotes() []*LeafRemote
}

// Leafz answers /leafz.
func (r *Reporter) Leafz(o LeafzOptions) *Leafz {
	z := &Leafz{Now: r.now().UTC(), Leafs: []*LeafInfo{}}
	z.ID, _ = r.identity()
	if r.src.Leafs == nil {
		return z
	}
	r.src.Leafs.EachLeaf(o.Subscriptions, o.Account, func(row *LeafRow) {
		info := row.LeafInfo
		info.RTT = rttText(row.RoundTrip)
		z.Leafs = append(z.Leafs, &info)
	})
	z.NumLeafs = len(z.Leafs)
	z.Remotes = r.src.Leafs.LeafRemotes()
	return z
}
