package resolver

import "context"

// Bus is the system account, as far as it is needed here. Handlers run one at a time on a goroutine that may block.
type Bus interface {
	// Handle has f called for requests on a pattern, and, with a queue group, for this server's share of them.
	Handle(pattern, queue string, f func(*Request)) error
	// Ask publishes a question to others than this server, and calls each with every answer until that returns false
	// or ctx ends; then the error is that of ctx.
	Ask(ctx context.Context, subject string, body []byte, each func(answer []byte) (more bool)) error
	// Publish sends a message to others than this server.
	Publish(subject, reply string, body []byte)
	// Inbox returns a subject for answers that nobody else uses.
	Inbox() string
	// Peers is how many other servers are known.
	Peers() int
}

// Request is a message on the bus.
type Request struct {
	Subject string
	Reply   string // empty: nobody waits for an answer
	Body    []byte
	// Answer sends a part of the answer as it is; Respond sends it as {"server":…,"data":…} or with an "error".
	Answer  func(body []byte)
	Respond func(data, err any)
}

// Accounts is who uses the accounts. Its methods log what goes wrong.
type Accounts interface {
	// Known reports whether an account is in use on this server.
	Known(id string) bool
	// Validate holds that the JWT of an account makes sense, and was signed by who may.
	Validate(text string) error
	// Update has an account in use be as a new JWT describes it.
	Update(id, text string) error
	// Remove has an account in use end.
	Remove(id string)
}

// Subjects of requests and events (nats-server 2.15.3).
const (
	updateSubject    = "$SYS.REQ.CLAIMS.UPDATE"
	listSubject      = "$SYS.REQ.CLAIMS.LIST"
	packSubject      = "$SYS.REQ.CLAIMS.PACK"
	deleteSubject    = "$SYS.REQ.CLAIMS.DELETE"
	accountUpdate    = "$SYS.REQ.ACCOUNT.*.CLAIMS.UPDATE"
	accountUpdateOld = "$SYS.ACCOUNT.*.CLAIMS.UPDATE"
	accountLookup    = "$SYS.REQ.ACCOUNT.*.CLAIMS.LOOKUP"
	packQueue        = "responder"
)

// lookupSubject is where an account is asked for.
func lookupSubject(id string) string { return "$SYS.REQ.ACCOUNT." + id + ".CLAIMS.LOOKUP" }
