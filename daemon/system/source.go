package system

import (
	"context"
	"time"

	"github.com/nats-broker/nats-broker/daemon/broker"
)

// Source is what the service asks of the parts of the process that it does not know.
// Its functions are called on workers, concurrently. Those that are nil are answered
// as not available.
type Source struct {
	// Stats fills in the server's figures, but for ActiveServers.
	Stats func(*Stats)
	// Servers answers $SYS.REQ.SERVER.PING.<name> and $SYS.REQ.SERVER.<id>.<name>.
	Servers map[string]Report
	// Accounts answers $SYS.REQ.ACCOUNT.<account>.<name>; r.Token(3) is the account.
	Accounts map[string]Report
	// Reload reads the configuration again; cause says for the log who asked.
	Reload func(ctx context.Context, cause string) error
	// CommandLine is that of the process, with secrets masked.
	CommandLine func() []string
	// AccountName is the name of an account for people, where it is not its own.
	AccountName func(account string) string
	// Permissions lists what a client may do; nil for everything.
	Permissions func(*broker.Client) *Permissions
}

// nameOf is the name of an account for people.
func (s *Service) nameOf(account string) string {
	if s.source.AccountName != nil {
		return s.source.AccountName(account)
	}
	return account
}

// Report computes the data of an answer, or the error: [ErrNoAnswer] for none. Data
// beside an error are sent too, if they are not nil: nil pointers, that is, as null.
type Report func(r *Request) (data any, err error)

// Permissions lists the subjects a client may publish and subscribe to. An entry for
// subscriptions may have a queue group behind the subject.
type Permissions struct {
	Publish   *Subjects  `json:"publish"`
	Subscribe *Subjects  `json:"subscribe"`
	Responses *Responses `json:"responses,omitempty"`
}

// Subjects are what is allowed, all if there are none, and what is denied all the same.
type Subjects struct {
	Allow []string `json:"allow,omitempty"`
	Deny  []string `json:"deny,omitempty"`
}

// Responses is how often and how long a client may answer a message.
type Responses struct {
	MaxMsgs int           `json:"max"`
	Expires time.Duration `json:"ttl"` // nanoseconds
}
