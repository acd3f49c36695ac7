package control

// The verbs of the daily work, whose questions and answers have forms of their own: see [Ask].
const (
	VerbConnections = "connections"       // list connections: the question is that of /connz, the answer its answer
	VerbClose       = "connections close" // Close, Closed
)

// ConnectionsQuery selects and orders connections, in the words of the system account's CONNZ request.
type ConnectionsQuery struct {
	Sort          string `json:"sort,omitempty"`
	Auth          bool   `json:"auth,omitempty"`
	Subscriptions bool   `json:"subscriptions,omitempty"`
	Offset        int    `json:"offset,omitempty"`
	Limit         int    `json:"limit,omitempty"`
	CID           uint64 `json:"cid,omitempty"`
	State         int    `json:"state,omitempty"` // 0 open, 1 closed, 2 all
	User          string `json:"user,omitempty"`
	Account       string `json:"acc,omitempty"`
	FilterSubject string `json:"filter_subject,omitempty"`
}

// Close says which connections to close: those with the numbers, or all of a user, of an account, or of both.
type Close struct {
	CIDs    []uint64 `json:"cids,omitempty"`
	User    string   `json:"user,omitempty"`
	Account string   `json:"account,omitempty"`
	Reason  string   `json:"reason,omitempty"` // what the client is told; empty: nothing
}

// Closed lists the connections that were closed, and numbers that no connection has.
type Closed struct {
	CIDs    []uint64 `json:"closed"`
	Missing []uint64 `json:"missing,omitempty"`
}
