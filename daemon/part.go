package daemon

import (
	"context"
	"net"
	"os"
	"sync"

	"github.com/nats-broker/nats-broker/daemon/config"
	"github.com/nats-broker/nats-broker/daemon/control"
	"github.com/nats-broker/nats-broker/daemon/monitor"
	"github.com/nats-broker/nats-broker/daemon/transport"
)

// part is something that runs as the configuration says: a subsystem, or a
// file that must exist while the broker runs. Parts are started in order and
// stopped in the opposite one, all by Run's goroutine.
//
// What a part has besides, it says by the interfaces below: the process walks
// its parts and asks, so that nothing of a new part is written into lists
// elsewhere. Beside each part stand guards for those that it means to be.
type part interface {
	// name is for error messages: "client listener", "monitor".
	name() string
	// start makes it run as cfg says.
	start(cfg *config.Config) error
	// prepare makes everything ready for a change from old to new without
	// changing what others can see. A nil change means that nothing of it
	// concerns this part.
	prepare(old, new *config.Config) (*change, error)
	// stop ends it; called once, also after a failed start.
	stop()
}

// change is one part's share of a reload, ready to be carried out or dropped:
// exactly one of commit and abort is called. commit cannot fail: whatever can
// is done by prepare.
type change struct {
	commit func()
	abort  func() // nil: nothing to undo
}

func (c *change) drop() {
	if c != nil && c.abort != nil {
		c.abort()
	}
}

// listens is a part that listens: its sockets are shown, written into the
// ports file, kept over a restart and handed on by an upgrade.
type listens interface {
	// kinds are the names that its sockets may have.
	kinds() []string
	// places are where it listens by a configuration, if the socket is opened
	// by us. What is kept from before and is at none of them is closed.
	places(o *config.Options) []place
	// listening are the open sockets. Any goroutine may ask.
	listening() []listening
}

// listening is an open socket.
type listening struct {
	name      string // of its kind: "client", "monitor"; of the descriptor, inherited or kept
	listener  net.Listener
	scheme    string // of its URLs: "nats", "https"
	inherited bool   // opened by somebody else
}

// openSockets are the sockets of a part, for any goroutine to see.
type openSockets struct {
	mu   sync.Mutex // leaf lock
	list []listening
}

func (o *openSockets) set(list ...listening) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.list = list
}

func (o *openSockets) listening() []listening {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]listening(nil), o.list...)
}

// admits is a part in front of which others wait: start opens its sockets, and
// admit lets the first one in, when every part has started. So whatever fails
// has failed before.
type admits interface{ admit() error }

// presents is a part that shows certificates: they are listed, and looked after.
type presents interface {
	// material is the TLS in use. Any goroutine may ask.
	material() []usedTLS
}

// usedTLS is the TLS material of one kind of listener.
type usedTLS struct {
	use string // "client", "cluster", "monitor"
	*transport.TLS
}

// leaves is a part that does something when the broker enters lame duck mode.
type leaves interface{ lameDuck() }

// departs is a part with something to say before all others stop, so that it
// still finds its way.
type departs interface{ farewell() }

// owes is a part that answers clients some time after they have asked.
type owes interface {
	// payUp is called before a handover, when no client says anything any more and answers still reach them: when it returns,
	// or ctx ends, what was asked is answered.
	payUp(ctx context.Context)
}

// counts is a part that has figures of the traffic.
type counts interface {
	// count adds them. Any goroutine may ask.
	count(t *control.Traffic)
}

// checked is a part that can be well or not.
type checked interface {
	// checks explain it to people. Any goroutine may ask.
	checks() []monitor.Check
}

// handsOn is a part that leaves something for the next process: a section of
// the parcel, with descriptors that go with it. A part that has none to leave
// in this configuration leaves nil.
type handsOn interface {
	// section names it, in every version.
	section() string
	// settle does ahead what takes time, such as bringing a checkpoint up to
	// date, while clients are still served; ctx ends when it has had its time.
	settle(ctx context.Context)
	// leave is called when no client says anything any more, before parts
	// stop. What is left must be true until the process ends: after it the
	// part changes nothing, also in stop. If nobody takes over, our own program
	// is started again and finds it. The caller owns the files.
	leave() (*section, error)
	// take is called before parts start, with what the process before this one
	// left under the name, nil if nothing. The part owns the files, also if it
	// fails: then it starts without. state is valid during the call.
	take(s *section) error
}

// section is what a part leaves for the next process. state is written so that
// other versions can read it (package fields).
type section struct {
	state []byte
	files []*os.File // locks that must not be let go, sockets
}

// having lists the parts that are of a kind, in their order.
func having[T any](d *Daemon) (list []T) {
	for _, p := range d.parts {
		if t, ok := p.(T); ok {
			list = append(list, t)
		}
	}
	return list
}

// listening lists the open sockets of all parts.
func (d *Daemon) listening() (list []listening) {
	for _, p := range having[listens](d) {
		list = append(list, p.listening()...)
	}
	return list
}
