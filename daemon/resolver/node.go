package resolver

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-broker/nats-broker/daemon/logging"
)

// NodeOptions describe one server's part in a resolver of many.
type NodeOptions struct {
	// Cache keeps what was used, and leaves it to others to have all: it answers no look-ups and compares nothing.
	Cache bool
	// Interval is how often directories are compared; 0: a minute.
	Interval time.Duration
	// Timeout is for a look-up at other servers; 0: [FetchTimeout].
	Timeout time.Duration
	// Operator is the key of the first operator, Strict whether it may not sign accounts itself, and Keys are those
	// whose requests to delete accounts are obeyed.
	Operator string
	Strict   bool
	Keys     []string
	// System is the account that is never deleted.
	System string
}

// A Node is a directory that is one of many, with the requests that it answers. Its methods may be called concurrently.
type Node struct {
	dir      *Directory
	bus      Bus
	accounts Accounts
	opts     atomic.Pointer[NodeOptions]
	log      *logging.Logger
	inbox    string // of packs

	ended context.Context // by Stop
	end   context.CancelFunc
	done  sync.WaitGroup
}

// NewNode makes a node of a directory. It answers nothing before it is started.
func NewNode(d *Directory, bus Bus, accounts Accounts, o NodeOptions, log *logging.Logger) *Node {
	n := &Node{dir: d, bus: bus, accounts: accounts, log: log}
	n.ended, n.end = context.WithCancel(context.Background())
	n.Change(o)
	return n
}

// Change replaces the options; Cache stays.
func (n *Node) Change(o NodeOptions) {
	if o.Interval <= 0 {
		o.Interval = time.Minute
	}
	if o.Timeout <= 0 {
		o.Timeout = FetchTimeout
	}
	if was := n.opts.Load(); was != nil {
		o.Cache = was.Cache
	}
	n.opts.Store(&o)
}

// Start begins to answer requests and to compare directories.
func (n *Node) Start() error {
	handlers := []struct {
		subject, queue string
		full           bool // only if the directory holds all accounts
		f              func(*Request)
	}{
		{accountUpdateOld, "", false, n.update},
		{accountUpdate, "", false, n.update},
		{updateSubject, "", false, n.update},
		{listSubject, "", false, n.list},
		{deleteSubject, "", false, n.remove},
		{accountLookup, "", true, n.lookup},
		{packSubject, packQueue, true, n.pack},
	}
	cache := n.opts.Load().Cache
	for _, h := range handlers {
		if h.full && cache {
			continue
		}
		if err := n.bus.Handle(h.subject, h.queue, h.f); err != nil {
			return fmt.Errorf("account resolver: %w", err)
		}
	}
	if cache {
		n.log.Info("Managing some jwt in exclusive directory " + n.dir.Path())
		return nil
	}
	n.inbox = n.bus.Inbox()
	if err := n.bus.Handle(n.inbox, "", n.merge); err != nil {
		return fmt.Errorf("account resolver: %w", err)
	}
	n.done.Go(n.compare) // ended by Stop
	n.log.Info("Managing all jwt in exclusive directory " + n.dir.Path())
	return nil
}

// Stop ends the node and closes its directory. Requests may still be answered afterwards; the bus ends them.
func (n *Node) Stop() {
	n.end()
	n.done.Wait()
	n.dir.Close()
}

// Preload stores JWTs unless there are newer ones.
func (n *Node) Preload(jwts map[string]string) {
	for id, text := range jwts {
		changed, err := n.dir.SaveNewer(id, text)
		if err != nil {
			n.log.Error(fmt.Sprintf("preload account error for %q: %v", id, err), logging.Err(err))
		}
		if changed {
			n.changed(id, text)
		}
	}
}

// Reload reads the directory again.
func (n *Node) Reload() {
	changed, err := n.dir.Reload()
	if err != nil {
		n.log.Error("DirResolver - "+err.Error(), logging.Err(err))
	}
	for _, id := range changed {
		if text, err := n.dir.Load(id); err == nil {
			n.changed(id, text)
		}
	}
}

// changed has an account in use follow its JWT.
func (n *Node) changed(id, text string) {
	if !n.accounts.Known(id) {
		return
	}
	if err := n.accounts.Update(id, text); err != nil {
		n.log.Error(fmt.Sprintf("DirResolver - Update for account %q resulted in error %v", id, err), logging.Err(err))
	}
}

// Fetch returns the JWT of an account, from the directory or from another server.
func (n *Node) Fetch(ctx context.Context, id string) (string, error) {
	if text, err := n.dir.Load(id); err == nil {
		return text, nil
	}
	peers := n.bus.Peers()
	if peers == 0 {
		return "", ErrMissing
	}
	ctx, cancel := context.WithTimeout(ctx, n.opts.Load().Timeout)
	defer cancel()
	text, err := n.ask(ctx, id, peers)
	if err != nil {
		return "", err
	}
	if _, err := n.dir.SaveNewer(id, text); err != nil {
		return "", err
	}
	return text, nil
}

// ask asks all other servers for an account and returns the first JWT that comes. That nobody has it is known when all
// have said so.
func (n *Node) ask(ctx context.Context, id string, peers int) (text string, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(n.ended, func() { cancel(errShutdown) })()
	err = n.bus.Ask(ctx, lookupSubject(id), nil, func(answer []byte) bool {
		text = string(answer)
		peers--
		return text == "" && peers > 0
	})
	switch {
	case errors.Is(context.Cause(ctx), errShutdown):
		return "", errShutdown
	case ctx.Err() != nil:
		return "", ErrTimeout
	case err != nil:
		return "", err
	case text == "":
		return "", ErrNotFound
	}
	return text, nil
}

var errShutdown = errors.New("fetching jwt failed due to shutdown")

// compare tells the others from time to time what there is here, and merges what they send.
func (n *Node) compare() {
	timer := time.NewTimer(n.opts.Load().Interval)
	defer timer.Stop()
	for {
		select {
		case <-n.ended.Done():
			return
		case <-timer.C:
		}
		hash := n.dir.Hash()
		n.log.Debug(fmt.Sprintf("DirResolver - Checking store state: %x", hash))
		n.bus.Publish(packSubject, n.inbox, hash[:])
		timer.Reset(n.opts.Load().Interval)
	}
}
