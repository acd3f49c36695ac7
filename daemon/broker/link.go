package broker

// A Link is a leaf node connection: a Remote of one account. Messages that came over it do not
// go back.
type Link interface {
	Relay
	// Takes reports whether messages on a literal subject may go there, which is not to be kept.
	// depends says that it may be otherwise for another subject. The index must be invalidated when
	// the answers change ([Account.Outdate]).
	Takes(subject, origin string) (ok, depends bool)
}

// Interest is what a subscription, or something else that receives, stands for: see [Account.WatchRemotes].
type Interest uint8

// Whose interest there is in an account, beside that of its own clients.
const (
	RouteInterest  Interest = iota // another server of the cluster
	LeafInterest                   // a leaf node
	HubInterest                    // a server of which this one is a leaf node
	ImportInterest                 // an import of a service
)

// RemoteChange tells that interest in a subject came, has changed, or went.
type RemoteChange struct {
	Subject, Queue string
	Of             Interest
	Origin         string // of leaf nodes, here or of another server: their cluster; empty for none
	Remote         Remote // whose it is; nil for an import
	Weight         int    // members of the queue group; 1 for plain interest
	Gone           bool
}

// WatchRemotes has f called whenever interest of others than the account's own clients and parts
// comes, changes or goes, in order; with what is there already first. As with [Account.Watch], f must be quick and
// must not call into the account.
func (a *Account) WatchRemotes(f func(RemoteChange)) (stop func()) {
	return a.index.Follow(func(s *Subscription, added bool) {
		c := RemoteChange{Subject: s.Subject(), Queue: s.Queue(), Weight: 1, Gone: !added}
		switch s.kind {
		case kindRoute:
			c.Of = RouteInterest
		case kindLeaf:
			c.Of = LeafInterest
		case kindHub:
			c.Of = HubInterest
		case kindImport, kindWide:
			c.Of = ImportInterest
		default:
			return
		}
		if x := s.more.Load(); c.Of != ImportInterest {
			c.Remote = x.remote
			if x.origin != nil {
				c.Origin = *x.origin
			}
			if s.queue != nil {
				c.Weight = int(x.weight.Load())
			}
		}
		f(c)
	})
}

// AddLeaf notes that a leaf node, of a cluster if origin is not empty, wants messages on a pattern; in a queue group it
// stands for so many members.
func (a *Account) AddLeaf(l Link, origin string, subject []byte, queue string, weight int) (RemoteInterest, error) {
	return a.addRemote(kindLeaf, l, origin, subject, queue, Members{All: weight, Own: weight})
}

// AddHub is AddLeaf for a server of which this one is a leaf node.
func (a *Account) AddHub(l Link, subject []byte, queue string, weight int) (RemoteInterest, error) {
	return a.addRemote(kindHub, l, "", subject, queue, Members{All: weight, Own: weight})
}

// LeafLimit is how many leaf node connections the account may have.
func (a *Account) LeafLimit() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return orUnlimited(a.limits.Leafs)
}

// Outdate has everybody ask anew who receives what in the account.
func (a *Account) Outdate() { a.index.Invalidate() }

// MappedSubjects lists the patterns of which clients' messages are renamed.
func (a *Account) MappedSubjects() (list []string) {
	if sh := a.shares.now.Load(); sh != nil {
		for _, m := range sh.mappings {
			list = append(list, m.source)
		}
	}
	return list
}

// WatchMappings has f called whenever what [Account.MappedSubjects] lists may have changed, until stop is
// called; not before that. f must not call into the account, but for that one.
func (a *Account) WatchMappings(f func()) (stop func()) {
	t := &a.shares
	t.mapMu.Lock()
	defer t.mapMu.Unlock()
	if t.mapWatch == nil {
		t.mapWatch = make(map[*mapWatch]struct{})
	}
	w := &mapWatch{f}
	t.mapWatch[w] = struct{}{}
	return func() {
		t.mapMu.Lock()
		defer t.mapMu.Unlock()
		delete(t.mapWatch, w)
	}
}

type mapWatch struct{ f func() }

// tellMappings tells those who watch.
func (a *Account) tellMappings() {
	a.shares.mapMu.Lock()
	defer a.shares.mapMu.Unlock()
	for w := range a.shares.mapWatch {
		w.f()
	}
}

// addLink adds a leaf node connection to a plan, unless the message came over it, or may not go there.
func (s *sender) addLink(p *plan, sub *Subscription) {
	if s.mayLink(p, sub) {
		s.addRemote(p, sub)
	}
}

func (s *sender) mayLink(p *plan, sub *Subscription) bool {
	l, ok := sub.more.Load().remote.(Link)
	if from := s.source(); !ok || from != nil && from.Link == l {
		return false
	}
	may, depends := l.Takes(p.seen(), s.origin())
	p.varies = p.varies || depends
	if !may && s.trail != nil {
		if here, _ := l.Takes(p.seen(), ""); !here {
			p.deny(l)
		}
	}
	return may
}

// origin is the cluster of leaf nodes that the message at hand comes from, empty for none.
func (s *sender) origin() string {
	if s.peer == nil || s.acc != s.peer.acc {
		return ""
	}
	return s.peer.origin
}

// source is the leaf node connection from which messages come; nil for none.
func (s *sender) source() *Source {
	if s.peer == nil {
		return nil
	}
	return s.peer.link
}

// A Source is where a [PeerPublisher] has its messages from, if that is a leaf node connection.
type Source struct {
	Link   Link
	Hub    bool        // it is a hub's; otherwise a leaf node's
	Origin string      // the cluster that the leaf node is of
	About  *ClientInfo // what services are told of who asks

	told *told
}

// NewLinkPublisher makes a publisher for a leaf node connection, which serves one account. lead is as for
// [NewPeerPublisher].
func NewLinkPublisher(a *Account, from Source, lead string) *PeerPublisher {
	if from.About != nil {
		from.told = newTold(from.About)
	}
	p := NewPeerPublisher(func(*Account, Entry) string { return lead })
	p.from, p.link = FromLeaf, &from
	if from.Hub {
		p.from = FromHub
	}
	return p
}
